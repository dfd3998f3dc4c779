"""What the asset checks of the verdict say of its paired differences."""

from __future__ import annotations

from lth_pipeline.recipes.analyses.analysis import Check, Rows

SPARSE, FAIRLY_SPARSE = 0.05, 0.20  # the densities that the checks ask about
SLACK = 1.001  # of a density: whole weights are pruned, so that 5 % may come out as 5.00001 %


def checked(differences: Rows) -> list[Check]:
    """differences: rows of that table, of one measure and from dense to sparse. A check without a row is left out."""
    beats = [row for row in differences if row["against"] == "reinit" and row["density"] <= SPARSE * SLACK]
    matches = [row for row in differences if row["against"] == "dense" and row["density"] <= FAIRLY_SPARSE * SLACK]
    return [
        *([_check("ticket_beats_reinit", beats, _beats)] if beats else []),
        *([_check("ticket_matches_dense", matches, _matches)] if matches else []),
    ]


def _check(name: str, rows: Rows, judge) -> Check:
    """Of rounds that are sparse enough; `judge` gives what it is called, and the rows that have it."""
    if all(row["p"] is None for row in rows):
        most = max(row["n"] for row in rows)
        pairs = "1 pair" if most == 1 else f"{most} pairs"
        return Check(name, False, f"Too few replicates to tell: {pairs} in a round, and at least 3 are needed.")
    return Check(name, *judge(rows))


def _beats(rows: Rows) -> tuple[bool, str]:
    better = [row for row in rows if row["verdict"] == "better"]
    nearest = min((row for row in rows if row["p"] is not None), key=lambda row: (row["mean"] <= 0, row["p_holm"]))
    one = better[-1] if better else nearest
    said = "" if better else f"No ticket at {100 * SPARSE:g} % of the weights or fewer is told apart as better. "
    return bool(better), (
        f"{said}{'At' if better else 'The nearest: at'} {_percent(one['density'])} it stops {_points(one['mean'])} "
        f"of test accuracy from its control (n = {one['n']}, p = {one['p_holm']:.2g} after Holm's correction)."
    )


def _matches(rows: Rows) -> tuple[bool, str]:
    matching = [row for row in rows if row["matching"]]
    if matching:
        last = matching[-1]
        return True, (
            f"At {_percent(last['density'])}, and in every denser round, the lower bound of ticket minus dense lies "
            f"within the margin: there at {_points(last['lower_bound'])} (n = {last['n']})."
        )
    alone = [_percent(row["density"]) for row in rows if row["within_margin"]]
    first = rows[0]
    bound = "not known" if first["lower_bound"] is None else _points(first["lower_bound"])
    by_itself = f"; by themselves {', '.join(alone)} would pass, but a denser round did not" if alone else ""
    return False, (
        f"No ticket at {100 * FAIRLY_SPARSE:g} % of the weights or fewer is shown to match: at "
        f"{_percent(first['density'])} the lower bound of ticket minus dense is {bound} (n = {first['n']}){by_itself}."
    )


def _percent(density: float) -> str:
    return f"{100 * density:.1f} %"


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f} percentage points"
