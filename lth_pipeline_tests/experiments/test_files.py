"""The files that cards are: what is refused before any setting is looked at."""

import pytest

from lth_pipeline.experiments import CardError
from lth_pipeline.experiments.yaml_lines import MAX_BYTES
from lth_pipeline.recipes import load_cards
from lth_pipeline_tests.experiments.writing import GOOD, changed, line_of, load, refusal


def test_yml_is_yaml_too(tmp_path):
    (tmp_path / "mine.yml").write_text(GOOD)
    assert "mine" in load_cards([tmp_path])


def test_other_files_are_no_cards(tmp_path):
    for name in ("notes.txt", "README", "mine.yaml.bak"):
        (tmp_path / name).write_text("not a card")
    assert load_cards([tmp_path]) == load_cards([])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(changed("{fc: 0.2}", "{fc: 0.2"), "not readable as YAML", id="bracket left open"),
        pytest.param(changed("  name: mlp", "\tname: mlp"), "line 6: not readable as YAML", id="tab"),
        pytest.param(GOOD + "---\n" + GOOD, "not readable as YAML: but found another document", id="two cards"),
        pytest.param(changed("[30,", "[!!python/object:os.system x,"), "line 7: not readable as YAML", id="object"),
        pytest.param(changed("[30,", "[2001-99-99,"), "not readable as YAML: month must be in", id="no such day"),
        pytest.param("a: " + "[" * 30000, "is nested more than 20 deep", id="nested too deeply"),
        pytest.param("", "a card is a mapping of settings", id="empty"),
        pytest.param("# only a comment\n", "a card is a mapping of settings", id="comment"),
        pytest.param("- data\n- model\n", "a card is a mapping of settings", id="list"),
        pytest.param("digits", "a card is a mapping of settings", id="one word"),
        pytest.param(changed("data:", "data: &d") + "copy: *d\n", "aliases", id="alias"),
        pytest.param(GOOD + "#" * MAX_BYTES, f"more than {MAX_BYTES:,} bytes", id="too large"),
        pytest.param(GOOD.encode() + b"# \xff\n", f"not UTF-8 text (byte {len(GOOD) + 2})", id="not UTF-8"),
        pytest.param(GOOD.encode("utf-16"), "not UTF-8 text (byte 0)", id="UTF-16"),
        pytest.param(GOOD + "1: 2\n", f"line {line_of(GOOD, 'replicates') + 1}: 1", id="key no text"),
    ],
)
def test_what_is_not_a_card_is_refused_by_name(tmp_path, text, complaint):
    message = refusal(tmp_path, mine=text)
    assert message.startswith(str(tmp_path / "mine.yaml"))
    assert complaint in message


@pytest.mark.parametrize(
    "value",
    ["!!timestamp noon", "!!bool maybe", "!!int ''", "!!float ''", "0x1" + "0" * 5000],
    ids=lambda value: value[:20],
)
@pytest.mark.parametrize("setting", ["learning_rate: 1.2e-3", "description: a card that is right"])
def test_values_that_the_yaml_reader_trips_over(tmp_path, setting, value):
    """PyYAML raises AttributeError, KeyError and IndexError here; a long number cannot even be printed."""
    key = setting.split(":")[0]
    message = refusal(tmp_path, mine=changed(setting, f"{key}: {value}"))
    assert message.startswith(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize("name", ["Big", "9lives", "with-dash", "with space", "a.b", "é", "x" * 64])
def test_a_files_name_must_be_one_for_an_experiment(tmp_path, name):
    message = refusal(tmp_path, **{name: GOOD})
    assert message.startswith(str(tmp_path / f"{name}.yaml"))
    assert f"{name}.yaml" in message.split(": ", 1)[1]
    assert "must be lower-case letters, digits and _" in message


def test_the_longest_name_is_good(tmp_path):
    assert "x" * 63 in load(tmp_path, **{"x" * 63: GOOD})


def test_a_built_in_cards_name_is_taken(tmp_path):
    message = refusal(tmp_path, digits=GOOD)
    assert message.startswith(str(tmp_path / "digits.yaml"))
    assert "an experiment 'digits' is there already" in message
    assert message.endswith("rename this file")


def test_one_name_cannot_stand_in_two_folders(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        (folder / "mine.yaml").write_text(GOOD)
    with pytest.raises(CardError, match=r"b/mine\.yaml: .*is there already, in .*a/mine\.yaml"):
        load_cards(folders)


def test_a_card_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "mine.yaml").mkdir()
    with pytest.raises(CardError, match=r"mine\.yaml: cannot be read"):
        load_cards([tmp_path])
