"""The model card of an exported network: Markdown, with the front matter that model hubs read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.loading import loading, values
from lth_pipeline.reports.wording import digits, left, written

TESTED = {"early_stop": "at early stop", "end": "at the end of training"}
LAYERS = "| layer | kind | weights left | density | inputs | outputs |\n|---|---|---:|---:|---:|---:|"
FILES = "| file | form | size | of the network as trained | checked against it |\n|---|---|---:|---:|---|"


def model_card(
    about: Mapping[str, Any],
    figures: Mapping[str, Any],
    files: Sequence[Mapping[str, Any]],
    settings: Mapping[str, str],
    runs: Mapping[str, str],
) -> str:
    """about: what is in the files (`recipes.small`). figures: of `recipes.export_figures`.

    files: of each name, form, bytes, bytes_as_trained, images, max_difference, changed, ties, accuracy, int8 (bool).
    settings: {experiment: its card, as YAML} of those that its rounds come from. runs: {what: id} of what trained it.
    """
    parts = [
        _front(about, figures),
        _what(about, figures),
        _load(about, files),
        _input(about),
        _accuracy(about, figures),
        _size(about, files),
        _lineage(about, settings, runs),
        _limits(about, figures),
    ]
    return "\n\n".join(parts) + "\n"


def _front(about: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """YAML, its values as JSON. No `license`: the data's is not the network's, and nobody has given it one."""
    dataset = {"name": about["data"]["title"], "type": about["data"]["name"]}
    result = {
        "task": {"type": "image-classification"},
        "dataset": dataset,
        "metrics": [{"type": "accuracy", "value": round(figures["accuracy"]["share"], 6)}],
    }
    entries = {
        "pipeline_tag": "image-classification",
        "tags": ["lottery-ticket", "pruning", "sparse", "lth_pipeline"],
        "metrics": ["accuracy"],
        "model-index": [{"name": name_of(about), "results": [result]}],
    }
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in entries.items()), "---"])


def name_of(about: Mapping[str, Any]) -> str:
    """What a network is called: "digits, replicate 0, round 8, ticket"."""
    return f"{about['experiment']}, replicate {about['replicate']}, round {about['round']}, {about['arm']}"


def _what(about: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    arm = ARMS[about["arm"]]
    own = figures["accuracy"]
    title = "The dense network" if about["round"] == 0 else "A lottery ticket"
    whole, there = _whole(about), about["weights_left"]
    kept = f"{there:,} of its {whole:,} weights ({left(about['density'])})" if there < whole else f"{whole:,} weights"
    return (
        f"# {title}: {name_of(about)}\n\n"
        f"A network that sorts images of {about['data']['title']} into {len(about['classes'])} classes, found by "
        f"pruning and retraining (the Lottery Ticket Hypothesis, Frankle & Carbin 2019). Arm: {arm.title}. "
        f"It has {kept}, and classifies {_percent(own['share'])} of {own['images']:,} test images correctly."
    )


def _whole(about: Mapping[str, Any]) -> int:
    return sum(layer["weights"] for layer in about["layers"])


def _load(about: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> str:
    blocks = [f"```python\n{loading(file['name'], about['image_shape'])}\n```" for file in files]
    more = "With lth_pipeline: `lth predict --model {} IMAGE.png`.".format(files[0]["name"])
    return "\n\n".join(["## Load it", *blocks, more])


def _input(about: Mapping[str, Any]) -> str:
    channels, height, width = about["image_shape"]
    colour = {"grey": "grey", "rgb": "red, green, blue"}.get(about["colour"], f"{channels} channels")
    return (
        f"## Input and output\n\n"
        f"`image`: float32 of shape (any number, {channels}, {height}, {width}), {colour}, "
        f"{values(about['image_shape'])}; normalisation is part of the network. `logits`: float32 of shape "
        f"(any number, {len(about['classes'])}), in the order of the classes:\n\n"
        f"```json\n{json.dumps(about['classes'], ensure_ascii=False)}\n```"
    )


def _accuracy(about: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    own, dense = figures["accuracy"], figures["dense"]
    said = [
        "## Accuracy",
        f"This network: {_percent(own['share'])} ({own['hits']:,} of {own['images']:,} test images; 95 % interval "
        f"{_percent(own['low'])} to {_percent(own['high'])}, Wilson).",
    ]
    if dense:
        said.append(
            f"Against the dense network of its replicate ({_percent(dense['share'])}), on the same images: "
            f"{_points(dense['difference'])} percentage points (95 % interval {_points(dense['low'])} to "
            f"{_points(dense['high'])}, Agresti & Min; right where dense is wrong: {dense['won']:,}, the other way "
            f"round: {dense['lost']:,})."
        )
    if figures["verdict"]:
        rows = [_over_replicates(name, row) for name, row in figures["verdict"].items()]
        matching = figures["verdict"]["early_stop"]["matching"]
        judged = "matches" if matching else "is not shown to match"
        rows.append(
            f"By the verdict's rule (a margin of {digits(100 * figures['margin'], 2)} percentage points at early stop, "
            f"every denser round too) a ticket of this round {judged} the dense network."
        )
        said.append(
            "Over the replicates of the experiment, ticket minus dense:\n\n" + "\n".join(f"- {r}" for r in rows)
        )
    if figures["robustness"]:
        table = ["| robustness | this network | dense |", "|---|---:|---:|"]
        for what, (mine, other) in figures["robustness"].items():
            table.append(f"| {what} | {_percent(mine)} | {_percent(other) if other is not None else '–'} |")
        said.append("\n".join(table))
    return "\n\n".join(said)


def _over_replicates(name: str, row: Mapping[str, Any]) -> str:
    interval = f", 95 % interval {_points(row['low'])} to {_points(row['high'])}" if row["low"] is not None else ""
    return f"{TESTED[name]}: {_points(row['mean'])} percentage points (mean, n = {row['n']}{interval})"


def _size(about: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        f"| {file['name']} | {file['form']} | {file['bytes']:,} bytes | {file['bytes_as_trained']:,} bytes "
        f"| {said(file)} |"
        for file in files
    ]
    layers = [
        f"| {layer['name']} | {layer['kind']} | {layer['weights_left']:,} of {layer['weights']:,} | "
        f"{left(layer['density'])} | {_of(layer, 'inputs')} | {_of(layer, 'outputs')} |"
        for layer in about["layers"]
    ]
    return "\n\n".join(
        [
            "## Size",
            "\n".join([FILES, *rows]),
            f"In the compact form units, channels and inputs that the mask cut off are gone: of {_whole(about):,} "
            f"weights {about['weights_stored']:,} are stored, zeros among them: pruned ones between what is left.",
            "\n".join([LAYERS, *layers]),
        ]
    )


def said(file: Mapping[str, Any]) -> str:
    """What came of checking a file, in words."""
    if file["int8"]:
        return (
            f"{_percent(file['accuracy'])} of {file['images']:,} test images; {file['changed']:,} predictions differ: "
            f"8 bits are another network"
        )
    changed = (
        f"{file['changed']:,} predictions differ, all of them ties" if file["changed"] else "every prediction is its"
    )
    return f"{file['images']:,} test images: {changed}, logits differ by {digits(file['max_difference'], 2)} at most"


def _of(layer: Mapping[str, Any], side: str) -> str:
    before, after = layer[side], layer[f"{side}_left"]
    return f"{after:,}" if before == after else f"{after:,} of {before:,}"


def _lineage(about: Mapping[str, Any], settings: Mapping[str, str], runs: Mapping[str, str]) -> str:
    data = about["data"]
    entries = {
        "experiment": about["experiment"],
        "replicate": about["replicate"],
        "round": about["round"],
        "data": f"{data['title']}, SHA-256 {data['digest']}",
        "licence of the data": data["licence"],
        **{f"data version, {what}": version for what, version in about["versions"].items()},
        "recipe": about["recipe"],
        **runs,
        "lth_pipeline": about["lth_pipeline"],
    }
    blocks = [
        f"<details><summary>The card {name}</summary>\n\n```yaml\n{text.rstrip()}\n```\n\n</details>"
        for name, text in settings.items()
    ]
    return "\n\n".join(
        ["## Where it comes from", "\n".join(f"- {what}: {is_}" for what, is_ in entries.items()), *blocks]
    )


def _limits(about: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    from lth_pipeline.reports.drawing import QUICK  # which imports matplotlib

    limits = [
        "It knows the classes above and no others: every image gets one of them.",
        "Its accuracy is that on test images like those it was trained on, and says nothing of others.",
        "The interval is of this one network on these images; other seeds give other networks: see the replicates.",
        "Nobody has given the network a licence; the data's is stated above.",
    ]
    if about["quick"]:
        limits.insert(0, f"Its experiment is a {QUICK}.")
    if not figures["robustness"]:
        limits.append("Its robustness has not been measured.")
    return "\n".join(["## Limits", "", *(f"- {limit}" for limit in limits)])


def _percent(share: float) -> str:
    return f"{written(100 * share, '.2f')} %"


def _points(difference: float) -> str:
    return written(100 * difference, "+.2f")
