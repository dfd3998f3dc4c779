"""What no source of ours may hold: whatever runs what it reads, or hands text to a shell. Found in the syntax tree."""

from __future__ import annotations

import ast

#: modules that run what is in a file when they load it
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
#: functions and classes, by their full names
NAMES = {
    *("torch.load", "torch.package.PackageImporter", "torch.hub.load", "pandas.read_pickle", "pandas.read_hdf"),
    *("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all"),
    *("yaml.Loader", "yaml.UnsafeLoader", "yaml.FullLoader", "yaml.CLoader", "yaml.CUnsafeLoader", "yaml.CFullLoader"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "tempfile.mktemp"),
    *("eval", "exec", "builtins.eval", "builtins.exec", "mlflow.pytorch.load_model", "mlflow.pyfunc.load_model"),
}
#: methods of archives: without filter="data" a member is written where its name says
UNPACKING = {"extract", "extractall", "unpack_archive"}


def violations(source: str) -> list[str]:
    """Each thing in the text `source` that is refused, as "line: what"."""
    tree = ast.parse(source)
    aliases, found = {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [(alias.name, alias.asname) for alias in node.names]
            for name, other in modules:
                aliases[other or name.split(".")[0]] = name if other else name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            modules = [(f"{node.module}.{alias.name}", alias.asname or alias.name) for alias in node.names]
            aliases |= {other: name for name, other in modules}
        else:
            continue
        found += [(node.lineno, f"import {name}") for name, _ in modules if MODULES & {name, name.split(".")[0]}]
        found += [(node.lineno, f"import {name}") for name, _ in modules if name in NAMES]
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and _full(node, aliases) in NAMES:
            found.append((node.lineno, _full(node, aliases)))
        elif isinstance(node, ast.Call):
            found += [(node.lineno, what) for what in _in_call(node)]
    return [f"{line}: {what}" for line, what in sorted(set(found))]


def _in_call(call: ast.Call) -> list[str]:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    wrong = [name for name in ("shell", "allow_pickle") if not _is(given.get(name), False)]
    found = [f"{name}={ast.unparse(given[name])}" for name in wrong]
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called in UNPACKING and ("filter" not in given or not _is(given["filter"], "data")):
        found.append(f'{called} without filter="data"')
    if called in ("import_module", "__import__") and call.args and isinstance(call.args[0], ast.Constant):
        name = str(call.args[0].value)
        found += [f"import {name}"] if name.split(".")[0] in MODULES else []
    return found


def _is(node: ast.expr | None, value: object) -> bool:
    """Whether an argument is left out, or is the constant `value`."""
    return node is None or (isinstance(node, ast.Constant) and type(node.value) is type(value) and node.value == value)


def _full(node: ast.expr, aliases: dict[str, str]) -> str:
    """The dotted name that `node` stands for, imports resolved; "" where it is none."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id, node.id)
    if isinstance(node, ast.Attribute) and (above := _full(node.value, aliases)):
        return f"{above}.{node.attr}"
    return ""
