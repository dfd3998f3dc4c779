"""What `lth run` ends with: the table, where the files are, and what failed."""

from __future__ import annotations

from pathlib import Path

import click

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.sweeps import Sweep
from lth_pipeline.home import Home
from lth_pipeline.orchestration import sweeps


def ending(home: Home, cards, chosen: Experiment | Sweep, seconds: float | None, failed: list[dict]) -> None:
    """seconds: what the trainings took; None where there were none. Of what failed, only a sweep shows the rest."""
    took = f" ({seconds:.0f} s)" if seconds is not None else ""
    if isinstance(chosen, Sweep):
        if not any(details["task"].job == sweeps.JOB for details in failed):
            _sweep_ending(home, cards, chosen, "" if failed else f"\nDone{took}.")
    elif not failed:
        _ending(home, cards, chosen, f"\nDone{took}.")


def failure(failed: list[dict], log: Path) -> str:
    """What went wrong, each message once, with the partitions it stopped."""
    stopped: dict[str, list[str]] = {}
    failed = _causes(failed)
    for details in failed:
        for message in details["errors"] or ["failed; its page in Dagster says why"]:
            stopped.setdefault(message, []).append(details["task"].partition)
    runs = ", ".join(details["run_id"][:8] for details in failed if details["run_id"])
    lines = [f"{', '.join(dict.fromkeys(partitions))}: {message}" for message, partitions in stopped.items()]
    return "\n".join([*lines, f"(Dagster run {runs}; log: {log})" if runs else f"(log: {log})"])


def _causes(failed: list[dict]) -> list[dict]:
    """`failed` without the results that could not be gathered because their trainings had failed."""
    rounds = {details["task"].partition.split("|")[0] for details in failed if "|" in details["task"].partition}
    own = [details for details in failed if details["task"].partition not in rounds]
    return [details for details in own if details["task"].job != sweeps.JOB] or own


def _ending(home: Home, cards, experiment: Experiment, done: str) -> None:
    from lth_pipeline.commands.common import workshop
    from lth_pipeline.commands.screen import results_on_screen
    from lth_pipeline.orchestration.analyses import WORDS
    from lth_pipeline.recipes.remarks import remarks
    from lth_pipeline.reports.table import read_results

    folder = home.reports / experiment.name
    frame = read_results(folder / "results.csv")
    shop = workshop(home)
    chains = [shop.chain(cards, experiment.name, int(number)) for number in frame["replicate"].unique()]
    results_on_screen(experiment, frame, remarks(shop, chains))
    click.echo(f"Verdict: {(folder / 'verdict' / WORDS).read_text().splitlines()[0]}")
    click.echo(
        f"{done}\n"
        f"  figures   {folder / 'accuracy_by_density.png'}\n"
        f"            {folder / 'early_stop_by_density.png'}\n"
        f"  report    {folder / 'report.html'}\n"
        f"  table     {folder / 'results.csv'}   (or: lth results {experiment.name} --format csv)\n"
        f"  UIs       make ui  (or: lth ui)   Dagster {home.dagster_ui}   MLflow {home.mlflow_ui}"
    )


def _sweep_ending(home: Home, cards, sweep: Sweep, done: str) -> None:
    from lth_pipeline.commands.comparison_screen import comparison_ending
    from lth_pipeline.experiments.lineups import lineup_of_sweep

    comparison_ending(home, cards, lineup_of_sweep(cards, sweep), done)
