"""The file that a published ticket is: its mask, its weights before and after training, and whose it was.

One .safetensors file, `ticket.safetensors`. Tensors: "mask/NAME" (bool, an entry for every prunable weight),
"rewound/NAME" and "trained/NAME" (float32, every tensor of the network). Facts: JSON under the one key of its metadata
(two keys would be written in any order), sealed with the content, so that a bit that flips anywhere is noticed.

    from lth_pipeline.recipes.published import read_ticket
    ticket = read_ticket("ticket.safetensors")
    ticket.facts["experiment"], ticket.mask, ticket.trained
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.errors import PublishedError
from lth_pipeline.recipes.ladder import network_settings
from lth_pipeline.recipes.published_facts import FORMAT, fault_of
from lth_pipeline.recipes.step import Step

if TYPE_CHECKING:
    import torch

    from lth_pipeline.recipes.workshop import Workshop

FILE = "ticket.safetensors"  # what the artifact of a model version's run is called
KEY = "lth_pipeline"  # of the facts, in the file's metadata
PARTS = ("mask", "rewound", "trained")
NORM = {"weight", "bias", "running_mean", "running_var"}  # the tensors of a batch norm
DAMAGE = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Published:
    """mask: {weight name: bool, True where it survives}. rewound: the weights that the ticket returned to, whole: the
    mask is yet to be laid on them, so that a control may lay another. trained: those at the end of its training, zero
    where the mask is. facts: `published_facts.py`."""

    mask: dict[str, torch.Tensor]
    rewound: dict[str, torch.Tensor]
    trained: dict[str, torch.Tensor]
    facts: dict[str, Any]


def ticket_bytes(
    mask: Mapping[str, torch.Tensor],
    rewound: Mapping[str, torch.Tensor],
    trained: Mapping[str, torch.Tensor],
    facts: Mapping[str, Any],
) -> bytes:
    """The file, the same bytes for the same content. Raises PublishedError where it would not be read again."""
    import torch
    from safetensors.torch import save

    parts = dict(zip(PARTS, (mask, rewound, trained), strict=True))
    tensors = {  # copies: safetensors writes none that share memory
        f"{part}/{name}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for part, named in parts.items()
        for name, tensor in named.items()
    }
    said = json.loads(json.dumps(facts, allow_nan=False))
    _check(_parted(tensors), said, "this ticket")
    return save(tensors, metadata={KEY: json.dumps({"facts": said, "sha256": _seal(said, tensors)}, sort_keys=True)})


def read_ticket(source: str | Path | bytes) -> Published:
    """The ticket in a file, or in its bytes, verified. Raises PublishedError, which names the file and its fault."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    named, content = _content(source)
    try:
        tensors = dict(sorted(load(content).items()))
        sealed = json.loads(_metadata(content)[KEY])
        facts, seal = sealed["facts"], sealed["sha256"]
        parts = _parted(tensors)
        if _seal(facts, tensors) != seal:
            raise ValueError("its content does not have the SHA-256 that was written with it")
    except (SafetensorError, *DAMAGE) as error:
        said = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        raise PublishedError(
            f"{named}: is not a published ticket, or was damaged ({said[:200]}); publish it again, or fetch it again"
        ) from error
    _check(parts, facts, named)
    return Published(**parts, facts=facts)


def published_bytes(workshop: Workshop, chain: Chain, round: int) -> bytes:
    """The file of the ticket of `round`; what of it is missing is made."""
    from lth_pipeline.recipes.artifacts import weights_of
    from lth_pipeline.recipes.steps import laid_under

    facts, ticket = facts_of_ticket(workshop, chain, round), Step("ticket", round)
    inputs = {name: _load(workshop, chain, step) for name, step in chain.inputs(ticket).items()}
    trained = weights_of(_load(workshop, chain, chain.main(round)))
    rewound = laid_under(chain, ticket, "weights", inputs)
    return ticket_bytes(inputs["mask"], rewound, trained, facts)


def facts_of_ticket(workshop: Workshop, chain: Chain, round: int) -> dict[str, Any]:
    """What is written of the ticket of `round`, from 1 on; what of it is missing is made. Raises PublishedError for
    round 0, and for a training that diverged."""
    if round < 1:
        raise PublishedError(f"{chain.name}, round {round}: the dense network is no ticket; publish a round from 1 on")
    mask, ticket, trained = (
        workshop.make(chain, step) for step in (Step("mask", round), Step("ticket", round), chain.main(round))
    )
    at = trained.facts.get("diverged_at")
    if at is not None:
        raise PublishedError(
            f"{chain.name}, replicate {chain.replicate}, round {round}: its training diverged at iteration {at:,}; "
            "publish another round"
        )
    card, data = chain.owner(round), chain.facts(round)
    return {
        "format": FORMAT,
        "experiment": chain.name,
        "replicate": chain.replicate,
        "round": round,
        "arm": "ticket",
        "model": {"name": card.model.name, **json.loads(json.dumps(network_settings(card)))},
        "structure": chain.structure(round),
        "image_shape": list(data.image_shape),
        "classes": data.classes,
        "layers": [[layer.name, layer.kind, list(layer.shape), layer.bias] for layer in chain.model(round).layers],
        "density": mask.facts["density"],
        "weights": mask.facts["weights"],
        "data": {"title": data.title, "digest": data.digest},
        "versions": {"mask": mask.version, "ticket": ticket.version, "trained": trained.version},
        "recipes": {"trained": trained.recipe.id},
    }


