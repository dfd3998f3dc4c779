"""What stands on the page of an experiment: what was found, in the order of the questions, and how it was made."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from lth_pipeline import __version__
from lth_pipeline.experiments.flat import described
from lth_pipeline.home import find_home
from lth_pipeline.orchestration.findings import about_of, findings_of, section_of
from lth_pipeline.recipes.analyses.analysis import Subject, joined, look_up
from lth_pipeline.recipes.facts import facts_of, title_of
from lth_pipeline.recipes.remarks import followed, remarks
from lth_pipeline.recipes.route import in_words

if TYPE_CHECKING:
    from lth_pipeline.orchestration.report import Collected
    from lth_pipeline.reports.analyses.section import About, Section
    from lth_pipeline.reports.page.contents import Chapter, Entry, KeyValues, Link
    from lth_pipeline.tracking.tracker import Tracker

CHAPTERS = {
    "verdict": ("Verdict", "Did a ticket win the lottery of initialisations, how sparse is it, and how sure is that?"),
    "figures": ("The paper's figures", "What Frankle & Carbin (2019) drew, from these runs."),
    "why": ("Why", "What the tickets are like, inside and around, beside the dense network and the controls."),
    "cost": ("What it costs", "And when finding a ticket is paid back."),
}
PACKAGES = ("torch", "torchvision", "dagster", "mlflow", "numpy", "pandas")


def report_page(subject: Subject, found: Sequence[Collected], tracker: Tracker) -> str:
    """The HTML page. found: what there is of each analysis."""
    from lth_pipeline.reports.page.contents import Chapter, Page
    from lth_pipeline.reports.page.document import page
    from lth_pipeline.reports.table import notes, results_table

    card = subject.experiment
    frame = results_table(subject.rows(), {})
    n = frame["replicate"].nunique()
    chapters = [
        Chapter(title, [_entry(each, subject) for each in found if each.analysis.chapter == key], lead)
        for key, (title, lead) in CHAPTERS.items()
    ]
    chapters[1] = replace(chapters[1], entries=[*chapters[1].entries, *_followed(subject)])
    return page(
        Page(
            title=card.name,
            lead=card.description,
            subtitle=f"{title_of(card.data)} · {card.training.iterations:,} iterations · n = {n} · seed {card.seed}",
            notes=[f"{said[0].upper()}{said[1:]}." for said in notes(frame)]
            + remarks(subject.workshop, subject.chains),
            chapters=[*chapters, _made(subject, frame, tracker)],
            where=f"reports/{card.name}/, and in MLflow's runs of the experiment {card.name}",
            footer=f"Made by lth_pipeline {__version__}. Nothing on this page asks for anything from a network.",
        )
    )


def _entry(each: Collected, subject: Subject) -> Entry:
    from lth_pipeline.reports.page.contents import Entry

    analysis, name = each.analysis, subject.experiment.name
    missing = len(each.parts) - len(each.there)
    if not each.there:
        command = f"lth report {name} --only {analysis.name}" if each.parts else f"lth run {name}"
        return Entry(analysis.name, analysis.title, analysis.question, note=f"Not analysed yet: {command}")
    done = [found for part in each.there if (found := look_up(subject.workshop, part))]
    findings = findings_of(joined(made.found for made in done))
    chains = [chain for chain in subject.chains if chain.replicate in each.replicates]
    about = about_of(subject.experiment, Subject(subject.workshop, chains, subject.beyond))
    return Entry(
        analysis.name,
        analysis.title,
        analysis.question,
        _plain(section_of(analysis, findings, about), about, about_of(subject.experiment, subject)),
        note=f"{missing} of {len(each.parts)} parts are not analysed yet: lth report {name}" if missing else "",
        csv={f"{table}.csv": frame.to_csv(index=False) for table, frame in findings.tables.items() if len(frame)},
    )


def _followed(subject: Subject) -> list[Entry]:
    """Of dense trainings whose mask was followed (early-bird tickets), the first."""
    from lth_pipeline.reports.analyses.section import Section
    from lth_pipeline.reports.mask_distance import chart
    from lth_pipeline.reports.page.contents import Entry

    for chain in subject.chains:
        if seen := followed(subject.workshop, chain):
            said = "It never settled." if seen.settled is None else f"It settled at iteration {seen.settled:,}."
            drawn = chart(seen.iterations, seen.distances, seen.settled, f"replicate {seen.replicate}")
            return [Entry("mask_distance", "When the mask settled", section=Section(said, [drawn]))]
    return []


def _plain(section: Section, about: About, whole: About) -> Section:
    """Without what stands at the head of the page, which pictures that stand alone have in their titles; with n, where
    it is not that of the page."""
    n = len(about.replicates)
    instead = "" if n == len(whole.replicates) else f", n = {n}"
    charts = [replace(chart, title=chart.title.replace(f": {about.head}", instead)) for chart in section.charts]
    return replace(section, charts=charts)


def _made(subject: Subject, frame, tracker: Tracker) -> Chapter:
    """How it was made."""
    from lth_pipeline.reports.analyses.section import Section, Shown
    from lth_pipeline.reports.page.contents import Chapter, Entry

    card = subject.experiment
    versions = {"lth_pipeline": __version__, "Python": platform.python_version()}
    versions |= {package: version(package) for package in PACKAGES}
    rows = _by_round(frame)
    table = Shown("Means ± sample standard deviations over replicates; accuracies in percent.", rows[0], rows[1:])
    return Chapter(
        "How it was made",
        [
            Entry(
                "rounds",
                "By round",
                section=Section(f"{len(frame)} trainings of {frame['replicate'].nunique()} replicates.", shown=[table]),
                csv={"results.csv": frame.drop(columns=["mlflow_run_id"]).to_csv(index=False)},
            ),
            Entry("card", "Card", tables=[_key_values("The card, with what it inherits", described(card), True)]),
            Entry("data", "Data", tables=[_data(subject)]),
            Entry("origin", "Networks, versions, machines", tables=[_origins(subject), _versions(versions)]),
            Entry("links", "Dagster and MLflow", "Where it was recorded.", links=_links(card.name, tracker)),
        ],
        "Enough to make it again: the same card, seeds and versions give the same bits on the same type of processor.",
    )


def _by_round(frame) -> list[list[str]]:
    from lth_pipeline.experiments.arms import ARMS
    from lth_pipeline.reports.table import by_round, with_spread

    lines = [["round", "weights", "density", "arm", "n", "at early stop", "at the end", "training", "early stop"]]
    for line in by_round(frame).itertuples():
        lines.append(
            [
                str(line.round),
                f"{line.weights:,}",
                f"{100 * line.density:.2f} %",
                ARMS[line.arm].title,
                str(line.n),
                with_spread(line.test_accuracy_at_early_stop, line.test_accuracy_at_early_stop_sd, 100, 2),
                with_spread(line.test_accuracy_at_end, line.test_accuracy_at_end_sd, 100, 2),
                f"{100 * line.train_accuracy_at_end:.2f}",
                with_spread(line.early_stop_iteration, line.early_stop_iteration_sd, 1, 0),
            ]
        )
    return lines


def _key_values(caption: str, entries, code: bool = False) -> KeyValues:
    from lth_pipeline.reports.page.contents import KeyValues

    return KeyValues(caption, [(entry[0], entry[1]) for entry in entries], code)


def _versions(versions: dict[str, str]) -> KeyValues:
    return _key_values("Versions of what wrote this page", versions.items())


def _data(subject: Subject) -> KeyValues:
    card, dirs = subject.experiment, subject.workshop.dirs
    facts = facts_of(card.data, dirs)
    rows = [
        ("data set", title_of(card.data)),
        ("licence", facts.licence),
        ("image (channels, height, width)", " × ".join(map(str, facts.image_shape))),
        ("classes", facts.classes),
        ("SHA-256 of its content" if facts.by_content else "SHA-256 of its files' checksums", facts.digest),
    ]
    return _key_values("The data", rows)


def _origins(subject: Subject) -> KeyValues:
    """Of each replicate the data version of its dense network, and where it was computed."""
    rows = []
    for chain in subject.chains:
        product = subject.workshop.look_up(chain, chain.main(0))
        if product:
            where = in_words(product.record["route"])
            rows.append((f"replicate {chain.replicate}", f"{product.version}, {product.record['made_at']}, {where}"))
    return _key_values("The dense networks: SHA-256 of the weights, when and where they were trained", rows)


def _links(name: str, tracker: Tracker) -> list[Link]:
    from lth_pipeline.reports.page.contents import Link
    from lth_pipeline.tracking.results import results_runs

    dagster = find_home().dagster_ui
    found = [
        Link(f"Dagster: {asset}", f"{dagster}/assets/{asset}?view=partitions&partition={name}")
        for asset in ("results", "verdict", "report")
    ]
    found.append(Link("Dagster: runs", f"{dagster}/runs?q%5B0%5D=tag%3Alth%2Fexperiment%3D{name}"))
    found += [Link("MLflow: results", tracker.run_url(name, run)) for run in results_runs(tracker, [name]).values()]
    address = f"{tracker.ui}/#/experiments/{tracker.experiment_id(name)}/runs?workflowType=machine_learning"
    return [*found, Link("MLflow: every run of the experiment", address)]
