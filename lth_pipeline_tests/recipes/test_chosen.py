"""Which ticket is taken where nobody names one: of results in which that is known, and of trainings in a store."""

from lth_pipeline.recipes.analyses.analysis import Subject
from lth_pipeline.recipes.analyses.verdict import judged
from lth_pipeline.recipes.chosen import best_round, chosen_replicate, chosen_round, matching_rounds, verdict_of
from lth_pipeline_tests.recipes.analyses.made_up_rows import row, rows_of
from lth_pipeline_tests.recipes.making import card, load, workshop_in


def found_in(rows, **more):
    return judged(rows, margin=0.005, resamples=1000, seed=0, **more)


def with_losses(rows, loss_of):
    """loss_of: (replicate, round) -> the least validation loss of its ticket."""
    return [one | {"validation_loss_min": loss_of(one["replicate"], one["round"])} for one in rows]


def test_the_sparsest_that_matches_and_the_best_of_those_that_do():
    rows = rows_of(gains={"ticket": (0.001, -0.001, -0.05)})
    rows = with_losses(rows, lambda replicate, round: (0.1, 0.07, 0.08, 0.01)[round] + 0.001 * (4 - replicate))
    found = found_in(rows)
    assert matching_rounds(found) == [1, 2]
    assert chosen_round(found, rows).round == 2 and "2 rounds" in chosen_round(found, rows).why
    assert best_round(found, rows).round == 1  # round 3 has the least loss of all, and does not match
    assert chosen_replicate(rows, 2) == 4


def test_a_round_that_fails_ends_the_sequence_and_says_which_would_have_passed():
    rows = rows_of(gains={"ticket": (-0.02, 0.001, 0.001)})
    chosen = chosen_round(found_in(rows), rows)
    assert chosen.round is None and best_round(found_in(rows), rows) == chosen
    assert "round 1, the densest" in chosen.why and "taken alone round 2, 3 would match" in chosen.why


def test_what_shows_nothing_is_said_in_words():
    few = rows_of(replicates=2)
    assert "2 replicates show nothing" in chosen_round(found_in(few), few).why
    one = rows_of(replicates=1)
    assert "1 replicate shows nothing" in chosen_round(found_in(one), one).why
    assert "nothing is trained" in chosen_round(found_in([]), []).why
    dense = [each for each in rows_of() if each["arm"] == "dense"]
    assert "no ticket" in chosen_round(found_in(dense), dense).why
    rows = rows_of()
    assert "other data" in chosen_round(found_in(rows, other_data=[1, 2, 3]), rows).why
    apart = [each | {"diverged_at": 3 if (each["round"] == 0) == (each["replicate"] > 2) else None} for each in rows]
    assert "diverged" in chosen_round(found_in(apart), apart).why


def test_replicates_that_diverged_are_not_chosen():
    rows = [
        *(row(replicate, 0, "dense", 1.0, 0.9, diverged_at=5 if replicate == 0 else None) for replicate in range(4)),
        *(
            row(replicate, 1, "ticket", 0.5, 0.9, validation_loss_min=loss, diverged_at=9 if replicate == 1 else None)
            for replicate, loss in enumerate((0.1, 0.2, 0.4, 0.3))
        ),
    ]
    assert chosen_replicate(rows, 1) == 3
    assert chosen_replicate(rows[:1], 0) is None
    assert chosen_replicate(rows, 2) is None


def test_trainings_in_a_store(tmp_path):
    """Of three replicates with a margin that nothing fails; nothing of the verdict is in the store yet."""
    cards = load(tmp_path / "cards", small=card(replicates=3, analysis={"margin": 0.2}, training={"iterations": 60}))
    workshop = workshop_in(tmp_path / "store")
    subject = Subject(workshop, [workshop.chain(cards, "small", replicate) for replicate in range(3)])
    assert "nothing is trained" in chosen_round(verdict_of(subject), subject.rows()).why
    for chain in subject.chains:
        for round in range(3):
            workshop.make(chain, chain.main(round))
    rows, found = subject.rows(), verdict_of(subject)
    assert chosen_round(found, rows).round == 2
    losses = {each["replicate"]: each["validation_loss_min"] for each in rows if each["round"] == 2}
    assert chosen_replicate(rows, 2) == min(losses, key=losses.get)
