"""The model registry: what a name means there, and the file of a version."""

import pytest

from lth_pipeline.tracking import registered
from lth_pipeline.tracking.patience import Away
from lth_pipeline.tracking.registered import (
    NotRegisteredError,
    Version,
    fetch_file,
    resolve,
    set_tag,
    version_url,
)
from lth_pipeline.tracking.tracker import Tracker, open_tracker
from lth_pipeline_tests.places import free_port
from lth_pipeline_tests.publishing import register


@pytest.fixture
def tracker(place) -> Tracker:
    folder = place.folder / "mlflow"
    return open_tracker(f"sqlite:///{folder}/mlflow.db", folder, "http://127.0.0.1:5000")


def test_an_alias_and_a_number_name_a_version_and_its_file(tracker, tmp_path):
    first = register(tracker.client, "my tickets", b"first", "best")
    second = register(tracker.client, "my tickets", b"second", "newest")
    by_alias, by_number = resolve(tracker, "my tickets", "best"), resolve(tracker, "my tickets", version="2")
    assert by_alias == Version("my tickets", "1", first.run_id, {})
    assert by_number == resolve(tracker, "my tickets", "newest") == Version("my tickets", "2", second.run_id, {})
    assert fetch_file(tracker, by_number.run_id, "ticket.safetensors", tmp_path).read_bytes() == b"second"
    set_tag(tracker, by_alias, "lth.ticket_taken_by.mine", "yes")
    assert resolve(tracker, "my tickets", "best").tags == {"lth.ticket_taken_by.mine": "yes"}
    tracker.client.delete_model_version("my tickets", "1")
    set_tag(tracker, by_alias, "lth.ticket_taken_by.mine", "of a version that is gone by now")
    assert (
        version_url(tracker.ui, "my tickets", "2")
        == "http://127.0.0.1:5000/#/models/my%20tickets/versions/2?workflowType=machine_learning"
    )


def test_what_is_not_there_is_told_with_what_is(tracker, tmp_path, monkeypatch):
    with pytest.raises(NotRegisteredError, match=r"no model 'found' in the registry sqlite:.*; there are: none"):
        resolve(tracker, "found", "best")
    version = register(tracker.client, "found", b"a file", "best", "other.txt")
    for asked, said in (
        (("fund", "best", ""), "no model 'fund' in the registry sqlite:.*; there are: found"),
        (("found", "worst", ""), r"model 'found' has no alias 'worst'; there are: best \(version 1\)"),
        (("found", "", "7"), "model 'found' has no version 7; there are: 1"),
    ):
        with pytest.raises(NotRegisteredError, match=said):
            resolve(tracker, *asked)
    with pytest.raises(NotRegisteredError, match=f"{version.run_id} has no file 'ticket.safetensors'.*: other.txt"):
        fetch_file(tracker, version.run_id, "ticket.safetensors", tmp_path)
    monkeypatch.setattr(registered, "MOST_BYTES", 5)
    with pytest.raises(NotRegisteredError, match=r"its file 'other\.txt' has 6 bytes; at most 5 are fetched"):
        fetch_file(tracker, version.run_id, "other.txt", tmp_path)
    tracker.client.create_model_version("found", "/tmp/anywhere")
    with pytest.raises(NotRegisteredError, match="version 2 of model 'found' names no run"):
        resolve(tracker, "found", version="2")
    with pytest.raises(NotRegisteredError, match=f"MLflow run {'0' * 32} is gone"):
        fetch_file(tracker, "0" * 32, "ticket.safetensors", tmp_path)


def test_a_server_that_is_away_is_away(tmp_path):
    with pytest.raises(Away, match="does not answer"):
        resolve(open_tracker(f"http://127.0.0.1:{free_port()}", tmp_path, ""), "found", "best")
