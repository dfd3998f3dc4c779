"""The manifests for Kubernetes and the scripts for SLURM, held to the tools that read them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lth_pipeline import home
from lth_pipeline_tests.places import PROJECT

FOLDER = PROJECT / "deploy" / "kubernetes"
VERSIONS = ("1.30", "1.37")
#: set where a node's `ray start` is run: it may hold a password, or is about that node
OF_A_NODE = {"LTH_DAGSTER_DATABASE", "LTH_DEVICE", "LTH_DEVICES_DIR"}
MANIFESTS = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")


def objects() -> list[dict]:
    return [found for path in MANIFESTS for found in yaml.safe_load_all(path.read_text())]


def pods() -> dict[str, dict]:
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in objects()
        if "template" in one.get("spec", {})
    }


@pytest.mark.servers
@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid_to_kubernetes_own_schemas(version):
    checker = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for found in objects():
        checker.validate(found, version, strict=True)


@pytest.mark.servers
def test_kubectl_puts_them_together():
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    built = subprocess.run(["kubectl", "kustomize", FOLDER], check=True, capture_output=True, text=True).stdout
    found = list(yaml.safe_load_all(built))
    assert {one["metadata"].get("namespace") for one in found if one["kind"] != "Namespace"} == {"lth"}
    (image,) = {image for image in re.findall(r"image: (\S+)", built) if "lth" in image}
    assert re.fullmatch(r"registry\.example\.org/lth:\d+\.\d+\.\d+", image)
    assert not [one for one in found if one["kind"] == "Secret"]


def test_no_pod_may_do_more_than_it_needs():
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"], name
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"], name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert "memory" in container["resources"]["limits"], name


def test_all_that_pods_refer_to_is_there():
    found = objects()
    named = {(one["kind"], one["metadata"]["name"]): one for one in found}
    for pod in pods().values():
        volumes = {volume["name"] for volume in pod["volumes"]} | {"data"}
        for volume in pod["volumes"]:
            assert "configMap" not in volume or ("ConfigMap", volume["configMap"]["name"]) in named
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            for source in container.get("envFrom", ()):
                assert ("ConfigMap", source["configMapRef"]["name"]) in named
            for variable in container.get("env", ()):
                if secret := variable.get("valueFrom", {}).get("secretKeyRef"):
                    assert secret["key"] in named["Secret", secret["name"]]["stringData"]


def test_no_secret_stands_in_them():
    (secret,) = [one for one in objects() if one["kind"] == "Secret"]
    assert set(secret["stringData"].values()) == {""}


def test_the_settings_for_ray_differ_in_what_they_must_alone():
    given = yaml.safe_load((PROJECT / "deploy" / "ray" / "dagster.yaml").read_text())
    own = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    ray = given.pop("run_launcher")["config"]["ray"]
    assert ray["num_cpus"] == 1  # else Ray puts it on the head
    known = set(re.findall(r'"((?:LTH|DAGSTER|MLFLOW)_[A-Z_]+)"', Path(home.__file__).read_text()))
    assert {name for name in ray["env_vars"] if "=" not in name} == known - OF_A_NODE
    assert given["run_retries"] == own["run_retries"]
    assert given.keys() == own.keys()


@pytest.mark.parametrize("script", ["lth.sbatch", "array.sbatch"])
def test_bash_can_read_the_scripts(script):
    subprocess.run(["bash", "-n", PROJECT / "deploy" / "slurm" / script], check=True)
