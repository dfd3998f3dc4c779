"""What is published of a ticket: its files, and what they and the registry say of it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lth_pipeline.recipes.analyses.analysis import Subject
from lth_pipeline.recipes.promotion import Candidate, Judged

if TYPE_CHECKING:
    from lth_pipeline.recipes.exported import Exported
    from lth_pipeline.recipes.small import Ticket
    from lth_pipeline.tracking.registry import Publication
    from lth_pipeline.tracking.tracker import Tracker

FORM = "compact"  # what was exported: the network without what its mask has cut off
ONNX, NETWORK, CARD = "ticket.onnx", "network.safetensors", "MODEL_CARD.md"  # beside the one of recipes/published.py
EXAMPLES = 2  # test images that show what goes in


@dataclass(frozen=True)
class Made:
    """A ticket's publication, and what Dagster's page says of it. size: in words. card: the model card, Markdown."""

    publication: Publication
    version: str  # its data version
    size: str
    card: str


def made_of(
    subject: Subject, candidate: Candidate, judged: Judged, model: str, tracker: Tracker, said: Mapping[str, str]
) -> Made:
    """The publication of a candidate as a version of the registered model `model`. said: tags of its run.

    Its files are read back and asked about every test image: raises ExportError where one says other than the trained
    network.
    """
    from lth_pipeline.lottery.data.batches import chunks
    from lth_pipeline.lottery.small.safetensors_file import LOADER, loader_bytes
    from lth_pipeline.recipes.exported import Form, write
    from lth_pipeline.recipes.published import FILE, published_bytes
    from lth_pipeline.recipes.small import ticket_of
    from lth_pipeline.tracking.registry import KIND, Publication

    workshop, card = subject.workshop, subject.experiment
    chain = next(chain for chain in subject.chains if chain.replicate == candidate.replicate)
    ticket = ticket_of(workshop, chain, candidate.round)
    with tempfile.TemporaryDirectory(prefix="lth-") as folder:
        written = [write(ticket, Form(Path(name).suffix), Path(folder) / name) for name in (ONNX, NETWORK)]
        files = {one.path.name: one.path.read_bytes() for one in written}
    text = _card(ticket, subject, written)
    training = _training(tracker, ticket)
    publication = Publication(
        model=model,
        about=card.description,
        note=_note(ticket, candidate, judged, written[0].about["weights_stored"]),
        experiment=card.name,
        described=card.description,
        title=f"{KIND} · round {candidate.round:02d} · replicate {candidate.replicate}",
        onnx=files[ONNX],
        examples=next(chunks(ticket.data.test, EXAMPLES))[0].numpy(),
        classes=len(ticket.about["classes"]),
        files={
            **files,
            LOADER: loader_bytes(),
            FILE: published_bytes(workshop, chain, candidate.round),
            CARD: text.encode(),
        },
        tags={**_tags(ticket, candidate, judged, card.analysis.margin), **training},
        said={**said, **training, "lth.replicate": str(candidate.replicate), "lth.round": str(candidate.round)},
    )
    small, whole = written[0].bytes, written[0].bytes_as_trained
    size = f"{small:,} bytes as ONNX, {small / whole:.2f} of the dense network's {whole:,}"
    return Made(publication, ticket.about["versions"]["trained"], size, text)


def _card(ticket: Ticket, subject: Subject, written: list[Exported]) -> str:
    from lth_pipeline.recipes.export_figures import figures
    from lth_pipeline.recipes.small import lineage
    from lth_pipeline.reports.model_card import body_of, model_card

    described = [one.described for one in written]
    return body_of(model_card(ticket.about, figures(ticket, subject), described, *lineage(ticket)))


def _tags(ticket: Ticket, candidate: Candidate, judged: Judged, margin: float) -> dict[str, str]:
    about = ticket.about
    return {
        "lth.experiment": about["experiment"],
        "lth.replicate": str(candidate.replicate),
        "lth.round": str(candidate.round),
        "lth.density": f"{about['density']:.6g}",
        "lth.form": FORM,
        "lth.data_version": about["versions"]["trained"],
        "lth.recipe": about["recipe"],
        "lth.test_accuracy": f"{judged.ticket:.6g}",
        "lth.dense_test_accuracy": f"{judged.dense:.6g}",
        "lth.margin": f"{margin:g}",
        "lth.chosen_by": candidate.why,
    }


def _training(tracker: Tracker, ticket: Ticket) -> dict[str, str]:
    """Tags that name the run of the ticket's training, which stays as long as the published one; none without it."""
    from lth_pipeline.tracking.runs import run_ids

    about = ticket.about
    key = (about["replicate"], about["round"], about["arm"], about["versions"]["trained"])
    run_id = run_ids(tracker, about["experiment"]).get(key)
    if run_id is None:
        return {}
    return {"lth.trained_in_run": run_id, "lth.trained_in_url": tracker.run_url(about["experiment"], run_id)}


def _note(ticket: Ticket, candidate: Candidate, judged: Judged, stored: int) -> str:
    from lth_pipeline.reports.loading import values

    about = ticket.about
    shape = " × ".join(map(str, about["image_shape"]))
    quick = " It was trained by a quick protocol." if about["quick"] else ""
    return (
        f"**{about['experiment']}, replicate {candidate.replicate}, round {candidate.round}**: a ticket with "
        f"{100 * about['density']:.3g} % of the weights ({about['weights_left']:,}), {stored:,} "
        f"numbers stored for them, on {about['data']['title']}.{quick}\n\n{judged.why}\n\n"
        f"Chosen by: {candidate.why}.\n\nIn: images of {shape}, float32, {values(about['image_shape'])}. Out: "
        f"logits of {len(about['classes'])} classes. All that is known of it: `{CARD}` in its run."
    )
