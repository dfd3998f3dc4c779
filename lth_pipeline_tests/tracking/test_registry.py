"""Versions of registered models, made by hand in a real store: whole, once, and whenever a process was killed."""

from pathlib import Path

import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from lth_pipeline.processes import process_mark
from lth_pipeline.tracking import registry
from lth_pipeline.tracking.abandoned import close_abandoned
from lth_pipeline.tracking.garbage import removable
from lth_pipeline.tracking.registry import Publication, check_names, find_version, register, versions
from lth_pipeline.tracking.tracker import TrackingError, open_tracker

DEAD = process_mark().rpartition(".")[0] + ".1"  # a process with this number, but started at another time
CHANGES = (
    *("create_experiment", "create_run", "log_artifacts", "create_registered_model", "create_model_version"),
    *("set_terminated", "set_tag"),
)


class Killed(BaseException):
    pass


@pytest.fixture
def tracker(tmp_path, furnished):
    folder = furnished(tmp_path).folder / "mlflow"
    return open_tracker(f"sqlite:///{folder}/mlflow.db", folder, "http://ui")


def network() -> bytes:
    """Ten sums of the pixels of an image of 2 × 2."""
    from onnx import TensorProto, helper, numpy_helper

    sides = [("image", ["batch", 1, 2, 2]), ("logits", ["batch", 10])]
    (image, logits) = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in sides)
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weight"], ["logits"]),
    ]
    weight = numpy_helper.from_array(np.ones((4, 10), np.float32), "weight")
    graph = helper.make_graph(nodes, "sums", [image], [logits], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def publication(data_version: str = "a" * 64, **changes) -> Publication:
    given = {
        "model": "sums",
        "about": "what it is",
        "note": "which it is",
        "experiment": "small",
        "described": "the experiment",
        "title": "published",
        "onnx": network(),
        "examples": np.zeros((2, 1, 2, 2), np.float32),
        "classes": 10,
        "files": {"MODEL_CARD.md": b"# sums"},
        "tags": {"lth.data_version": data_version, "lth.form": "compact"},
        "said": {"lth.round": "1"},
    }
    return Publication(**given | changes)


def test_a_version_has_what_was_said_of_it_and_its_run_the_files(tracker):
    made = register(tracker, publication())
    assert made.is_new and not register(tracker, publication()).is_new
    (version,) = versions(tracker, "sums")
    assert version.tags["lth.form"] == "compact" and version.description.startswith("which it is\n\n[The run")
    assert made.run_id in version.description
    run = tracker.client.get_run(made.run_id)
    assert run.info.status == "FINISHED" and run.data.tags["lth.status"] == "current"
    assert {file.path for file in tracker.client.list_artifacts(made.run_id)} == {"MODEL_CARD.md", "model"}
    assert tracker.client.get_registered_model("sums").description == "what it is"


def test_published_again_it_has_what_is_said_now_and_is_what_it_was(tracker):
    """By another rule, with another margin, and once the run of its training is known."""
    said = {"lth.chosen_by": "the rule", "lth.margin": "0.01"}
    first = publication()
    made = register(tracker, publication(tags={**first.tags, **said}, files={**first.files, "a.bin": b"what it is"}))
    by, trained = {"lth.chosen_by": "a person"}, {"lth.trained_in_run": "1" * 32}
    again = publication(
        note="which it is now",
        about="what it is now",
        tags={**first.tags, **said, **by, **trained},
        said={"lth.round": "1", **trained},
        files={"MODEL_CARD.md": "# sums, mühelos".encode(), "a.bin": b"other"},
    )
    assert register(tracker, again) == made._replace(is_new=False)
    (version,) = versions(tracker, "sums")
    assert version.tags == again.tags and version.description.startswith("which it is now\n\n[The run")
    run = tracker.client.get_run(made.run_id)
    assert run.data.tags["lth.trained_in_run"] == "1" * 32 and run.data.tags["lth.status"] == "current"
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    assert (folder / "MODEL_CARD.md").read_bytes() == again.files["MODEL_CARD.md"]
    assert (folder / "a.bin").read_bytes() == b"what it is"
    assert tracker.client.get_registered_model("sums").description == "what it is now"


@pytest.mark.parametrize("while_removing", [False, True])
def test_the_registry_is_that_of_the_tracking_store_whatever_mlflow_is_told(
    furnished, tmp_path, monkeypatch, while_removing
):
    """Else what was published under MLFLOW_REGISTRY_URI would be garbage without it, and the other way round."""
    folder = furnished(tmp_path).folder / "mlflow"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"sqlite:///{tmp_path}/elsewhere.db")
    if while_removing:
        monkeypatch.delenv("MLFLOW_REGISTRY_URI")
    there = open_tracker(f"sqlite:///{folder}/mlflow.db", folder, "http://ui")
    made = register(there, publication())
    if while_removing:
        monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"sqlite:///{tmp_path}/elsewhere.db")
    else:
        monkeypatch.delenv("MLFLOW_REGISTRY_URI")
    tracker = open_tracker(f"sqlite:///{folder}/mlflow.db", folder, "http://ui")
    assert [version.run_id for version in versions(tracker, "sums")] == [made.run_id]
    assert not removable(tracker, lambda run: False).remove and not Path(tmp_path, "elsewhere.db").exists()


