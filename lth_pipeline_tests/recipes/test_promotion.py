"""Which tickets are published, and which are refused: of results in which that is known."""

import re

import pytest

from lth_pipeline.recipes.analyses.verdict import judged
from lth_pipeline.recipes.errors import PublishedError
from lth_pipeline.recipes.promotion import Asked, candidates, judge, passing_replicates, what_then
from lth_pipeline_tests.recipes.analyses.made_up_rows import rows_of

MARGIN, BY_RULE = 0.005, Asked()


def found_in(rows, **more):
    return judged(rows, margin=MARGIN, resamples=1000, seed=0, **more)


def with_losses(rows, *losses):
    """losses: the least validation loss of the tickets of each round, from 0 on; less in later replicates."""
    return [one | {"validation_loss_min": losses[one["round"]] - 0.001 * one["replicate"]} for one in rows]


def changed(rows, round, replicate, **values):
    return [one | (values if (one["round"], one["replicate"]) == (round, replicate) else {}) for one in rows]


def aliases(found, rows, asked=BY_RULE):
    return {alias: each.round for each in candidates(found, rows, asked) for alias in each.aliases}


def test_by_rule_the_sparsest_and_the_best_which_may_be_one():
    rows = with_losses(rows_of(), 0.1, 0.07, 0.08, 0.09)
    assert aliases(found_in(rows), rows) == {"sparsest-matching": 3, "best": 1}
    assert {each.replicate for each in candidates(found_in(rows), rows, Asked())} == {4}
    rows = with_losses(rows_of(), 0.1, 0.09, 0.08, 0.07)
    (one,) = candidates(found_in(rows), rows, Asked())
    assert (one.round, one.aliases) == (3, ("sparsest-matching", "best"))
    assert aliases(found_in(rows), rows, Asked(alias="prod")) == {"sparsest-matching": 3, "best": 3, "prod": 3}


def test_by_rule_nothing_where_nothing_matches():
    rows = rows_of(gains={"ticket": (-0.02, -0.02, -0.02)})
    assert "no ticket is shown to match" in candidates(found_in(rows), rows, Asked())
    few = rows_of(replicates=2)
    assert "2 replicates show nothing" in candidates(found_in(few), few, Asked(replicate=1))


def test_by_name_the_rest_is_chosen():
    rows = with_losses(rows_of(), 0.1, 0.07, 0.08, 0.09)
    found = found_in(rows)
    (one,) = candidates(found, rows, Asked(round=2))
    assert (one.round, one.replicate, one.aliases) == (2, 4, ("chosen",))
    (one,) = candidates(found, rows, Asked(replicate=1, alias="prod"))
    assert (one.round, one.replicate, one.aliases) == (3, 1, ("prod",))
    for asked in (Asked(round=4), Asked(round=1, replicate=5)):
        with pytest.raises(PublishedError, match="there are"):
            candidates(found, rows, asked)
    lost = changed(rows, 2, 3, diverged_at=7)
    with pytest.raises(PublishedError, match="replicate 0, 1, 2, 4 of that round"):
        candidates(found_in(lost), lost, Asked(round=2, replicate=3))


@pytest.mark.parametrize("alias", ["best", "sparsest-matching", "Best"])
@pytest.mark.parametrize("named", [{}, {"round": 1}, {"replicate": 0}])
def test_the_aliases_of_the_rule_are_given_by_the_rule_alone(alias, named):
    with pytest.raises(PublishedError, match=f"{alias!r} is given by the rule alone"):
        Asked(alias=alias, **named)


@pytest.mark.parametrize("below", [MARGIN + 3e-5, MARGIN - 3e-5, MARGIN + 3e-7])
def test_a_difference_beside_the_margin_is_not_told_as_one_on_it(below):
    rows = rows_of()
    dense = next(one["test_accuracy_at_end"] for one in rows if (one["round"], one["replicate"]) == (0, 2))
    rows = changed(rows, 3, 2, test_accuracy_at_end=dense - below)
    (one,) = candidates(found_in(rows), rows, Asked(round=3, replicate=2))
    why = judge(found_in(rows), rows, one, MARGIN).why
    (told, margin) = re.search(r"\((\S+) percentage points\);.* the margin of (\S+) percentage", why).groups()
    assert float(told) != -float(margin) and (float(told) < -float(margin)) == ("Beyond" in why)


