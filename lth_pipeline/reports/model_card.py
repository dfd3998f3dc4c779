"""The model card of an exported network: Markdown, with the front matter that model hubs read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.loading import is_signal, loading, values
from lth_pipeline.reports.wording import digits, left, written

ENOUGH = 10  # replicates: with 5 a bootstrap interval of 95 % covers 84 (docs/verdict.md)
TESTED = {"early_stop": "at early stop", "end": "at the end of training"}
COMPACT = (
    " In the compact form units, channels and inputs that the mask cut off are gone; among what is stored are zeros: "
    "pruned weights between what is left."
)
LAYERS = "| layer | kind | weights left | density | inputs | outputs |\n|---|---|---:|---:|---:|---:|"
FILES = (
    "| file | form | weights stored | size | of the network as trained | checked against it |\n"
    "|---|---|---:|---:|---:|---|"
)


def model_card(
    about: Mapping[str, Any],
    figures: Mapping[str, Any],
    files: Sequence[Mapping[str, Any]],
    settings: Mapping[str, str],
    runs: Mapping[str, str],
) -> str:
    """about: what is known of the network (`recipes.small`). figures: of `recipes.export_figures`; where all files are
    int8, accuracy and dense are of the first.

    files: `Exported.described` of each: name, form, bytes, bytes_as_trained, weights_stored, layers, images,
    max_difference, changed, ties, accuracy, int8 (bool).
    settings: {experiment: its card, as YAML} of those that its rounds come from. runs: {what: id} of what trained it.
    """
    parts = [
        _front(about, figures),
        _what(about, figures, files),
        _load(about, files),
        _input(about),
        _accuracy(figures, files),
        _size(about, files),
        _lineage(about, settings, runs),
        _limits(about, figures, files),
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
        "tags": [*(["lottery-ticket", "pruning", "sparse"] if _is_pruned(about) else []), "lth_pipeline"],
        "metrics": ["accuracy"],
        "model-index": [{"name": name_of(about), "results": [result]}],
    }
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in entries.items()), "---"])


def body_of(card: str) -> str:
    """A model card without its front matter, which pages that are no model hub's show as a heading."""
    return card.split("\n---\n\n", 1)[1]


def name_of(about: Mapping[str, Any]) -> str:
    """What a network is called: "digits, replicate 0, round 8, ticket"."""
    return f"{about['experiment']}, replicate {about['replicate']}, round {about['round']}, {about['arm']}"


