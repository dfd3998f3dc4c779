"""What stands on the page of an experiment: what was found, in the order of the questions, and how it was made."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from lth_pipeline import __version__
from lth_pipeline.experiments.flat import described, flatten
from lth_pipeline.home import find_home
from lth_pipeline.orchestration.findings import NOTHING, about_of, findings_of, section_of
from lth_pipeline.recipes.analyses.analysis import Subject, joined, look_up
from lth_pipeline.recipes.facts import facts_of, title_of
from lth_pipeline.recipes.remarks import followed, remarks
from lth_pipeline.recipes.route import in_words

if TYPE_CHECKING:
    from lth_pipeline.experiments import Experiment
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
SAID = 4  # so many missing parts are named
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
        Chapter(title, [_entry(each, subject) for each in found if each.analysis.chapter == key], lead, in_short=True)
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
    if not each.there:
        note = f"Not analysed yet: lth report {name} --only {analysis.name}" if each.parts else NOTHING
        return Entry(analysis.name, analysis.title, analysis.question, note=note)
    done = [found for part in each.there if (found := look_up(subject.workshop, part))]
    findings = findings_of(joined(made.found for made in done))
    chains = [chain for chain in subject.chains if chain.replicate in each.replicates]
    about = about_of(subject.experiment, Subject(subject.workshop, chains, subject.beyond))
    return Entry(
        analysis.name,
        analysis.title,
        analysis.question,
        _plain(section_of(analysis, findings, about), about, about_of(subject.experiment, subject)),
        note=lacking(each, name),
        csv={f"{table}.csv": frame.to_csv(index=False) for table, frame in findings.tables.items() if len(frame)},
        beside=_folders(each, name),
    )


def lacking(each: Collected, name: str) -> str:
    """Which parts of an analysis of experiment `name` are not there, in words; "" where all are."""
    there = {part.recipe.id for part in each.there}
    missing = [part.about for part in each.parts if part.recipe.id not in there]
    if not missing:
        return ""
    partly = {_whose(part.about) for part in each.there}
    wholly = list(dict.fromkeys(_whose(about) for about in missing if _whose(about) not in partly))
    rest = [about for about in missing if _whose(about) in partly]
    said = [_together(wholly)] if wholly else []
    said += [*rest[:SAID], *([f"{len(rest) - SAID} parts more"] if len(rest) > SAID else [])]
    are = "is" if len(missing) == 1 or (len(wholly) == 1 and not rest) else "are"
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]} {are} not analysed yet: lth report {name}"


def _whose(about: str) -> str:
    return about.partition(",")[0]


def _together(whose: list[str]) -> str:
    """["replicate 2", "replicate 3"] -> "replicates 2 and 3"."""
    kinds: dict[str, list[str]] = {}
    for text in whose:
        word, _, rest = text.partition(" ")
        kinds.setdefault(word, []).append(rest)
    return "; ".join(
        f"{word} {rest[0]}" if len(rest) == 1 else f"{word}s {', '.join(rest[:-1])} and {rest[-1]}"
        for word, rest in kinds.items()
    )


def _folders(each: Collected, name: str) -> list[Link]:
    """Where the files of an analysis lie, from the page."""
    from lth_pipeline.reports.page.contents import Link

    own = each.analysis.name
    folders = [own] if each.analysis.scope == "experiment" else [f"{own}/replicate_{one}" for one in each.replicates]
    return [Link(f"reports/{name}/{folder}", folder) for folder in folders]


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
    it is not that of the page and the chart is of more than one network."""
    n = len(about.replicates)
    instead = "" if n == len(whole.replicates) else f", n = {n}"
    titles = [
        chart.title.replace(f": {about.head}", instead).replace(f": {about.head_of_one}", "")
        for chart in section.charts
    ]
    charts = [replace(chart, title=title) for chart, title in zip(section.charts, titles, strict=True)]
    return replace(section, charts=charts)


def _made(subject: Subject, frame, tracker: Tracker) -> Chapter:
    """How it was made."""
    from lth_pipeline.reports.analyses.section import Section, Shown
    from lth_pipeline.reports.page.contents import Chapter, Entry

    card = subject.experiment
    versions = {"lth_pipeline": __version__, "Python": platform.python_version()}
    versions |= {package: version(package) for package in PACKAGES}
    rows, n = _by_round(frame), frame["replicate"].nunique()
    table = Shown("Means ± sample standard deviations over replicates; accuracies in percent.", rows[0], rows[1:])
    return Chapter(
        "How it was made",
        [
            Entry(
                "rounds",
                "By round",
                section=Section("", text=[f"{len(frame)} trainings of {n} replicates."], shown=[table]),
                csv={"results.csv": frame.drop(columns=["mlflow_run_id"]).to_csv(index=False)},
            ),
            Entry("card", "Card", tables=_settings(card)),
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


def _settings(card: Experiment) -> list[KeyValues]:
    """What the card settles, with what it inherits; then all that is as it is by default."""
    settled = [f"{name}." for name, _ in flatten(card.model_dump(exclude_defaults=True))]
    own, rest = [], []
    for field, value, _ in described(card):
        (own if any(name.startswith(f"{field}.") for name in settled) else rest).append((field, value))
    return [
        replace(_key_values("What the card settles, with what it inherits", own, True), unfolded=True),
        _key_values("All other settings, as they are by default", rest, True),
    ]


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
