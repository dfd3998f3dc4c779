"""`make audit`: whether published advisories are known of what is installed (pip-audit). It fails where that could not
be found out: pip-audit itself takes packages that it cannot ask about for sound.

python -m lth_pipeline_tests.audited
"""

from __future__ import annotations

import json
import subprocess
import sys

OURS = "lth-pipeline"


def verdict(report: str) -> tuple[bool, str]:
    """(whether all is well, what to say) of pip-audit's JSON."""
    try:
        packages = [package for package in json.loads(report)["dependencies"] if package["name"] != OURS]
    except (ValueError, LookupError, TypeError):
        return False, "pip-audit gave no report: nothing was audited"
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        return False, (
            f"NOT AUDITED: the advisory service could not be asked about any of the {len(skipped)} packages; "
            "run it where that can be reached"
        )
    lines = [
        f"{package['name']} {package['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none yet'}"
        for package in audited
        for one in package["vulns"]
    ]
    said = f"{len(audited)} packages audited, {len(lines)} advisories"
    if skipped:
        said += f"; not known to the service, and not audited: {', '.join(skipped)}"
    return not lines, "\n".join([*lines, said])


def main() -> int:
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    well, said = verdict(done.stdout)
    print(said if done.stdout else f"{said}\n{done.stderr.strip()}")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