def test_of_a_round_that_is_refused_it_says_which_replicates_would_pass():
    rows = changed(rows_of(), 1, 4, test_accuracy_at_end=0.962, validation_loss_min=0.01)
    found = found_in(rows)
    (one,) = candidates(found, rows, Asked(round=1))
    assert one.replicate == 4 and not judge(found, rows, one, MARGIN).passed
    assert passing_replicates(found, rows, 1, MARGIN) == [0, 1, 2, 3]


def test_what_then_is_said_only_where_it_helps():
    rows = rows_of(replicates=2)
    assert "name it: lth publish small --round R" in what_then(found_in(rows), rows, "small")
    dense = [each for each in rows if each["arm"] == "dense"]
    assert what_then(found_in(dense), dense, "small") == what_then(found_in([]), [], "small")
    assert "lth run small" in what_then(found_in([]), [], "small")
    lost = [each | ({"diverged_at": 3} if each["round"] == 0 else {}) for each in rows]
    assert what_then(found_in(lost), lost, "small") == ""


def test_a_named_round_whose_dense_networks_all_diverged_is_refused_for_that():
    rows = [each | ({"diverged_at": 3} if each["round"] == 0 else {}) for each in rows_of()]
    rows = changed(rows, 2, 3, validation_loss_min=0.05)
    found = found_in(rows)
    (one,) = candidates(found, rows, Asked(round=2))
    said = judge(found, rows, one, MARGIN)
    assert one.replicate == 3 and not said.passed and "its dense network diverged" in said.why


@pytest.mark.parametrize(("below", "passed"), [(0.0, True), (MARGIN, True), (MARGIN + 1e-4, False)])
def test_the_ticket_itself_may_not_be_worse_than_the_margin(below, passed):
    rows = rows_of()
    dense = next(one["test_accuracy_at_end"] for one in rows if (one["round"], one["replicate"]) == (0, 2))
    rows = changed(rows, 3, 2, test_accuracy_at_end=dense - below)
    (one,) = candidates(found_in(rows), rows, Asked(round=3, replicate=2))
    said = judge(found_in(rows), rows, one, MARGIN)
    assert said.passed == passed and ("Beyond" in said.why) != passed
    assert said.dense - said.ticket == pytest.approx(below)


def test_a_lucky_replicate_of_a_bad_round_is_refused():
    rows = rows_of(gains={"ticket": (-0.02, -0.02, -0.02)})
    rows = changed(rows, 1, 0, test_accuracy_at_end=0.99)
    (one,) = candidates(found_in(rows), rows, Asked(round=1, replicate=0))
    said = judge(found_in(rows), rows, one, MARGIN)
    assert said.ticket > said.dense and said.mean < -MARGIN and not said.passed


def test_it_says_what_little_a_few_replicates_show():
    rows = rows_of(replicates=2)
    (one,) = candidates(found_in(rows), rows, Asked(round=1))
    assert "That shows little: 2 replicates" in judge(found_in(rows), rows, one, MARGIN).why
    rows = rows_of()
    (one,) = candidates(found_in(rows), rows, Asked(round=1))
    assert "By the verdict it matches" in judge(found_in(rows), rows, one, MARGIN).why


def test_without_a_dense_network_nothing_can_be_judged():
    rows = rows_of()
    (one,) = candidates(found_in(rows), rows, Asked(round=1, replicate=2))
    lost = changed(rows, 0, 2, diverged_at=3)
    assert "its dense network diverged" in judge(found_in(lost), lost, one, MARGIN).why
    apart = judge(found_in(rows, other_data=[1]), rows, one, MARGIN)
    assert not apart.passed and "learned other data" in apart.why
