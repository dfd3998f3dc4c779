"""Branches: what they inherit, and which cannot be."""

import pytest

from lth_pipeline_tests.experiments.writing import GOOD, changed, load, refusal

BRANCH = "branch_of: {experiment: mine, round: 2}\n"


def test_a_branch_inherits_all_that_it_does_not_change(tmp_path):
    cards = load(tmp_path, mine=GOOD, other=BRANCH + "training: {learning_rate: 0.01}\npruning: {rounds: 2}\n")
    mine, other = cards["mine"], cards["other"]
    assert (other.branch_of.experiment, other.branch_of.round) == ("mine", 2)
    assert (other.training.learning_rate, other.pruning.rounds) == (0.01, 2)
    assert other.training.model_copy(update={"learning_rate": 1.2e-3}) == mine.training
    assert other.pruning.model_copy(update={"rounds": 3}) == mine.pruning
    same = ("data", "model", "rewind", "arms", "replicates", "seed")
    assert all(getattr(other, field) == getattr(mine, field) for field in same)
    assert (other.name, other.description) == ("other", "")


def test_a_branch_of_a_branch_inherits_from_both(tmp_path):
    """Whatever the order of the files: the child's stands first here."""
    cards = load(
        tmp_path,
        a_child="branch_of: {experiment: other, round: 3}\nseed: 5\n",
        mine=GOOD,
        other=BRANCH + "training: {learning_rate: 0.01}\n",
    )
    child = cards["a_child"]
    assert (child.training.learning_rate, child.training.batch_size, child.seed) == (0.01, 60, 5)
    assert (child.branch_of.experiment, child.branch_of.round) == ("other", 3)


def test_a_list_is_replaced_and_a_setting_can_be_emptied(tmp_path):
    sgd = changed("optimiser: adam", "optimiser: sgd\n  momentum: 0.9")
    adam = BRANCH + "training: {optimiser: adam, momentum: null}\narms: [ticket]\n"
    other = load(tmp_path, mine=sgd, other=adam)["other"]
    assert (other.training.optimiser, other.training.momentum, other.arms) == ("adam", None, ("ticket",))


SEED = "seed: 1\n"


@pytest.mark.parametrize(
    ("text", "start", "remedy"),
    [
        pytest.param(
            changed("mine", "mina", BRANCH) + SEED,
            ", line 1: branch_of.experiment = 'mina'",
            "did you mean mine?",
            id="of an unknown experiment",
        ),
        pytest.param(
            changed("mine", "other", BRANCH) + SEED,
            ", line 1: branch_of.experiment = 'other'",
            "form a circle",
            id="of itself",
        ),
        pytest.param(
            BRANCH,
            ", line 1: branch_of.experiment = 'mine'",
            "changes nothing; change a setting",
            id="of nothing",
        ),
        pytest.param(
            BRANCH + "replicates: 9\npruning: {rounds: 4}\ntraining: {batch_size: 60}\n",
            ", line 1: branch_of.experiment = 'mine'",
            "changes nothing; change a setting",
            id="that only asks for more",
        ),
        pytest.param(
            changed("2", "4", BRANCH) + SEED,
            ", line 1: branch_of.round = 4",
            "at most pruning.rounds (3)",
            id="too deep",
        ),
        pytest.param(
            changed("2", "0", BRANCH) + SEED,
            ", line 1: branch_of.round = 0",
            "must be at least 1",
            id="from round 0",
        ),
        pytest.param(
            changed(", round: 2", "", BRANCH) + SEED,
            ": branch_of.round: is missing",
            "first round",
            id="without a round",
        ),
        pytest.param(
            "branch_of: mine\n" + GOOD, ", line 1: branch_of = 'mine'", "must be a mapping", id="by name only"
        ),
        pytest.param(
            BRANCH + "model: {widths: [30, 11]}\n",
            ", line 2: model = 'mlp'",
            "keeps the network and the image shape of mine",
            id="with another network",
        ),
        pytest.param(
            BRANCH + "data: {name: mnist}\n",
            ": model = 'mlp'",
            "keeps the network and the image shape of mine",
            id="on images of another shape",
        ),
    ],
)
def test_a_branch_that_cannot_be_is_refused(tmp_path, text, start, remedy):
    message = refusal(tmp_path, mine=GOOD, other=text)
    assert message.startswith(f"{tmp_path / 'other.yaml'}{start}")
    assert remedy in message


def test_branches_do_not_run_in_a_circle(tmp_path):
    message = refusal(
        tmp_path,
        a="branch_of: {experiment: b, round: 1}\n",
        b="branch_of: {experiment: c, round: 1}\n",
        c="seed: 1\nbranch_of:\n  experiment: a\n  round: 1\n",
    )
    assert message.startswith(f"{tmp_path / 'c.yaml'}, line 3: branch_of.experiment = 'a': ")
    assert "form a circle" in message


def test_layerwise_rounds_cannot_follow_global_ones(tmp_path):
    whole = changed("scope: layerwise", "scope: global", changed("  output_rate: 0.1\n", ""))
    message = refusal(tmp_path, mine=whole, other=BRANCH + "pruning: {scope: layerwise}\n")
    assert message.startswith(f"{tmp_path / 'other.yaml'}, line 2: pruning.scope = 'layerwise': ")
    first = changed("2", "1", BRANCH)
    assert (
        load(tmp_path, mine=whole, other=first + "pruning: {scope: layerwise}\n")["other"].pruning.scope == "layerwise"
    )


def test_a_fault_of_the_parent_is_told_of_the_parent(tmp_path):
    message = refusal(tmp_path, mine=changed("0.2", "1.5"), other=BRANCH + SEED)
    assert message.startswith(str(tmp_path / "mine.yaml"))


GLOBAL = changed("scope: layerwise\n  rates: {fc: 0.2}\n  output_rate: 0.1", "scope: global\n  rates: {fc: 0.2}")


def test_a_branch_of_global_rounds_ranks_the_same_layers(tmp_path):
    """How much is left of the output layer after two global rounds is not known, so no ladder could leave it out."""
    other = BRANCH + "pruning: {output_rate: 0}\n"
    assert "pruning.output_rate = 0.0: must rank the layers that mine ranks" in refusal(
        tmp_path, mine=GLOBAL, other=other
    )


def test_a_branch_cannot_rewind_past_the_end_of_the_dense_training_it_takes_over(tmp_path):
    other = BRANCH + "training: {iterations: 600}\nrewind: {iteration: 400}\n"
    said = refusal(tmp_path, mine=GOOD, other=other)
    assert "rewind.iteration = 400: must be below the 300 iterations of mine" in said


def test_the_order_of_arms_is_no_change(tmp_path):
    assert "changes nothing" in refusal(tmp_path, mine=GOOD, other=BRANCH + "arms: [reinit, ticket]\n")


def test_the_output_layer_alone_can_be_pruned(tmp_path):
    text = changed("rates: {fc: 0.2}", "rates: {fc: 0}")
    assert load(tmp_path, mine=text)["mine"].pruning.output_rate == 0.1
