"""`ticket_from:` a ticket that was found elsewhere: by another experiment, or published in MLflow's model registry."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import PrivateAttr, model_serializer, model_validator

from lth_pipeline.experiments.errors import MISSING
from lth_pipeline.experiments.settings.base import Count, FieldFault, Settings, setting

SHORT = "registry:"  # what the short way of writing begins with
REFERENCE = re.compile(  # no query of MLflow's can name what has both kinds of quotes
    r"(?P<name>(?!.*'.*\")(?!.*\".*')[^/:@\x00-\x1f]{1,256})(@(?P<alias>[\w-]{1,256})|/(?P<version>[1-9]\d{0,17}))"
)
WRITTEN = "NAME@ALIAS or NAME/VERSION"


class TransferSettings(Settings):
    """Either `experiment` and `round`, or `registry`; `ticket_from: registry:NAME@ALIAS` is short for the latter."""

    experiment: str | None = setting(
        None, description="whose ticket to take: its mask is round 1 of this experiment", source="Morcos et al. 2019"
    )
    round: Count | None = setting(None, description="the round that it is taken from")
    registry: str | None = setting(
        None, description=f"a published ticket instead: {WRITTEN} in MLflow's model registry (docs/transfer.md)"
    )
    weights: Literal["source", "own", "trained"] = setting(
        "source",
        description="source: the ticket keeps the weights it was rewound to there, where shapes allow; trained: those "
        "that its training there ended with, which is fine-tuning; own: the mask alone is taken, on this experiment's "
        "own weights",
        source="Morcos et al. 2019, §3",
    )

    _version: str = PrivateAttr("")  # the number that an alias meant when a run was planned

    @model_validator(mode="before")
    @classmethod
    def _written_short(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not value.startswith(SHORT):
            raise ValueError(f"must be {{experiment: …, round: …}}, or {SHORT} and {WRITTEN}")
        return {"registry": value.removeprefix(SHORT)}

    @model_validator(mode="after")
    def _is_one_of_them(self) -> TransferSettings:
        if self.registry is None:
            for field in ("experiment", "round"):
                if getattr(self, field) is None:
                    expected = "is missing; name the experiment and the round, or with registry a published ticket"
                    raise FieldFault(field, MISSING, expected)
            return self
        for field in ("experiment", "round"):
            if getattr(self, field) is not None:
                expected = "has no effect beside registry; leave one of them out (null where it is inherited)"
                raise FieldFault(field, getattr(self, field), expected)
        if not REFERENCE.fullmatch(self.registry):
            raise FieldFault("registry", self.registry, f"must be {WRITTEN}, such as digits@best or digits/3")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, serialise: Any) -> dict[str, Any]:
        """Without the way that was not taken."""
        return {name: value for name, value in serialise(self).items() if value is not None}

    @property
    def place(self) -> str:
        """In words: whose ticket it is."""
        return f"{SHORT}{self.registry}" if self.registry else f"{self.experiment}, round {self.round}"

    @property
    def model(self) -> tuple[str, str, str]:
        """(name, alias, version) in the registry; one of the last two is empty."""
        found = REFERENCE.fullmatch(self.registry)
        version = self._version or found["version"] or ""
        return found["name"], "" if version else found["alias"], version

    @property
    def is_settled(self) -> bool:
        """Whether its alias has been told which version it means (`at`)."""
        return bool(self._version)

    def at(self, version: str) -> TransferSettings:
        """The same reference, which means this version (its number) from now on, wherever its alias goes."""
        settled = self.model_copy()
        settled._version = version
        return settled
