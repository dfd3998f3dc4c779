"""Two `lth run` of one card at the same time: each training is made once, and MLflow has one current run of it."""

import subprocess
import sys

from mlflow import MlflowClient

CARD = """\
description: long enough for two runs to meet
based_on: digits
training: {iterations: 600}
pruning: {rounds: 1}
replicates: 1
"""


def test_the_second_finds_what_the_first_made(inside):
    inside.card("pair", CARD)
    command = [sys.executable, "-m", "lth_pipeline.cli", "run", "pair"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(printed)
    client = MlflowClient(tracking_uri=f"sqlite:///{inside.folder}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("pair").experiment_id
    for kind, count in (("round", 3), ("results", 1)):
        found = client.search_runs([experiment], f"tags.`lth.kind` = '{kind}' and tags.`lth.status` = 'current'")
        assert len(found) == count
    assert {run.info.status for run in client.search_runs([experiment], max_results=100)} == {"FINISHED"}
    assert not list((inside.store / "claims").iterdir())
