"""Tickets and rounds taken from another experiment: what cannot be, and what says nothing, is refused."""

import pytest

from lth_pipeline.experiments import CardError
from lth_pipeline_tests.experiments.test_no_effect_beyond_pruning import refused
from lth_pipeline_tests.experiments.writing import GOOD, changed, line_of, load, refusal

TAKING = "ticket_from: {experiment: mine, round: 2}\n"


@pytest.mark.parametrize(
    ("text", "setting", "remedy"),
    [
        pytest.param(
            "experiment: mina, round: 2", "experiment = 'mina'", "did you mean mine? There are: ", id="unknown"
        ),
        pytest.param("experiment: other, round: 2", "experiment = 'other'", "in a circle: other → other", id="itself"),
        pytest.param("experiment: mine, round: 0", "round = 0", "must be at least 1", id="the dense network"),
        pytest.param(
            "experiment: mine, round: 2, weights: both", "weights = 'both'", "'source', 'own' or 'trained'", id="both"
        ),
        pytest.param("experiment: mine, round: 200", "round = 200", "take an earlier round", id="of nothing"),
        pytest.param("experiment: mine, rund: 2", "rund = 2", "did you mean round?", id="unknown key"),
    ],
)
def test_a_ticket_that_cannot_be_taken(tmp_path, text, setting, remedy):
    with pytest.raises(CardError) as caught:
        load(tmp_path, mine=GOOD, other=GOOD + f"ticket_from: {{{text}}}\n")
    line = line_of(GOOD + "x", "x")
    (fault,) = (fault for fault in str(caught.value).splitlines() if setting in fault)
    assert fault.startswith(f"{tmp_path}/other.yaml, line {line}: ticket_from.{setting}: ") and remedy in fault


def test_tickets_do_not_go_in_a_circle(tmp_path):
    """Neither through one another nor through a branch."""
    cards = {
        "a": GOOD + "ticket_from: {experiment: b, round: 1}\n",
        "b": GOOD + "ticket_from: {experiment: c, round: 1}\n",
        "c": GOOD + "ticket_from: {experiment: a, round: 1}\n",
    }
    assert "ticket_from.experiment = 'b': the tickets go in a circle: a → b → c → a" in refusal(tmp_path, **cards)
    cards |= {"c": "branch_of: {experiment: a, round: 2}\nseed: 3\n"}
    assert "the tickets go in a circle: a → b → c → a" in refusal(tmp_path, **cards)


def test_a_ticket_for_a_network_that_shares_no_layer(tmp_path):
    other = changed("widths: [30, 10]", "widths: [20, 11]") + TAKING
    remedy = "mlp shares no layer of the same shape with mlp of mine; take a ticket of the same network"
    start = f"other.yaml, line {line_of(other, 'ticket_from')}: ticket_from.experiment = 'mine': "
    refused(tmp_path, start, remedy, mine=GOOD, other=other)
    one = changed("widths: [30, 10]", "widths: [20, 10]")  # the output fits
    assert load(tmp_path, mine=GOOD, other=one + TAKING)


@pytest.mark.parametrize("rewind", ["iteration: 5", "fraction: 0.5", "epoch: 1", "mode: fine_tuning"])
def test_a_taken_ticket_is_not_rewound_again(tmp_path, rewind):
    other = GOOD + TAKING + f"rewind: {{{rewind}}}\n"
    start = f"other.yaml, line {line_of(other, 'rewind')}: rewind = "
    refused(tmp_path, start, "has no effect: a ticket from elsewhere keeps the weights", mine=GOOD, other=other)
    assert load(tmp_path, mine=GOOD, other=other.replace("round: 2}", "round: 2, weights: own}"))


def test_the_mask_of_a_taken_ticket_is_not_looked_for_early(tmp_path):
    other = GOOD + TAKING + "find_early: true\n"
    start = f"other.yaml, line {line_of(other, 'find_early')}: find_early = True: "
    refused(tmp_path, start, "has no effect: the mask is taken from elsewhere", mine=GOOD, other=other)


@pytest.mark.parametrize(
    ("setting", "value"), [("criterion: movement", "'movement'"), ("mode: one_shot", "'one_shot'")]
)
def test_how_to_prune_says_nothing_where_the_only_round_is_taken(tmp_path, setting, value):
    other = changed("rounds: 3", f"rounds: 1\n  {setting}") + TAKING
    field = setting.partition(":")[0]
    start = f"other.yaml, line {line_of(other, setting)}: pruning.{field} = {value}: "
    refused(tmp_path, start, "has no effect: round 1, the only one, is the ticket", mine=GOOD, other=other)


BRANCH = "branch_of: {experiment: mine, round: 2}\n"


