"""The forms that a trained network can have, each built, checked and measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.small.measure import COMPRESSOR, compressed, finished, latency
from lth_pipeline.lottery.small.memory import onnx_peaks, torch_peak
from lth_pipeline.lottery.small.network import Network
from lth_pipeline.lottery.small.onnx_file import INPUT, OUTPUT, session
from lth_pipeline.lottery.small.semi_structured import has_kernels, semi_structured
from lth_pipeline.lottery.small.singly import singly
from lth_pipeline.lottery.small.sparse import choose, sparse_tensors
from lth_pipeline.lottery.training.precision import computing
from lth_pipeline.recipes.analyses.analysis import Found, Rows
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.checked import compared
from lth_pipeline.recipes.exported import Form as Written
from lth_pipeline.recipes.exported import about_of, content_of, network_of
from lth_pipeline.recipes.route import processor
from lth_pipeline.recipes.small import Ticket, ticket_of
from lth_pipeline.recipes.workshop import Workshop

#: images a call: one, as an answer to one request, and as many as keep a processor busy
ONE, MANY = 1, 64
#: forms that round, so that they need not say what the trained network says
INEXACT = ("int8", "2:4")
#: name of a form -> the file that it is
IN_TORCH = {
    "as trained": Written(".safetensors", as_trained=True),
    "compact": Written(".safetensors"),
    "sparse": Written(".safetensors", sparse=True),
}
IN_ONNX = {
    "as trained": Written(".onnx", as_trained=True),
    "compact": Written(".onnx"),
    "int8": Written(".onnx", int8=True),
}


@dataclass(frozen=True)
class Form:
    """A network in a form, and its row. run: float32 images (N, C, H, W), where it runs, -> logits (N, classes), there.

    device: where it takes images; None: onnxruntime's, which takes NumPy's. content: its file; None: there is no file
    of it. alone: whether an image's answer depends on which others are asked with it, so that each is asked alone.
    """

    row: dict[str, Any]
    run: Callable[[Any], Any]
    device: torch.device | None
    content: bytes | None = field(default=None, repr=False)
    alone: bool = False

    def logits(self, images: np.ndarray) -> np.ndarray:
        if self.device is None:
            return (singly(self.run) if self.alone else self.run)(images)
        with torch.inference_mode():
            return self.run(torch.from_numpy(images).to(self.device)).cpu().numpy()

    def call(self, images: torch.Tensor) -> Callable[[], Any]:
        """A call on these images, which lie ready where they are read."""
        if self.device is None:
            ready = np.ascontiguousarray(images.numpy())
            return lambda: self.run(ready)
        there = images.to(self.device)
        return finished(lambda: self.run(there), self.device)


def measured(
    workshop: Workshop, chain: Chain, rounds: Sequence[int], *, onnx: bool, semi_structured: bool = False
) -> Found:
    """Tables forms, layers and machine of one replicate. onnx: whether onnxruntime is measured, too. semi_structured:
    whether 2:4 is wanted.

    Every form runs on one thread: PyTorch's on the device that trains, onnxruntime's on the CPU. Times are of calls
    with images that lie ready in memory, the networks of all rounds taking turns.
    """
    device = workshop.training_device()
    forms: list[Form] = []
    layers: Rows = []
    images = None
    for round in rounds:
        ticket = ticket_of(workshop, chain, round)
        images = next(chunks(ticket.data.test, MANY))[0] if images is None else images
        with computing("float32", device):
            of_round = [*_in_torch(ticket, device, semi_structured), *(_in_onnx(ticket) if onnx else [])]
            forms += [_checked(ticket, form) for form in of_round]
        layers += _layers(ticket)
    several = images[torch.arange(MANY) % len(images)]
    _add_peaks(forms, several)
    with _one_thread(), computing("float32", device):
        _add_times(forms, several)
    return Found(
        {
            "forms": [form.row for form in forms],
            "layers": layers,
            "machine": [_machine(chain, device, forms, onnx, semi_structured)],
        }
    )


def _in_torch(ticket: Ticket, device: torch.device, two_four: bool) -> Iterator[Form]:
    for name, written in IN_TORCH.items():
        small = network_of(ticket, written)
        network = Network(small.program, sparse_tensors(small) if written.sparse else small.tensors).eval().to(device)
        content, weights = content_of(ticket, written), about_of(ticket, written)["weights_stored"]
        yield Form(_row(ticket, name, "torch", device.type, weights, content), network, device, content)
    if two_four and has_kernels(device):
        yield from _in_two_four(ticket, device)


def _in_two_four(ticket: Ticket, device: torch.device) -> Iterator[Form]:
    """Of the small network, or, where what was taken out has moved its weights apart, of the whole one."""
    for small in (ticket.small, ticket.whole):
        on_device = {name: tensor.to(device) for name, tensor in small.tensors.items()}
        found = semi_structured(on_device, small.program)
        if found is not None:
            network = Network(small.program, found[0]).eval()
            row = _row(ticket, "2:4", "torch", device.type, small.weights - found[1], None)
            yield Form(row, _Half(network), device)
            return


class _Half(torch.nn.Module):
    """A network in float16 that takes and gives float32."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images.half()).float()


