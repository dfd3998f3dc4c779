"""The steps of one replicate of an experiment: what each reads, and so what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lth_pipeline.experiments import Experiment
from lth_pipeline.lottery.data import DataDirs, Facts
from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.models import Layer, Model
from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.recipes import identity
from lth_pipeline.recipes.facts import facts_of, known_facts
from lth_pipeline.recipes.ladder import Rung, climb, model_of, source_layers
from lth_pipeline.recipes.lineage import owner, related
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.registry import known, pinned, published_tickets, registered, versions_known
from lth_pipeline.recipes.rewinding import rewind_iteration
from lth_pipeline.recipes.step import DRAWN, MASKED, ON_REWOUND, Step
from lth_pipeline.recipes.transfer import carried


class Chain:
    """Replicate `replicate` of experiment `name`, through all rounds and branches. Computes nothing.

    dirs: where own images were read to, and published tickets fetched; published data sets need none. A ticket is the
    version that its alias means now for as long as the chain lasts.
    """

    def __init__(self, cards: Mapping[str, Experiment], name: str, replicate: int, dirs: DataDirs | None = None):
        cards = pinned(cards, versions_known(related(cards, name), dirs))
        self.cards, self.name, self.replicate, self.dirs = cards, name, replicate, dirs
        self._rungs: list[Rung] = []
        self._end: PruningError | None = None  # below the last rung that can be counted
        self._climb = climb(cards, name, dirs)
        self._facts: dict[str, Facts] = {}
        self._others: dict[str, Chain] = {}
        self._beside: dict[int, Chain] = {replicate: self}
        self._related = related(cards, name)
        self._all_data = list({card.data for card in self._related})
        self._published = published_tickets(self._related)

    def other(self, name: str) -> Chain:
        """The same replicate of another experiment."""
        if name not in self._others:
            self._others[name] = Chain(self.cards, name, self.replicate, self.dirs)
        return self._others[name]

    def beside(self, replicate: int) -> Chain:
        """Another replicate of the same experiment."""
        if replicate not in self._beside:
            self._beside[replicate] = Chain(self.cards, self.name, replicate, self.dirs)
        return self._beside[replicate]

    def owner(self, round: int) -> Experiment:
        """The experiment whose settings hold in `round`."""
        return owner(self.cards, self.name, round)

    def trainings(self, round: int) -> list[Step]:
        """What is trained in `round`: dense, or every arm of the card, those drawn at random as often as it says."""
        if round == 0:
            return [self.main(0)]
        experiment = self.owner(round)
        return [
            Step("trained", round, arm, draw=draw)
            for arm in experiment.arms
            for draw in range(experiment.draws if arm in DRAWN else 1)
        ]

    def main(self, round: int) -> Step:
        """The training of the dense network, or of the ticket."""
        return Step("trained", round, "ticket" if round else "dense")

    def pruned_from(self, round: int) -> Step:
        """The training whose end the mask of `round` and, without rewinding, its ticket come from."""
        return self.main(0 if self.owner(round).pruning.mode == "one_shot" else round - 1)

    def needs_trained(self, round: int) -> bool:
        """Whether `round` is made of a trained network: without one there is neither its mask nor its ticket."""
        experiment = self.owner(round)
        by_training = not self.takes_ticket(round) and "trained" in CRITERIA[experiment.pruning.criterion].reads
        return by_training or experiment.rewind.mode != "weights"

    def takes_ticket(self, round: int) -> bool:
        """Whether the mask of `round` was found elsewhere: by another experiment, or published."""
        return round == 1 and self.owner(1).ticket_from is not None

    def structure(self, round: int) -> str:
        """What the mask of `round` is made of: single weights, or whole units."""
        if self.takes_ticket(round):
            origin = self.owner(round).ticket_from
            if origin.registry:
                return registered(origin, self.dirs).facts["structure"]
            return self.other(origin.experiment).structure(origin.round)
        return self.owner(round).pruning.structure

    def is_early(self, step: Step) -> bool:
        """Whether `step` is a dense training that is followed for the iteration at which its mask settles."""
        return step.kind == "trained" and step.round == 0 and self.owner(0).find_early

    def followed(self) -> Chain:
        """The chain whose round 1 a dense training is followed for: that of the card it was trained by, whatever a
        branch from round 1 makes of it."""
        name = self.owner(0).name
        return self if name == self.name else self.other(name)

    def rewind_weights(self, round: int) -> Step:
        """The weights that the ticket of `round` returns to, where it is rewound."""
        experiment = self.owner(round)
        if experiment.ticket_from and experiment.ticket_from.weights != "own":
            return Step("transferred_weights")
        iteration = rewind_iteration(experiment, self.dirs)
        return Step("rewind_weights", iteration=iteration) if iteration else Step("initial_weights")

    def ticket_weights(self, round: int) -> Step:
        """The weights that the mask of `round` is laid on."""
        rewound = self.owner(round).rewind.mode == "weights"
        return self.rewind_weights(round) if rewound else self.pruned_from(round)

    def mask(self, step: Step) -> Step | None:
        """The mask that a training, or what it starts from, is under; None where the network is dense."""
        if step.round == 0 or step.arm == "dense_small":
            return None
        if step.arm in MASKED:
            return Step("mask", step.round, step.arm, draw=step.draw)
        return Step("mask", step.round)

    def begin(self, step: Step) -> Step:
        """What a training starts from."""
        if step.round == 0:
            return Step("initial_weights")
        kind = "ticket" if step.arm == "ticket_distilled" else step.arm
        return Step(kind, step.round, step.arm if step.arm in MASKED else "", draw=step.draw)

    def inputs(self, step: Step) -> dict[str, Step]:
        """{name: step} of what `step` reads, data sets aside."""
        mask = {"mask": Step("mask", step.round)}
        match step.kind:
            case "initial_weights" | "published_mask" | "published_weights":
                return {}
            case "rewind_weights":
                return {"weights": Step("initial_weights")}
            case "transferred_weights":
                return {"weights": Step("initial_weights"), "source": self._source()}
            case "mask" if step.arm:
                return mask
            case "mask" if self.takes_ticket(step.round):
                origin = self.owner(1).ticket_from
                by_another = Step("mask", origin.round, of=origin.experiment) if origin.experiment else None
                return {"mask": by_another or Step("published_mask")}
            case "mask":
                return self._pruned(step.round)
            case "ticket":
                return {**mask, "weights": self.ticket_weights(step.round)}
            case "reinit" | "dense_small":
                return mask
            case "reinit_same_sign":
                return {**mask, "ticket": Step("ticket", step.round)}
            case "random_mask" | "shuffled_mask":
                rewound = self.owner(step.round).rewind.mode == "weights"
                weights = self.rewind_weights(step.round) if rewound else self.main(0)
                return {"mask": self.mask(step), "weights": weights}
            case "trained":
                under = self.mask(step)
                teacher = {"teacher": self.main(0)} if step.arm == "ticket_distilled" else {}
                return {"weights": self.begin(step), **({"mask": under} if under else {}), **teacher}
        raise ValueError(f"no step {step.kind!r}")

    def _source(self) -> Step:
        origin = self.owner(1).ticket_from
        if origin.registry:
            return Step("published_weights")
        source = self.other(origin.experiment)
        trained = origin.weights == "trained"
        step = source.main(origin.round) if trained else source.ticket_weights(origin.round)
        return Step(step.kind, step.round, step.arm, step.iteration, of=origin.experiment)

    def _pruned(self, round: int) -> dict[str, Step]:
        pruning = self.owner(round).pruning
        reads = CRITERIA[pruning.criterion].reads
        first = 1 if self.takes_ticket(1) else 0  # the last round that one_shot does not prune anew
        before = round - 1 if pruning.mode == "iterative" else first
        return {
            **({"weights": self.pruned_from(round)} if "trained" in reads else {}),
            **({"initial": self._untrained(round)} if "initial" in reads else {}),
            **({"mask": Step("mask", before)} if before else {}),
        }

    def _untrained(self, round: int) -> Step:
        """The weights that what the mask of `round` is pruned from began with: of a ticket from elsewhere, its own."""
        experiment = self.owner(round)
        origin, pruning = experiment.ticket_from, experiment.pruning
        dense = pruning.mode == "one_shot" and "trained" in CRITERIA[pruning.criterion].reads
        taken = origin is not None and origin.weights != "own" and not dense
        return Step("transferred_weights" if taken else "initial_weights")

    def recipe(self, step: Step, version_of: Callable[[Step], str | None]) -> Recipe | None:
        """The recipe of `step`, given its inputs' data versions; None while one of them, or the data, is not known."""
        if not self.is_known() or not self._can_count(step.round):
            return None
        versions = {name: version_of(source) for name, source in self.inputs(step).items()}
        if None in versions.values():
            return None
        if step.trains or self.looks_at_examples(step):
            versions["data"] = self.facts(step.round).digest
        return Recipe(step.kind, identity.settings(self, step), versions)

    def is_known(self) -> bool:
        """Whether the images of all experiments that its rounds come from have been read, and the ticket fetched."""
        return not self.lacks()

    def lacks(self) -> str:
        """What has not been read yet, in words: "its images are", "its ticket is"; empty where it is known."""
        if any(known_facts(data, self.dirs) is None for data in self._all_data):
            return "its images are"
        return "its ticket is" if any(known(origin, self.dirs) is None for origin in self._published) else ""

    def ensure_known(self) -> None:
        """Raise DataError, naming what has not been read yet."""
        for data in self._all_data:
            facts_of(data, self.dirs)
        for origin in self._published:
            registered(origin, self.dirs)

    def looks_at_examples(self, step: Step) -> bool:
        """Whether `step` is a mask by a criterion that training examples go into."""
        own = step.kind == "mask" and not step.arm and not self.takes_ticket(step.round)
        return own and "examples" in CRITERIA[self.owner(step.round).pruning.criterion].reads

    def start(self, step: Step) -> int:
        """The iteration at which a training begins: fresh weights have no rewind point to go on from."""
        return rewind_iteration(self.owner(step.round), self.dirs) if step.arm in ON_REWOUND else 0

    def held(self, step: Step) -> bool:
        """Whether a training goes on at the last learning rate (fine-tuning)."""
        return step.arm in ON_REWOUND and self.owner(step.round).rewind.mode == "fine_tuning"

    def rung(self, round: int) -> Rung:
        """How many weights are left in `round`. Raises PruningError where that cannot be known beforehand."""
        while len(self._rungs) <= round:
            if self._end:
                raise self._end
            try:
                self._rungs.append(next(self._climb))
            except PruningError as error:
                self._end = error
        return self._rungs[round]

    def _can_count(self, round: int) -> bool:
        try:
            self.rung(round)
        except PruningError:
            return False
        return True

    def model(self, round: int) -> Model:
        """The network of `round`: a branch may have another dropout or initialisation than its parent."""
        return model_of(self.owner(round), self.dirs)

    def carried(self) -> tuple[str, ...]:
        """The layers whose mask, and weights, come from elsewhere."""
        origin = self.owner(1).ticket_from
        return carried(source_layers(self.cards, origin, self.dirs), self.model(1).layers, origin.weights)

    def published_content(self, step: Step) -> str:
        """The data version of what `step`, of a published ticket, is."""
        origin = self.owner(1).ticket_from
        weights = "trained" if origin.weights == "trained" else "rewound"
        return registered(origin, self.dirs).versions["mask" if step.kind == "published_mask" else weights]

    def fresh(self) -> tuple[Layer, ...]:
        """The other layers, which take nothing over: they start whole, on weights of their own."""
        taken = self.carried()
        return tuple(layer for layer in self.model(1).layers if layer.name not in taken)

    def facts(self, round: int) -> Facts:
        """Of the data of `round`."""
        experiment = self.owner(round)
        if experiment.name not in self._facts:
            self._facts[experiment.name] = facts_of(experiment.data, self.dirs)
        return self._facts[experiment.name]
