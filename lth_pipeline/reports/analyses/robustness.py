"""Robustness: accuracy on corrupted and on attacked images, and how rightly networks are sure of their answers."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.parent import of_parent
from lth_pipeline.reports.analyses.robustness_attacks import attack_charts, telling_radius
from lth_pipeline.reports.analyses.robustness_calibration import calibration_charts
from lth_pipeline.reports.analyses.robustness_corruptions import corrupted_means, corruption_charts
from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.over_replicates import arms_of
from lth_pipeline.reports.wording import left, of_replicates, ranged

COLUMNS = ("network", "weights remaining", "clean", "corrupted", "FGSM", "PGD", "ECE", "NLL, nats", "Brier score")


def section(findings: Findings, about: About) -> Section:
    empty = pd.DataFrame()
    calibration, reliability, attacks, corruptions = (
        findings.tables.get(name, empty) for name in ("calibration", "reliability", "attacks", "corruptions")
    )
    if calibration.empty and attacks.empty and corruptions.empty:
        return Section("No network's robustness has been looked at yet.")
    charts = [
        *(corruption_charts(corruptions, findings.arrays, about) if len(corruptions) else []),
        *(attack_charts(attacks, about) if len(attacks) else []),
        *(calibration_charts(calibration, reliability, about) if len(calibration) else []),
    ]
    networks = _networks(calibration, attacks, corruptions)
    text = [*_text(calibration, attacks, corruptions, about), *of_parent(about, (networks["round"] == 0).any())]
    return Section(_headline(networks, attacks), charts, text, [_table(networks, attacks)])


def _networks(calibration: pd.DataFrame, attacks: pd.DataFrame, corruptions: pd.DataFrame) -> pd.DataFrame:
    """A row for each network: its columns, and of what was looked at accuracies in % (test, corrupted, fgsm, pgd), ece
    in %, nll, brier."""
    keys = ["replicate", "round", "arm", "density"]
    found = []
    if len(calibration):
        own = calibration.set_index(keys)[["accuracy", "ece", "nll", "brier"]].rename(columns={"accuracy": "test"})
        found.append(own.assign(test=100 * own["test"], ece=100 * own["ece"]))
    if len(corruptions):
        found.append(100 * corrupted_means(corruptions).set_index(keys)[["corrupted"]])
    if len(attacks):
        there = attacks[attacks["radius"] == telling_radius(attacks)]
        found.append(100 * there.pivot(index=keys, columns="attack", values="accuracy"))
    return pd.concat(found, axis=1).reset_index()


def _headline(networks: pd.DataFrame, attacks: pd.DataFrame) -> str:
    """Dense against the arms of the last round, in what was looked at."""
    last = networks[networks["round"] == networks["round"].max()]
    shown = [("dense", networks[networks["round"] == 0]), *((arm, last[last["arm"] == arm]) for arm in arms_of(last))]
    shown = [(arm, rows) for arm, rows in shown if len(rows)][:4]
    told = [
        f"{place} {', '.join(f'{ARMS[arm].title} {mean:.1f} %' for arm, mean in means.items())}"
        for what, place in (
            ("corrupted", "accuracy on corrupted images:"),
            ("pgd", f"under PGD at radius {telling_radius(attacks):g}:" if len(attacks) else ""),
            ("ece", "expected calibration error:"),
        )
        if what in networks and (means := {arm: rows[what].mean() for arm, rows in shown if rows[what].notna().any()})
    ]
    n = of_replicates(last["replicate"].nunique())
    where = f"At {left(last['density'].mean())} of the weights ({n})" if last["round"].max() else f"Dense alone ({n})"
    return f"{where}, {'; '.join(told)}."


def _table(networks: pd.DataFrame, attacks: pd.DataFrame) -> Shown:
    forms = {"test": ".2f", "corrupted": ".2f", "fgsm": ".2f", "pgd": ".2f", "ece": ".2f", "nll": ".3f", "brier": ".3f"}
    rows = [
        [
            ARMS[arm].title,
            left(own["density"].mean()),
            *(ranged(own[what], form) if what in own else "–" for what, form in forms.items()),
        ]
        for round, of_round in networks.groupby("round")
        for arm in (["dense"] if round == 0 else arms_of(of_round))
        if len(own := of_round[of_round["arm"] == arm])
    ]
    at = f" (FGSM and PGD at radius {telling_radius(attacks):g})" if len(attacks) else ""
    return Shown(
        f"Accuracies in %: on the clean test part, on corrupted images, attacked{at}. Expected calibration error in %, "
        "negative log likelihood and Brier score on the clean test part. Mean (least to greatest) of the replicates.",
        COLUMNS,
        rows,
    )


def _of_some(corruptions: pd.DataFrame, calibration: pd.DataFrame) -> str:
    """Of a store that was filled where images can be corrupted, and then on where they cannot."""
    if calibration.empty:
        return ""
    done, of = (len(table[["replicate", "round", "arm"]].drop_duplicates()) for table in (corruptions, calibration))
    if done >= of:
        return ""
    return f" Of {of - done} of {of} networks corruptions are missing: the package for them was not there."


def _text(calibration: pd.DataFrame, attacks: pd.DataFrame, corruptions: pd.DataFrame, about: About) -> list[str]:
    text = []
    if len(corruptions):
        images = int(corruptions["images"].min())
        severities = ", ".join(str(severity) for severity in sorted(set(corruptions["severity"]) - {0}))
        text.append(
            f"{images:,} test images, drawn by the seed and the same for every network, were corrupted in "
            f"{corruptions['family'].nunique() - 1} ways at severity {severities}. Small "
            "images are enlarged for corruptions that reach over pixels (blur, weather, elastic) and brought back by "
            "averaging; noise, brightness, contrast and JPEG are done at the images' own size. The first draw of every "
            f"arm was looked at.{_of_some(corruptions, calibration)}"
        )
    elif about.experiment.data.name == "mnist1d":
        text.append("Corruptions were left out: these data are signals, not pictures.")
    else:
        text.append(
            "Corruptions were left out: they need pictures of 8 pixels or more a side and a package that is not there. "
            "Get it by pip install --editable '.[robustness]' (on a Debian machine without a screen also apt-get "
            "install libgl1 libglib2.0-0), then make this analysis again."
        )
    if len(attacks):
        text.append(
            f"{int(attacks['images'].min()):,} test images were attacked, each pixel moved by the radius at most, a "
            "share of the full scale (0 black, 1 white). FGSM (Goodfellow et al. 2015) takes one step; PGD (Madry "
            "et al. 2018) takes 20 steps of an eighth of the radius from a random start, the same for every network. "
            "An image counts where the network is right without and with the attack, under PGD within every smaller "
            "radius, too. None of the networks was trained against attacks."
        )
    if len(calibration):
        text.append(
            f"Calibration is measured on the whole test part ({int(calibration['images'].min()):,} images) in 15 bins "
            "of equal width. Brier score: the squared distance between the probabilities and the "
            "truth, summed over the classes, 0 to 2."
        )
    return [
        *text,
        "Hooker et al. 2019 (What Do Compressed Deep Neural Networks Forget?) found pruned networks of nearly the same "
        "test accuracy to be more sensitive to corrupted images than dense ones. Diffenderfer et al. 2021 (A Winning "
        "Hand) found that it depends on how networks are pruned: in the manner of lottery tickets they could be as "
        "robust as the dense network, or more so.",
    ]