def _what(about: Mapping[str, Any], figures: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> str:
    arm = ARMS[about["arm"]]
    own = figures["accuracy"]
    title, found = _kind(about)
    whole, there = _whole(about), about["weights_left"]
    kept = f"{there:,} of its {whole:,} weights ({left(about['density'])})" if there < whole else f"{whole:,} weights"
    return (
        f"# {title}: {name_of(about)}\n\n"
        f"A network that sorts images of {about['data']['title']} into {len(about['classes'])} classes, {found} "
        f"(the Lottery Ticket Hypothesis, Frankle & Carbin 2019). Arm: {arm.title}. "
        f"It has {kept}, and{_in_bits(files)} classifies {_percent(own['share'])} of {own['images']:,} test images "
        f"correctly."
    )


def _kind(about: Mapping[str, Any]) -> tuple[str, str]:
    """(what it is called, how it came about)"""
    if about["round"] == 0:
        return "The dense network", "trained whole, before anything was pruned"
    if about["arm"].startswith("ticket"):
        return "A lottery ticket", "found by pruning and retraining"
    return "A control", "trained beside a ticket that was found by pruning, to be held against it"


def _is_pruned(about: Mapping[str, Any]) -> bool:
    return about["weights_left"] < _whole(about)


def _in_bits(files: Sequence[Mapping[str, Any]]) -> str:
    """Which network figures are of, where one of 8 bits is among the files: that one, if there is no other."""
    if not any(file["int8"] for file in files):
        return ""
    return " with weights of 8 bits" if all(file["int8"] for file in files) else " in float32"


def _whole(about: Mapping[str, Any]) -> int:
    return sum(layer["weights"] for layer in about["layers"])


def _load(about: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> str:
    blocks = [f"```python\n{loading(file['name'], about['image_shape'])}\n```" for file in files]
    more = (
        []
        if is_signal(about["image_shape"])
        else [f"With lth_pipeline: `lth predict --model {files[0]['name']} IMAGE.png`."]
    )
    return "\n\n".join(["## Load it", *blocks, *more])


def _input(about: Mapping[str, Any]) -> str:
    channels, height, width = about["image_shape"]
    colour = {"grey": "grey, ", "rgb": "red, green, blue, "}.get(about["colour"], f"{channels} channels, ")
    if is_signal(about["image_shape"]):
        colour = ""
    return (
        f"## Input and output\n\n"
        f"`image`: float32 of shape (any number, {channels}, {height}, {width}), {colour}"
        f"{values(about['image_shape'])}; normalisation is part of the network. `logits`: float32 of shape "
        f"(any number, {len(about['classes'])}), in the order of the classes:\n\n"
        f"```json\n{json.dumps(about['classes'], ensure_ascii=False)}\n```"
    )


def _accuracy(figures: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> str:
    own, dense, eight = figures["accuracy"], figures["dense"], all(file["int8"] for file in files)
    said = [
        "## Accuracy",
        f"This network{_in_bits(files)}: {_percent(own['share'])} ({own['hits']:,} of {own['images']:,} test images; "
        f"95 % interval {_percent(own['low'])} to {_percent(own['high'])}, Wilson).",
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
        exactly = ", all of them in float32" if eight else ""
        said.append(
            f"Over the replicates of the experiment, ticket minus dense{exactly}:\n\n"
            + "\n".join(f"- {r}" for r in rows)
        )
    if figures["robustness"]:
        mine = "this network in float32" if eight else "this network"
        table = [f"| robustness | {mine} | dense |", "|---|---:|---:|"]
        for what, (mine, other) in figures["robustness"].items():
            table.append(f"| {what} | {_percent(mine)} | {_percent(other) if other is not None else '–'} |")
        said.append("\n".join(table))
    return "\n\n".join(said)


def _over_replicates(name: str, row: Mapping[str, Any]) -> str:
    few = ", which covers less than that where n is this small" if row["n"] < ENOUGH else ""
    ends = f"{_points(row['low'])} to {_points(row['high'])}" if row["low"] is not None else ""
    interval = f"; 95 % bootstrap interval {ends}{few}" if ends else ""
    return f"{TESTED[name]}: {_points(row['mean'])} percentage points (mean, n = {row['n']}{interval})"


def _size(about: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        f"| {file['name']} | {file['form']} | {file['weights_stored']:,} | {file['bytes']:,} bytes | "
        f"{file['bytes_as_trained']:,} bytes | {said(file)} |"
        for file in files
    ]
    same = [[other["name"] for other in files if other["layers"] == file["layers"]] for file in files]
    layers = {
        ", ".join(names): "\n".join([LAYERS, *map(_layer, file["layers"])])
        for names, file in zip(same, files, strict=True)
    }
    tables = list(layers.values()) if len(layers) == 1 else [f"{of}:\n\n{table}" for of, table in layers.items()]
    return "\n\n".join(
        [
            "## Size",
            "\n".join([FILES, *rows]),
            f"The network was trained with {_whole(about):,} weights.{COMPACT if _is_pruned(about) else ''}",
            *tables,
        ]
    )


def _layer(layer: Mapping[str, Any]) -> str:
    return (
        f"| {layer['name']} | {layer['kind']} | {layer['weights_left']:,} of {layer['weights']:,} | "
        f"{left(layer['density'])} | {_of(layer, 'inputs')} | {_of(layer, 'outputs')} |"
    )


def said(file: Mapping[str, Any]) -> str:
    """What came of checking a file, in words."""
    if file["int8"]:
        return (
            f"{_percent(file['accuracy'])} of {file['images']:,} test images, asked one by one; {file['changed']:,} "
            f"predictions differ: 8 bits are another network"
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
        **_origins(about.get("origins", [])),
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


def _origins(origins: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Whose ticket it was before, in words."""
    found, what_of = {}, "ticket"
    for origin in origins:
        whose = f"{origin['experiment']}, replicate {origin['replicate']}, round {origin['round']}"
        if "registry" in origin:
            whose += f" (registry:{origin['registry']}: version {origin['version']}, MLflow run {origin['run']})"
        versions = [f"data version of its {what} {origin[what]}" for what in ("mask", "weights") if origin[what]]
        found[f"{what_of} from"] = "; ".join([whose, *versions])
        what_of = f"that ticket of {origin['experiment']}"
    return found


def _limits(about: Mapping[str, Any], figures: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> str:
    from lth_pipeline.reports.drawing import QUICK  # which imports matplotlib

    limits = [
        "It knows the classes above and no others: every image gets one of them.",
        "Its accuracy is that on test images like those it was trained on, and says nothing of others.",
        "The interval is of this one network on these images; other seeds give other networks: see the replicates.",
        "Nobody has given the network a licence; the data's is stated above.",
    ]
    if about["quick"]:
        limits.insert(0, f"Its experiment is a {QUICK}.")
    if any(file["int8"] for file in files):
        limits.append(
            "With weights of 8 bits, what an image is taken for may change with the images that are asked in the same "
            "call: one scale is taken over all of them. Ask one at a time, as its accuracy was measured."
        )
    if not figures["robustness"]:
        limits.append("Its robustness has not been measured.")
    return "\n".join(["## Limits", "", *(f"- {limit}" for limit in limits)])


def _percent(share: float) -> str:
    return f"{written(100 * share, '.2f')} %"


def _points(difference: float) -> str:
    return written(100 * difference, "+.2f")
