"""The house stands as it was drawn: imports run one way, and no folder at the root hides a package."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lth_pipeline
from lth_pipeline_tests.places import PROJECT

PACKAGE = Path(lth_pipeline.__file__).parent
#: part -> parts it may import. `files`, `home`, `processes` and `__init__` are leaves: any may use them, but lottery.
MAY_IMPORT = {
    "lottery": set(),
    "experiments": set(),
    "recipes": {"lottery", "experiments", "files", "processes"},
    "tracking": {"experiments", "files", "processes"},
    "reports": {"experiments"},
    "orchestration": {"recipes", "tracking", "reports", "lottery", "experiments", "files", "home", "processes"},
    "definitions": {"orchestration", "recipes", "home", "processes"},
    "servers": {"home", "recipes"},
    "commands": {
        *("orchestration", "recipes", "tracking", "reports", "lottery", "experiments", "servers", "files", "home"),
        "predicting",
    },
    "predicting": {"lottery", "experiments", "tracking", "home"},
    "cli": {"commands"},
    "files": set(),
    "home": set(),
    "processes": set(),
}
DAGSTER_AND_MLFLOW = {"dagster", "mlflow"}
NOT_HERE = {
    "lottery": DAGSTER_AND_MLFLOW,
    "experiments": DAGSTER_AND_MLFLOW,
    "recipes": DAGSTER_AND_MLFLOW,
    "reports": DAGSTER_AND_MLFLOW,
    "tracking": {"dagster"},
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    part = part_of(path)
    names = imports(path)
    ours = {name.split(".")[1] for name in names if name.startswith("lth_pipeline.") and name.count(".")}
    assert ours - {part, "__version__"} <= MAY_IMPORT[part]
    assert not {name.split(".")[0] for name in names} & NOT_HERE.get(part, set())


def test_the_check_of_imports_sees_a_wrong_one(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from lth_pipeline.recipes import Store\n    import dagster\n")
    assert {"lth_pipeline.recipes", "dagster"} <= imports(wrong)


def test_lottery_works_where_only_torch_and_numpy_are_installed():
    """A subprocess in which nothing else can be imported, standard library aside, trains and prunes a network."""
    program = """
import sys
import torch, numpy
# all that the project installs beside torch and numpy, but for what torch itself imports
blocked = {"dagster", "dagster_webserver", "mlflow", "pandas", "pydantic", "yaml", "safetensors", "sklearn",
           "scipy", "matplotlib", "click", "rich", "torchvision", "sqlalchemy", "PIL", "mnist1d",
           "lth_pipeline.experiments", "lth_pipeline.recipes"}
assert not blocked & set(sys.modules)
sys.modules.update(dict.fromkeys(blocked))  # None: cannot be imported
import pkgutil, importlib, lth_pipeline.lottery
for module in pkgutil.walk_packages(lth_pipeline.lottery.__path__, "lth_pipeline.lottery."):
    importlib.import_module(module.name)
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.data import Data, Part
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.pruning.prune import prune
from lth_pipeline.lottery.pruning.scores import scores
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.train import train
images = torch.randn(64, 1, 2, 2, generator=torch.Generator().manual_seed(0))
part = Part(images, (images.sum((1, 2, 3)) > 0).long())
model = build("mlp", (1, 2, 2), 2, widths=(8,), initialisation="glorot_normal")
weights = model.initialise(torch.Generator().manual_seed(1))
data = Data(part, part, part, (0.0,), (1.0,))
trained = train(model, weights, None, data, Schedule("adam", 1e-2, 8, 20, 10), lambda purpose, number: number)
mask = prune(masks.ones(model), lambda mask: scores("magnitude", mask, trained=trained.weights), {"fc1.weight": 16})
assert masks.counts(mask)["fc1.weight"] == 16
"""
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)


@pytest.mark.parametrize("how", [["-c"], ["-m", "pytest", "--co", "-q", "-p", "no:cacheprovider"]])
def test_the_folder_mlflow_does_not_hide_the_package(how, tmp_path):
    """`mlflow/` and `data/` lie at the root, from where everything is started."""
    assert not list((PROJECT / "mlflow").glob("*.py")) and not list((PROJECT / "data").glob("*.py"))
    program = "import mlflow; assert hasattr(mlflow, 'set_experiment'), mlflow.__path__"
    if how == ["-c"]:
        arguments = ["-c", program]
    else:
        (tmp_path / "test_it.py").write_text(f"def test_it():\n    {program}\n{program}\n")
        arguments = [*how, f"--rootdir={PROJECT}", str(tmp_path / "test_it.py")]
    subprocess.run([sys.executable, *arguments], cwd=PROJECT, check=True, capture_output=True)


def test_no_file_is_over_three_hundred_lines():
    long = {str(path): count for path in FILES if (count := len(path.read_text().splitlines())) > 300}
    assert not long


def test_the_style_holds():
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
