"""One PostgreSQL and one MLflow server for all tests of this folder."""

from dataclasses import dataclass

import pytest

from lth_pipeline_tests.deploy.mlflow_server import SERVERS, MlflowServer, mlflow_server
from lth_pipeline_tests.deploy.postgres import Postgres, postgres_cluster
from lth_pipeline_tests.places import SMALL_CARD, Place

#: with all that an address has to encode
DAGSTER_PASSWORD, MLFLOW_PASSWORD = "p@ss/w:rd %41'#?", "MLflow's, in a file"


@dataclass(frozen=True)
class Deployment:
    """env: the variables that move a home to these servers, and nothing else."""

    postgres: Postgres
    mlflow: MlflowServer

    def env(self, database: str = "lth_dagster") -> dict[str, str]:
        return {"LTH_DAGSTER_DATABASE": self.postgres.address(database, DAGSTER_PASSWORD), **self.mlflow.login}


@pytest.fixture(scope="session")
def postgres():
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def deployment(postgres, tmp_path_factory):
    """The two databases of deploy/servers/databases.sql, and MLflow's server on the second."""
    postgres.psql("-f", str(SERVERS / "databases.sql"))
    postgres.password("lth_dagster", DAGSTER_PASSWORD)
    postgres.password("lth_mlflow", MLFLOW_PASSWORD)
    with mlflow_server(tmp_path_factory.mktemp("mlflow") / "server", postgres, MLFLOW_PASSWORD) as server:
        yield Deployment(postgres, server)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory) -> Place:
    """A home with SQLite and files, in which the card `small` was run, and a replicate and a round beyond it."""
    place = Place(tmp_path_factory.mktemp("embedded"))
    place.card("small", SMALL_CARD)
    place.lth("run", "small")
    place.lth("run", "small", "--replicates", "2", "--through", "3")
    return place