@pytest.mark.parametrize(
    ("mine", "text", "start"),
    [
        ("", "find_early: true", "find_early = True: has no effect: the dense training is taken over from mine"),
        (
            "find_early: true\nearly_bird: {checks: 2}\n",
            "early_bird: {checks: 3}",
            "early_bird = {'distance': 0.1, 'every': None, 'checks': 3}: has no effect: the dense training",
        ),
        (
            "",
            "pruning: {structure: units, output_rate: null}",
            "pruning.structure = 'units': must be that of the rounds of mine",
        ),
        ("", "rewind: {fraction: 0.5}\ntraining: {iterations: 600}", "rewind.fraction = 0.5: must be below the 300"),
        ("", "rewind: {epoch: 15}\ntraining: {iterations: 600}", "rewind.epoch = 15.0: must be below the 300"),
    ],
    ids=["find_early", "early_bird", "structure", "fraction", "epoch"],
)
def test_a_branch_cannot_change_what_it_takes_over(tmp_path, mine, text, start):
    said = refusal(tmp_path, mine=GOOD + mine, other=f"{BRANCH}{text}\n")
    assert said.startswith(f"{tmp_path}/other.yaml, line 2: {start}"), said


def test_a_branch_below_a_taken_ticket_cannot_take_another(tmp_path):
    cards = {"first": GOOD, "mine": GOOD + "ticket_from: {experiment: first, round: 2}\n"}
    said = refusal(tmp_path, **cards, other=BRANCH + "ticket_from: {experiment: first, round: 1}\n")
    assert f"{tmp_path}/other.yaml, line 2: ticket_from = " in said
    assert "has no effect: round 1, which a ticket from elsewhere is, is taken over from mine" in said
    cards["other"] = "branch_of: {experiment: mine, round: 1}\nticket_from: {experiment: first, round: 1}\n"
    assert load(tmp_path, **cards)["other"].ticket_from.round == 1


@pytest.mark.parametrize(
    ("text", "setting", "remedy"),
    [
        ("registry:digits@best/2", ".registry = 'digits@best/2'", "must be NAME@ALIAS or NAME/VERSION, such as"),
        ("registry:digits", ".registry = 'digits'", "must be NAME@ALIAS or NAME/VERSION"),
        ("registry:digits/best", ".registry = 'digits/best'", "must be NAME@ALIAS or NAME/VERSION"),
        ("registry:@best", ".registry = '@best'", "must be NAME@ALIAS or NAME/VERSION"),
        ("mine", " = 'mine'", "must be {experiment: …, round: …}, or registry: and NAME@ALIAS or NAME/VERSION"),
        ("{registry: digits@best, round: 2}", ".round = 2", "has no effect beside registry; leave one of them out"),
        ("{registry: digits@best, experiment: mine}", ".experiment = 'mine'", "has no effect beside registry"),
        ("{experiment: mine}", ".round", "is missing; name the experiment and the round, or with registry"),
        ("{weights: own}", ".experiment", "is missing; name the experiment and the round, or with registry"),
    ],
)
def test_what_names_neither_an_experiment_nor_a_published_ticket(tmp_path, text, setting, remedy):
    with pytest.raises(CardError) as caught:
        load(tmp_path, mine=GOOD, other=GOOD + f"ticket_from: {text}\n")
    line = f", line {line_of(GOOD + 'x', 'x')}" if text[0] != "{" or setting[-1:] in "2'" else ""
    assert str(caught.value).startswith(f"{tmp_path}/other.yaml{line}: ticket_from{setting}: {remedy}")


@pytest.mark.parametrize(
    "text", ["registry:digits@best", "registry:digits/12", "{registry: my models@v-1, weights: trained}"]
)
def test_a_published_ticket_is_not_looked_for_when_a_card_is_read(tmp_path, text):
    origin = load(tmp_path, mine=GOOD + f"ticket_from: {text}\n")["mine"].ticket_from
    assert origin.experiment is None and origin.registry in text


def test_trained_weights_are_not_rewound_and_fit_no_other_mask(tmp_path):
    tuned = GOOD + TAKING.replace("}", ", weights: trained}")
    said = "rewind = {'iteration': 5}: has no effect: a ticket from elsewhere keeps its trained weights"
    refused(tmp_path, "other.yaml", said, mine=GOOD, other=tuned + "rewind: {iteration: 5}\n")
    other = tuned.replace("arms: [ticket", "arms: [ticket, shuffled_mask")
    said = "cannot have shuffled_mask with ticket_from.weights: trained: these weights are zero wherever"
    refused(tmp_path, f"other.yaml, line {line_of(other, 'arms')}: arms = ", said, mine=GOOD, other=other)
