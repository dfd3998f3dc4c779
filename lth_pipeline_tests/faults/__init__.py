"""Faults of a machine that a test can switch on for the processes that it starts (faults.c says how)."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "faults.c"


@dataclass(frozen=True)
class Faults:
    """library: of faults.c. folder: holds a file for each fault that is there. under: what is hit."""

    library: Path
    folder: Path
    under: Path

    @property
    def env(self) -> dict[str, str]:
        """What a process needs to meet them."""
        return {"LD_PRELOAD": str(self.library), "FAULTS": str(self.folder), "FAULTS_UNDER": str(self.under)}

    @contextmanager
    def there(self, fault: str) -> Iterator[None]:
        """ "full" or "readonly", in here."""
        file = self.folder / fault
        file.touch()
        try:
            yield
        finally:
            file.unlink()


def compiled(folder: Path) -> Path:
    """The library, compiled into `folder` once."""
    library = folder / "faults.so"
    if not library.is_file():
        making = folder / f"faults.{os.getpid()}.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", making, SOURCE, "-ldl"], check=True)
        making.rename(library)
    return library
