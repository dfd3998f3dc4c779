"""Files of a small network: written in the form that is asked for, read back, and held against the trained network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lth_pipeline.lottery.small.errors import ExportError
from lth_pipeline.lottery.small.singly import Logits, singly
from lth_pipeline.recipes.checked import Checked, checked, compared
from lth_pipeline.recipes.small import Ticket, in_place

if TYPE_CHECKING:
    from lth_pipeline.lottery.small.compact import Small

#: what a file may end with -> what it is called
FORMATS = {".onnx": "ONNX", ".pt2": "torch.export", ".safetensors": "safetensors"}


@dataclass(frozen=True)
class Form:
    """How a network is written. suffix: of FORMATS. sparse: of .safetensors, weights as CSR or BSR where that is
    smaller. int8: of .onnx, weights of 8 bits. as_trained: nothing is taken out."""

    suffix: str
    sparse: bool = False
    int8: bool = False
    as_trained: bool = False

    def __str__(self) -> str:
        more = [word for word, said in (("sparse", self.sparse), ("int8", self.int8)) if said]
        return ", ".join([FORMATS[self.suffix], *more, "as trained" if self.as_trained else "compact"])


@dataclass(frozen=True)
class Exported:
    """A file that is written and checked. bytes: its size. bytes_as_trained: of the same network in the same format,
    whole and float32. about: what it says of itself."""

    path: Path
    form: Form
    bytes: int
    bytes_as_trained: int
    about: dict[str, Any]
    checked: Checked

    @property
    def described(self) -> dict[str, Any]:
        """As a model card says it."""
        found = self.checked
        return {
            **{"name": self.path.name, "form": str(self.form), "int8": self.form.int8},
            **{"bytes": self.bytes, "bytes_as_trained": self.bytes_as_trained},
            **{"weights_stored": self.about["weights_stored"], "layers": self.about["layers"]},
            **{"images": found.images, "max_difference": found.max_difference, "changed": found.changed},
            **{"ties": found.ties, "accuracy": found.accuracy},
        }


def write(ticket: Ticket, form: Form, path: Path) -> Exported:
    """Write `path`, read it back and ask it about every test image.

    Raises DiffersError where it does not say what the trained network says; of int8 that is measured, not judged.
    ExportError where a package is missing, or `path` cannot be written.
    """
    content = content_of(ticket, form)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ExportError(f"{path.name}: cannot be written ({error.strerror})") from error
    whole = (
        content
        if form == Form(form.suffix, as_trained=True)
        else content_of(ticket, Form(form.suffix, as_trained=True))
    )
    logits_of = read_back(path)
    # of int8 one by one: an image's answer would depend on the others, and take about as long
    found = compared(ticket, singly(logits_of)) if form.int8 else checked(ticket, logits_of, f"{path.name} ({form})")
    return Exported(path, form, len(content), len(whole), about_of(ticket, form), found)


def content_of(ticket: Ticket, form: Form) -> bytes:
    """What the file holds; the same network gives the same bytes."""
    small, about = network_of(ticket, form), about_of(ticket, form)
    match form.suffix:
        case ".onnx":
            from lth_pipeline.lottery.small.onnx_file import int8_bytes, onnx_bytes

            content = onnx_bytes(small, about)
            return int8_bytes(content) if form.int8 else content
        case ".pt2":
            from lth_pipeline.lottery.small.pt2_file import pt2_bytes

            return pt2_bytes(small, about)
        case ".safetensors":
            from lth_pipeline.lottery.small.safetensors_file import safetensors_bytes

            return safetensors_bytes(small, about, form.sparse)
    raise ValueError(f"no format {form.suffix!r}")


def network_of(ticket: Ticket, form: Form) -> Small:
    """The network that the file holds."""
    small = ticket.whole if form.as_trained else ticket.small
    if form.suffix == ".onnx":
        from lth_pipeline.lottery.small.inputs import with_all_inputs

        return with_all_inputs(small)
    return small


def about_of(ticket: Ticket, form: Form) -> dict[str, Any]:
    """What the file says of itself: `Ticket.about`, where it speaks of the small network by what is in the file."""
    from lth_pipeline.lottery.small.sparse import values_stored

    small = network_of(ticket, form)
    return {
        **ticket.about,
        "weights_stored": values_stored(small) if form.sparse else small.weights,
        "layers": in_place(ticket.about["layers"], small),
        "form": str(form),
    }


def read_back(path: Path) -> Logits:
    """What computes the logits of a file, by what people read it with: onnxruntime, torch, the file's own loader."""
    if path.suffix == ".onnx":
        from lth_pipeline.lottery.small.onnx_file import session

        running = session(path)
        return lambda images: running.run(["logits"], {"image": images})[0]
    import torch

    if path.suffix == ".pt2":
        network = torch.export.load(path).module()
    else:
        from lth_pipeline.lottery.small.network import load

        network = load(str(path))

    def logits(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()

    return logits
