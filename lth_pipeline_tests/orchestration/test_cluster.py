"""What engines read of a card's resources, held to their own readers where those are installed; runs that they lost."""

import json
from types import SimpleNamespace

import pytest
from dagster import DagsterInstance, DagsterRunStatus, job
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

from lth_pipeline.orchestration.cluster import KUBERNETES_TAG, RAY_TAG, close_lost_runs, run_tags
from lth_pipeline_tests.places import PROJECT


def asked(gpus=None, cpus=None, memory_gb=None):
    return SimpleNamespace(gpus=gpus, cpus=cpus, memory_gb=memory_gb)


def test_what_is_not_asked_for_is_not_said():
    assert run_tags(None) == run_tags(asked()) == {}
    assert json.loads(run_tags(asked(cpus=2))[RAY_TAG]) == {"num_cpus": 2}


def test_ray_is_asked_for_bytes():
    tags = run_tags(asked(gpus=2, cpus=0.5, memory_gb=1.5))
    assert json.loads(tags[RAY_TAG]) == {"num_gpus": 2, "num_cpus": 0.5, "memory": 3 * 2**29}


def test_kubernetes_is_asked_in_its_own_units():
    read = json.loads(run_tags(asked(gpus=1, cpus=0.25, memory_gb=4))[KUBERNETES_TAG])
    found = read["container_config"]["resources"]
    assert found["limits"] == {"memory": "4096Mi", "nvidia.com/gpu": "1"}
    assert found["requests"] == {"cpu": "250m", **found["limits"]}
    assert "nvidia.com/gpu" not in run_tags(asked(gpus=0, cpus=1))[KUBERNETES_TAG]


def test_rays_own_reader_takes_them():
    launcher = pytest.importorskip("dagster_ray.core.run_launcher", reason="the extra `ray` is not installed")
    read = launcher.RayLauncherConfig.from_tags(run_tags(asked(gpus=2, cpus=8, memory_gb=4)))
    assert (read.num_gpus, read.num_cpus, read.memory) == (2, 8, 2**32)


def test_kubernetes_own_reader_takes_them():
    reader = pytest.importorskip("dagster_k8s.job", reason="dagster-k8s is not installed")
    read = reader.get_user_defined_k8s_config(run_tags(asked(gpus=2, cpus=8, memory_gb=4)))
    assert read.container_config["resources"]["limits"] == {"memory": "4096Mi", "nvidia.com/gpu": "2"}


@pytest.mark.parametrize(
    ("health", "ends"),
    [
        (CheckRunHealthResult(WorkerStatus.FAILED, "its node has died"), "FAILURE"),
        (CheckRunHealthResult(WorkerStatus.UNKNOWN, "Job dagster-run-1 does not exist."), "FAILURE"),
        (CheckRunHealthResult(WorkerStatus.UNKNOWN, "Connection refused"), "STARTING"),
        (CheckRunHealthResult(WorkerStatus.RUNNING), "STARTING"),
        (ConnectionError("nobody listens"), "STARTING"),
    ],
)
def test_a_run_that_was_lost_before_it_began_is_given_up(monkeypatch, health, ends):
    """Waiting, and an engine that cannot be reached, are no reason."""
    with DagsterInstance.local_temp() as instance:
        launcher = type(instance.run_launcher)
        monkeypatch.setattr(launcher, "supports_check_run_worker_health", True)

        def check(launcher, run):
            if isinstance(health, Exception):
                raise health
            return health

        monkeypatch.setattr(launcher, "check_run_worker_health", check)
        run = instance.create_run_for_job(job(name="any")(lambda: None), status=DagsterRunStatus.STARTING)
        assert close_lost_runs(instance) == []  # it was handed over just now
        assert close_lost_runs(instance, seconds=0) == ([run.run_id] if ends == "FAILURE" else [])
        assert instance.get_run_by_id(run.run_id).status.value == ends


def test_settings_for_an_engine_that_is_not_named_here_hold_nothing_up(place):
    """Only `lth ui`, whose daemon hands the runs over, needs to know where it is."""
    settings = place.folder / ".lth" / "dagster" / "dagster.yaml"
    launcher = PROJECT.joinpath("deploy", "ray", "dagster.yaml").read_text()  # wants LTH_RAY_ADDRESS, and dagster-ray
    settings.write_text(launcher)
    assert "small" in place.here("status").stdout
    assert "Queued as backfill" in place.here("run", "small", "--queue").stdout
    done = place.here("ui", check=False)
    assert done.returncode == 2 and "dagster.yaml: its run_launcher cannot be used here: " in done.stderr
    assert "LTH_RAY_ADDRESS must be set" in done.stderr or "module dagster_ray" in done.stderr
    with DagsterInstance.from_config(str(settings.parent)) as instance:
        (limit,) = instance.event_log_storage.get_pool_limits()
    assert limit.limit == 1000, "this machine's devices say nothing of others"
