"""One card."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lth_pipeline.experiments.settings.analysis import AnalysisSettings
from lth_pipeline.experiments.settings.arms import DistillationSettings, EarlyBirdSettings
from lth_pipeline.experiments.settings.base import Count, Few, FieldFault, Settings, distinct, sequence, setting
from lth_pipeline.experiments.settings.data import DataSettings
from lth_pipeline.experiments.settings.model import ModelSettings
from lth_pipeline.experiments.settings.pruning import PruningSettings
from lth_pipeline.experiments.settings.resources import ResourceSettings
from lth_pipeline.experiments.settings.rewind import RewindSettings
from lth_pipeline.experiments.settings.sweep import SweepPoint
from lth_pipeline.experiments.settings.training import TrainingSettings
from lth_pipeline.experiments.settings.transfer import TransferSettings

#: arms with a random draw of their own
DRAWN = {"reinit", "reinit_same_sign", "random_mask", "shuffled_mask"}
#: arms that lay another mask on the ticket's own weights
MOVED = ("random_mask", "shuffled_mask")
#: criteria whose mask can be followed while the dense network is trained
FOLLOWED = ("magnitude", "magnitude_increase", "movement")


class Branch(Settings):
    experiment: str = setting(description="whose rounds to take over")
    round: Count = setting(description="the first round that is this experiment's own")


class Experiment(Settings):
    """One card. `name` is the name of its file."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    description: str = setting("", description="one sentence for lists")
    quick: bool = setting(False, description="a shortened protocol, to try things out: every figure and table says so")
    data: DataSettings = setting(description="what it learns from")
    model: ModelSettings = setting(description="the network")
    training: TrainingSettings = setting(description="how it is trained")
    pruning: PruningSettings = setting(description="how it is pruned")
    rewind: RewindSettings = RewindSettings()
    arms: Annotated[
        tuple[
            Literal[
                "ticket",
                "reinit",
                "reinit_same_sign",
                "random_mask",
                "shuffled_mask",
                "dense_small",
                "ticket_distilled",
            ],
            ...,
        ],
        BeforeValidator(sequence),
        AfterValidator(distinct),
    ] = setting(
        ("ticket", "reinit"),
        description="what is trained in each round: ticket, and what it is held against; docs/arms.md",
        source="Frankle & Carbin 2019, §2; Zhou et al. 2019, §4; Frankle et al. 2021, §4; Liu et al. 2019",
    )
    draws: Few = setting(
        1,
        description="how often each arm that is drawn at random is drawn in a round",
        source="Frankle & Carbin 2019, §2: 3",
    )
    distillation: DistillationSettings | None = setting(
        None, description="of the arm ticket_distilled, which the trained dense network teaches"
    )
    find_early: bool = setting(
        False,
        description="follow the mask during dense training and prune where it settles, not at the end",
        source="You et al. 2020 (Drawing Early-Bird Tickets)",
    )
    early_bird: EarlyBirdSettings | None = setting(None, description="of find_early: when a mask has settled")
    replicates: Few = setting(description="how many seeds `lth run` takes", source="Frankle & Carbin 2019, §2: 5")
    scheduled: bool = setting(
        False, description="bring it up to date every night, once the schedule `nightly` is on (docs/unattended.md)"
    )
    resources: ResourceSettings | None = setting(
        None, description="what each of its runs holds, on a cluster (docs/cluster.md)"
    )
    analysis: AnalysisSettings = setting(
        AnalysisSettings(),
        description="what its analyses look at (docs/analyses.md); nothing is trained otherwise for it",
    )
    seed: Annotated[int, Field(ge=0, lt=2**63)] = setting(0, description="the root of every random stream")
    based_on: str | None = setting(
        None, description="another experiment, whose settings hold where this card is silent"
    )
    branch_of: Branch | None = setting(None, description="take over another experiment's rounds below `round`")
    ticket_from: TransferSettings | None = setting(
        None,
        description="take a ticket that was found elsewhere: by another experiment, or published",
        source="Morcos et al. 2019",
    )
    sweep: SweepPoint | None = Field(None, exclude=True)  # the loader's: not a line of a card

    @model_validator(mode="after")
    def _fields_agree(self) -> Experiment:
        if "ticket" not in self.arms:
            raise FieldFault("arms", list(self.arms), "must contain ticket: each round prunes the one before it")
        if self.rewind.iteration >= self.training.iterations:
            expected = f"must be below training.iterations ({self.training.iterations})"
            raise FieldFault("rewind.iteration", self.rewind.iteration, expected)
        self._check_arms()
        self._check_early()
        if self.rewind.mode == "fine_tuning" and self.training.schedule == "cosine":
            expected = "trains on at the last learning rate, which schedule: cosine brings to 0; use learning_rate"
            raise FieldFault("rewind.mode", "fine_tuning", expected)
        flat = self.training.schedule == "constant" and not self.training.warmup
        if self.rewind.mode == "learning_rate" and flat:
            expected = "has nothing to take back where the learning rate is constant; use fine_tuning (Strategy 2)"
            raise FieldFault("rewind.mode", "learning_rate", expected)
        left = self.training.iterations - self.rewind.iteration
        if self.training.patience and self.training.patience * self.training.evaluate_every >= left:
            expected = f"has no effect: so many evaluations take all the {left:,} iterations of a ticket; give fewer"
            raise FieldFault("training.patience", self.training.patience, expected)
        self._check_ticket()
        return self

    def _check_ticket(self) -> None:
        if self.ticket_from is None or self.ticket_from.weights == "own":
            return
        if self.rewind.iteration or self.rewind.fraction or self.rewind.epoch or self.rewind.mode != "weights":
            kept = "the weights it was rewound to" if self.ticket_from.weights == "source" else "its trained weights"
            expected = f"has no effect: a ticket from elsewhere keeps {kept}; leave rewind out"
            raise FieldFault("rewind", self.rewind.model_dump(exclude_defaults=True), expected)
        moved = [arm for arm in MOVED if arm in self.arms]
        if self.ticket_from.weights == "trained" and moved:
            expected = (
                f"cannot have {moved[0]} with ticket_from.weights: trained: these weights are zero wherever the ticket "
                "was pruned, and another mask would leave little of them; leave it out, or take weights: source"
            )
            raise FieldFault("arms", list(self.arms), expected)

    def _check_arms(self) -> None:
        if self.draws > 1 and not DRAWN & set(self.arms):
            expected = f"has no effect on the arms {', '.join(self.arms)}: none is drawn at random; leave it out"
            raise FieldFault("draws", self.draws, expected)
        if self.distillation and "ticket_distilled" not in self.arms:
            expected = "has no effect without the arm ticket_distilled"
            raise FieldFault("distillation", self.distillation.model_dump(), expected)

    def _check_early(self) -> None:
        if self.early_bird and not self.find_early:
            raise FieldFault("early_bird", self.early_bird.model_dump(), "has no effect without find_early: true")
        if not self.find_early or self.branch_of:  # the dense training of a branch is its parent's
            return
        if self.pruning.criterion not in FOLLOWED:
            expected = f"needs a criterion that looks at trained weights alone ({', '.join(FOLLOWED)})"
            raise FieldFault("find_early", True, f"{expected}, not {self.pruning.criterion}")
        if self.ticket_from:
            raise FieldFault("find_early", True, "has no effect: the mask is taken from elsewhere (ticket_from)")

    @property
    def protocol(self) -> str:
        """What tables say: "quick" or "full"."""
        return "quick" if self.quick else "full"

    @property
    def controls(self) -> tuple[str, ...]:
        """The arms beside the ticket, in the order of the card."""
        return tuple(arm for arm in self.arms if arm != "ticket")