def _in_onnx(ticket: Ticket) -> Iterator[Form]:
    for name, written in IN_ONNX.items():
        content, weights = content_of(ticket, written), about_of(ticket, written)["weights_stored"]
        running = session(content)

        def run(images: np.ndarray, running=running) -> np.ndarray:
            return running.run([OUTPUT], {INPUT: images})[0]

        row = _row(ticket, name, "onnxruntime", "cpu", weights, content)
        yield Form(row, run, None, content, alone=written.int8)


def _row(ticket: Ticket, form: str, runtime: str, device: str, weights: int, content: bytes | None) -> dict[str, Any]:
    about = ticket.about
    return {
        **{name: about[name] for name in ("replicate", "round", "density", "arm")},
        **{"form": form, "runtime": runtime, "device": device, "weights": weights},
        "bytes": None if content is None else len(content),
        "bytes_compressed": None if content is None else compressed(content),
    }


def _checked(ticket: Ticket, form: Form) -> Form:
    """With what it says of all test images."""
    found = compared(ticket, form.logits)
    form.row.update(
        {
            **{"accuracy": found.accuracy, "changed": found.changed, "ties": found.ties},
            **{"max_difference": found.max_difference, "scale": found.scale},
            **{"exact": form.row["form"] not in INEXACT, "same": found.same},
        }
    )
    return form


def _add_peaks(forms: Sequence[Form], images: torch.Tensor) -> None:
    """At MANY images."""
    for form in forms:
        if form.device is not None:
            form.row["peak_bytes"] = torch_peak(form.run, images.to(form.device))
    in_onnx = [form for form in forms if form.device is None]
    peaks = onnx_peaks([form.content for form in in_onnx], MANY) if in_onnx else []
    for form, peak in zip(in_onnx, peaks or [None] * len(in_onnx), strict=True):
        form.row["peak_bytes"] = peak


def _add_times(forms: Sequence[Form], images: torch.Tensor) -> None:
    calls = {(place, batch): form.call(images[:batch]) for place, form in enumerate(forms) for batch in (ONE, MANY)}
    with torch.inference_mode():
        times = latency(calls)
    for (place, batch), found in times.items():
        row, name = forms[place].row, f"latency_{batch}"
        row |= {f"{name}_ms": found.median, f"{name}_low_ms": found.low, f"{name}_high_ms": found.high}
        if batch == MANY:
            row["images_per_second"] = 1e3 * MANY / found.median


def _layers(ticket: Ticket) -> Rows:
    stored = choose(ticket.small)
    rows = []
    for layer in ticket.about["layers"]:
        kept = stored.get(f"{layer['name']}.weight")  # nothing is left of a layer that the logits do not depend on
        rows.append(
            {
                **{name: ticket.about[name] for name in ("replicate", "round")},
                **{"layer": layer["name"], "kind": layer["kind"], "density": layer["density"]},
                **{name: layer[name] for name in ("inputs", "outputs", "inputs_left", "outputs_left")},
                **{"stored_as": kept.form if kept else None, "bytes": kept.bytes if kept else 0},
            }
        )
    return rows


def _machine(chain: Chain, device: torch.device, forms: Sequence[Form], onnx: bool, two_four: bool) -> dict[str, Any]:
    """left_out: which forms are not there, and why, in words; None: all are."""
    left_out = [] if onnx else ["onnxruntime and int8 are left out: pip install --editable '.[export]'"]
    if two_four and not has_kernels(device):
        left_out.append("2:4 is left out: it needs a CUDA device of compute capability 8.0 or more")
    elif two_four and not any(form.row["form"] == "2:4" for form in forms):
        left_out.append("2:4 is left out: no fully connected layer has two of every four weights zero")
    if onnx:
        import onnxruntime
    return {
        "replicate": chain.replicate,
        "device": device.type,
        "processor": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "cpu": processor(),
        "threads": 1,
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__ if onnx else None,
        "compressor": COMPRESSOR,
        "left_out": "; ".join(left_out) or None,
    }


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