def _load(workshop: Workshop, chain: Chain, step: Step) -> dict[str, torch.Tensor]:
    return workshop.store.load(workshop.make(chain, step).version)


def _content(source: str | Path | bytes) -> tuple[str, bytes]:
    """(what messages call it, its bytes)"""
    if isinstance(source, bytes):
        return "the bytes given", source
    try:
        return str(source), Path(source).read_bytes()
    except OSError as error:
        raise PublishedError(f"{source}: cannot be read ({error.strerror})") from error


def _metadata(content: bytes) -> Mapping[str, str]:
    """Of a file that safetensors has read: what stands in front of its tensors."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])["__metadata__"]


def _parted(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """{part: {name: tensor}}. Raises ValueError for a tensor of no part."""
    found: dict[str, dict[str, torch.Tensor]] = {part: {} for part in PARTS}
    for key, tensor in tensors.items():
        part, _, name = key.partition("/")
        if part not in found or not name:
            raise ValueError(f"its tensor {key!r} is none of {', '.join(f'{part}/NAME' for part in PARTS)}")
        found[part][name] = tensor
    return found


def _check(parts: Mapping[str, Mapping[str, torch.Tensor]], facts: Any, named: str) -> None:
    """Raise PublishedError where the tensors are not those of the network that the facts describe."""
    fault = fault_of(facts) or _fault_of_tensors(parts, facts)
    if fault:
        raise PublishedError(f"{named}: is not a ticket that can be used: {fault}")


def _fault_of_tensors(parts: Mapping[str, Mapping[str, torch.Tensor]], facts: Mapping[str, Any]) -> str:
    """In words; empty where they are right."""
    import torch

    mask, rewound, trained = (parts[part] for part in PARTS)
    shapes = {f"{name}.weight": tuple(shape) for name, _, shape, _ in facts["layers"]}
    biases = {f"{name}.bias": (shape[0],) for name, _, shape, bias in facts["layers"] if bias}
    wanted = {"mask": shapes, "rewound": shapes | biases, "trained": shapes | biases}
    for part, named in parts.items():
        dtype = torch.bool if part == "mask" else torch.float32
        for name, shape in wanted[part].items():
            if name not in named:
                return f"its tensor {part}/{name} is missing"
            if tuple(named[name].shape) != shape:
                return f"its tensor {part}/{name} has the shape {tuple(named[name].shape)}; its layer has {shape}"
        for name, tensor in named.items():
            if tensor.dtype != dtype:
                return f"its tensor {part}/{name} is {tensor.dtype}; it must be {dtype}"
            if part != "mask" and not bool(tensor.isfinite().all()):
                return f"its tensor {part}/{name} is not finite everywhere"
    if unknown := sorted(mask.keys() - shapes.keys()):
        return f"its tensor mask/{unknown[0]} belongs to none of its layers"
    extra = {name: tuple(tensor.shape) for name, tensor in rewound.items() if name not in wanted["rewound"]}
    if fault := _fault_of_norms(extra, facts):
        return fault
    if {name: tensor.shape for name, tensor in rewound.items()} != {n: t.shape for n, t in trained.items()}:
        return "the weights before and after its training are not those of one network"
    if any(bool((trained[name][~alive] != 0).any()) for name, alive in mask.items()):
        return "some of its trained weights are not zero where the mask is"
    left = sum(int(tensor.sum()) for tensor in mask.values())
    if left != facts["weights"]:
        return f"its mask leaves {left:,} weights, its facts say {facts['weights']:,}"
    return ""


def _fault_of_norms(extra: Mapping[str, tuple[int, ...]], facts: Mapping[str, Any]) -> str:
    """Of the tensors that belong to no layer: every layer without a bias has a batch norm, of four tensors."""
    norms: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, shape in extra.items():
        norm, _, kind = name.rpartition(".")
        norms.setdefault(norm, {})[kind] = shape
    for norm, tensors in norms.items():
        if tensors.keys() != NORM or len(set(tensors.values())) > 1:
            return f"its tensors {norm}.… belong to none of its layers, and are no batch norm"
    found = sorted(tensors["weight"] for tensors in norms.values())
    expected = sorted((shape[0],) for _, _, shape, bias in facts["layers"] if not bias)
    return "" if found == expected else "its batch norms are not those that its layers without a bias have"


def _seal(facts: Any, tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over the facts and all tensors: names, dtypes, shapes and values."""
    from lth_pipeline.lottery.digest import digest

    return hashlib.sha256(json.dumps([facts, digest(tensors)], sort_keys=True).encode()).hexdigest()
