"""Which database Dagster is told to use, by one variable; and what is said where that cannot be."""

import importlib.util

import pytest
import yaml

from lth_pipeline.home import HomeError, find_home
from lth_pipeline.orchestration import database
from lth_pipeline.orchestration.instance import InstanceError, prepare

ADDRESS = "postgresql+psycopg2://ada:s%40cret@127.0.0.1:1/dagster"
OWN = "storage:\n  sqlite:\n    base_dir: elsewhere\n"
SAME = "storage:\n  postgres:\n    postgres_url: {env: LTH_DAGSTER_DATABASE}\n"


@pytest.fixture
def settings(inside, monkeypatch):
    """The file dagster.yaml of a home; no database is asked."""
    monkeypatch.delenv("LTH_DAGSTER_DATABASE", raising=False)
    monkeypatch.setattr("lth_pipeline.orchestration.instance.try_database", lambda home: None)
    return inside.folder / ".lth" / "dagster" / "dagster.yaml"


def test_the_variable_puts_a_block_into_dagsters_settings_and_takes_it_away(settings, monkeypatch):
    before = settings.read_text()
    monkeypatch.setenv("LTH_DAGSTER_DATABASE", ADDRESS)
    for _ in range(2):
        prepare(find_home())
        text = settings.read_text()
        assert yaml.safe_load(text)["storage"] == database.STORAGE
        assert text.startswith(before) and text.count("storage:") == 1 and "cret" not in text
    monkeypatch.delenv("LTH_DAGSTER_DATABASE")
    prepare(find_home())
    assert settings.read_text() == before


def test_a_storage_of_ones_own_stays(settings, monkeypatch):
    for own in (OWN, SAME):
        settings.write_text(own)
        prepare(find_home())
        assert settings.read_text() == own
    monkeypatch.setenv("LTH_DAGSTER_DATABASE", ADDRESS)
    prepare(find_home())
    assert settings.read_text() == SAME
    settings.write_text(OWN)
    with pytest.raises(InstanceError, match=r"dagster.yaml: has its own storage, and LTH_DAGSTER_DATABASE"):
        prepare(find_home())
    assert settings.read_text() == OWN


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ada:s3cret@host/dagster",
        "postgres://ada:s3cret@host/dagster",
        "postgresql+psycopg://ada:s3cret@host/dagster",
        "postgresql+psycopg2://ada:s3@cret@host/dagster",
        "postgresql+psycopg2://ada:s3/cret@host/dagster",
        "postgresql+psycopg2://ada:s3cret@host",
        "sqlite:///dagster.db",
    ],
)
def test_an_address_that_dagster_could_not_take_is_refused_without_showing_it(address, inside, monkeypatch):
    monkeypatch.setenv("LTH_DAGSTER_DATABASE", address)
    with pytest.raises(HomeError, match=r"^LTH_DAGSTER_DATABASE: must be postgresql\+psycopg2://") as refused:
        find_home()
    assert "cret" not in str(refused.value) and "ada" not in str(refused.value)


def test_a_password_does_not_stand_in_the_address_of_mlflow(inside, monkeypatch):
    for address, remedy in (
        ("https://ada:s3cret@mlflow.example.org", "MLFLOW_TRACKING_PASSWORD"),
        ("postgresql+psycopg://ada:s3cret@host/mlflow", "PGPASSFILE"),
    ):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(HomeError, match=remedy) as refused:
            find_home()
        assert "cret" not in str(refused.value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg://ada@host/mlflow")
    assert find_home().tracking_uri.endswith("ada@host/mlflow")


def test_what_is_not_installed_is_named(inside, monkeypatch):
    monkeypatch.setenv("LTH_DAGSTER_DATABASE", ADDRESS)
    there = importlib.util.find_spec
    monkeypatch.setattr(database, "find_spec", lambda name: None if name == "dagster_postgres" else there(name))
    done = inside.here("status", check=False, LTH_DAGSTER_DATABASE=ADDRESS)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("lth: LTH_DAGSTER_DATABASE: needs dagster-postgres") and "cret" not in done.stderr


def test_the_address_goes_on_to_other_processes_and_is_not_shown(inside, monkeypatch):
    from lth_pipeline.home import environment

    monkeypatch.setenv("LTH_DAGSTER_DATABASE", ADDRESS)
    home = find_home()
    assert environment(home)["LTH_DAGSTER_DATABASE"] == ADDRESS
    assert "cret" not in repr(home)


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("LTH_DAGSTER_DATABASE", "postgresql+psycopg2://ada@host/dagster?password=s3cret"),
        ("LTH_DAGSTER_DATABASE", "postgresql+psycopg2://ada@host/dagster?sslmode=require&sslpassword=s3cret"),
        ("MLFLOW_TRACKING_URI", "postgresql+psycopg://ada@host/mlflow?password=s3cret"),
    ],
)
def test_a_password_behind_the_question_mark_is_refused_without_showing_it(inside, monkeypatch, variable, address):
    monkeypatch.setenv(variable, address)
    with pytest.raises(HomeError, match=f"^{variable}: must hold no password") as refused:
        find_home()
    assert "cret" not in str(refused.value)