def test_where_the_registry_does_not_say_nothing_is_garbage(tracker, monkeypatch):
    register(tracker, publication())
    client = tracker.client

    class WithoutARegistry:
        def __getattr__(self, name):
            return refuse if "model_version" in name else getattr(client, name)

    def refuse(*args, **options):
        raise MlflowException("there is no registry here")

    monkeypatch.setattr(tracker, "client", WithoutARegistry())
    with pytest.raises(TrackingError, match="cannot be read: there is no registry here"):
        removable(tracker, lambda run: False)


def test_another_ticket_is_another_version_and_the_description_follows_the_card(tracker):
    first, second = register(tracker, publication()), register(tracker, publication("b" * 64, about="what it is now"))
    assert (first.number, second.number) == ("1", "2")
    assert tracker.client.get_registered_model("sums").description == "what it is now"
    assert register(tracker, publication()).number == "1"


def test_one_whose_run_was_deleted_is_registered_anew(tracker):
    tracker.client.delete_run(register(tracker, publication()).run_id)
    assert find_version(tracker, "sums", {}) is None
    assert register(tracker, publication()).number == "2"


def test_whenever_it_is_cut_short_the_next_one_leaves_one_whole_version(tracker, monkeypatch):
    """And nothing else that is not garbage."""
    calls, going = 0, True
    while going:
        name = f"sums_{calls}"
        own = publication(model=name, experiment=name)
        going = killed_after(tracker, monkeypatch, calls, lambda own=own: register(tracker, own))
        close_abandoned(tracker, [name])
        made = register(tracker, own)
        assert [version.version for version in versions(tracker, name)] == [1]
        runs = tracker.client.search_runs([tracker.known(name)])
        (current,) = [run.info.run_id for run in runs if run.data.tags["lth.status"] == "current"]
        assert current == made.run_id == versions(tracker, name)[0].run_id
        left = {run.info.run_id for run in runs} - {current}
        assert left == {run.id for run in removable(tracker, lambda run: False, only=[name]).remove}
        calls += 1
    assert calls > len(CHANGES)


def killed_after(tracker, monkeypatch, calls: int, act) -> bool:
    """Do `act` as a process that is killed after so many changes; whether that came before its end."""
    left, client = [calls], tracker.client

    class Dying:
        def __getattr__(self, name):
            found = getattr(client, name)
            if name not in CHANGES:
                return found

            def change(*args, **options):
                if not left[0]:
                    raise Killed
                left[0] -= 1
                return found(*args, **options)

            return change

    with monkeypatch.context() as patch:
        patch.setattr(tracker, "client", Dying())
        patch.setattr(registry, "whose", lambda: {"lth.process": DEAD})
        try:
            act()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("alias", ["v3", "latest", "a b", ""])
def test_what_is_no_alias_is_refused(alias):
    with pytest.raises(TrackingError, match="is no name for an alias"):
        check_names("sums", [alias])


@pytest.mark.parametrize("model", ["a/b", "a:b", " ", "it's", 'say "it"', "a\\", "a@b", "a\nb", "a" * 257])
def test_what_is_no_name_of_a_model_is_refused(model):
    with pytest.raises(TrackingError, match="is no name for a registered model"):
        check_names(model, [])


def test_what_may_be_a_name():
    check_names("Größe & Zahl, 3 %", ["prod-2_b"])
    check_names("a" * 256, [])
