"""`lth ui` with its daemon, left to itself: the schedule, the sensor and the automation bring everything up to date."""

import signal
import time

import pytest

from lth_pipeline_tests.commands.test_ui import ask, launch
from lth_pipeline_tests.places import SMALL_CARD, Place, free_port

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

SHORT = SMALL_CARD.replace("rounds: 2", "rounds: 1").replace("replicates: 2", "replicates: 1")
LOCATION = {"repositoryLocationName": "lth_pipeline", "repositoryName": "__repository__"}
START_SCHEDULE = "mutation($s: ScheduleSelector!) { startSchedule(scheduleSelector: $s) { __typename } }"
START_SENSOR = "mutation($s: SensorSelector!) { startSensor(sensorSelector: $s) { __typename } }"
AUTOMATIONS = """
query($s: RepositorySelector!) {
  repositoryOrError(repositorySelector: $s) {
    ... on Repository {
      schedules { name scheduleState { status ticks(limit: 20) { status runIds skipReason } } }
      sensors { name sensorState { status ticks(limit: 20) { status runIds skipReason error { message } } } }
    }
  }
}"""
RUNS = """
query($f: RunsFilter!) {
  runsOrError(filter: $f) { ... on Runs { results { runId status tags { key value } } } }
}"""

STOP_SENSOR = "mutation($id: String!) { stopSensor(id: $id) { __typename } }"
FOLLOWING = {"lth/started_by": "automation follow_changes"}
SENSOR = "query($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor { sensorState { id } } } }"


@pytest.fixture(scope="module")
def unattended(tmp_path_factory):
    """(place, Dagster's address): `lth ui` with a card that is scheduled, every minute, and all automation on."""
    place = Place(tmp_path_factory.mktemp("unattended"))
    place.card("every_night", SHORT + "scheduled: true\n")
    place.card("followed", SHORT)
    place.lth("run", "followed")
    dagster = free_port()
    process = place.start(
        "ui", "--dagster-port", str(dagster), "--mlflow-port", str(free_port()), LTH_NIGHTLY="* * * * *"
    )
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read() + place.logs()
        said += line
    address = f"http://127.0.0.1:{dagster}"
    states = {name: status for name, (status, _) in ticks(address).items()}
    assert states.pop("gather_queued") == "RUNNING" and set(states.values()) == {"STOPPED"}, "off until switched on"
    ask(address, START_SCHEDULE, s={**LOCATION, "scheduleName": "nightly"})
    for name in ("new_cards", "follow_changes"):
        ask(address, START_SENSOR, s={**LOCATION, "sensorName": name})
    yield place, address
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def ticks(dagster: str) -> dict[str, tuple[str, list[dict]]]:
    """{schedule or sensor: (status, its last ticks)}, as the Automation page has them."""
    shown = ask(dagster, AUTOMATIONS, s=LOCATION)["repositoryOrError"]
    states = [(entry["name"], entry["scheduleState"]) for entry in shown["schedules"]]
    states += [(entry["name"], entry["sensorState"]) for entry in shown["sensors"]]
    return {name: (state["status"], state["ticks"]) for name, state in states}


def runs(dagster: str, **tags: str) -> list[dict]:
    """Runs with these tags, the latest first, each with its tags as a mapping."""
    wanted = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
    found = ask(dagster, RUNS, f=wanted)["runsOrError"]["results"]
    return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]


def sensor_id(dagster: str, name: str) -> str:
    return ask(dagster, SENSOR, s={**LOCATION, "sensorName": name})["sensorOrError"]["sensorState"]["id"]


def until(place: Place, condition, seconds: float = 300):
    """What `condition` gives once it gives something."""
    ends = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends, place.logs()
        time.sleep(1)
    return found


def done(dagster: str, **tags: str):
    """The runs with these tags, once one of them has succeeded."""
    found = runs(dagster, **tags)
    return found if any(run["status"] == "SUCCESS" for run in found) else None


def test_what_is_scheduled_is_brought_up_to_date(unattended):
    place, dagster = unattended
    gathered = until(place, lambda: done(dagster, **{"dagster/partition": "every_night"}))
    # a schedule of every minute may see that results are missing before the sensor does
    assert gathered[0]["tags"]["lth/started_by"] in ("sensor gather_queued", "schedule nightly")
    (trained,) = runs(dagster, **{"dagster/partition": "every_night|0"})
    assert trained["status"] == "SUCCESS" and trained["tags"]["lth/started_by"] == "schedule nightly"
    assert trained["tags"]["lth/why"] == "1 replicate: 7 missing"
    assert (place.folder / "reports" / "every_night" / "results.csv").is_file()
    started = [tick for tick in ticks(dagster)["nightly"][1] if tick["runIds"]]
    assert started and started[-1]["status"] == "SUCCESS"
    again = until(place, lambda: [run for run in runs(dagster, **{"dagster/schedule_name": "nightly"})][1:])
    until(place, lambda: all(run["status"] == "SUCCESS" for run in again))
    assert len(runs(dagster, **{"dagster/partition": "every_night|0"})) == 1, "up to date: not run again"


def test_a_new_card_is_picked_up(unattended):
    place, dagster = unattended
    until(place, lambda: ticks(dagster)["new_cards"][1])
    place.card("fresh", SHORT)
    gathered = until(place, lambda: done(dagster, **{"dagster/partition": "fresh"}))
    assert gathered[0]["tags"]["lth/started_by"] == "sensor gather_queued"
    (trained,) = runs(dagster, **{"dagster/partition": "fresh|0"})
    assert trained["tags"]["lth/started_by"] == "sensor new_cards"
    (asked,) = runs(dagster, **{"dagster/sensor_name": "new_cards"})
    assert asked["tags"]["lth/why"].startswith("new card fresh: 1 replicate, rounds 0 to 1")


def test_what_lies_below_a_recomputed_round_follows(unattended):
    """A card has changed; its dense training alone is made anew from its page."""
    place, dagster = unattended
    until(place, lambda: ticks(dagster)["follow_changes"][1])
    ask(dagster, STOP_SENSOR, id=sensor_id(dagster, "new_cards"))
    place.card("followed", SHORT.replace("2e-3", "3e-3"))
    time.sleep(15)  # the location is loaded anew
    launch(dagster, "followed", 0, ["r00_trained"], {})
    (below,) = until(place, lambda: done(dagster, **{"dagster/partition": "followed|0", **FOLLOWING}))
    assert below["tags"]["lth/why"] == "something above has other content now"
    until(place, lambda: place.lth("status", "followed", "--stale").stdout == "Nothing is stale.\n")
    gathered = runs(dagster, **{"dagster/partition": "followed", **FOLLOWING})
    assert 1 <= len(gathered) <= 3, "once, after the rounds: the results, then what is made of them, then the page"
