"""What the commands share: cards, places, errors that are written for people."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from typing import TypeVar

import click

from lth_pipeline.experiments import CardError, Experiment
from lth_pipeline.experiments.sweeps import Sweep, called, listed
from lth_pipeline.home import Home, HomeError, find_home
from lth_pipeline.lottery.data import DataDirs, DataError
from lth_pipeline.lottery.errors import ImageError, ModelFileError
from lth_pipeline.recipes import DamagedError, DeviceError, StoreError, Workshop, load_cards
from lth_pipeline.recipes.remote import store_at
from lth_pipeline.recipes.workshop import MOST_DAMAGED

Cards = dict[str, Experiment]
T = TypeVar("T")


def places() -> tuple[Home, Cards]:
    home = find_home()
    return home, load_cards([home.experiments])


def data_dirs(home: Home) -> DataDirs:
    return DataDirs(home.data, home.cache, home.memory, home.allowed)


def named(cards: Cards, name: str) -> Experiment | Sweep:
    """The experiment or the sweep of that name."""
    try:
        return called(cards, name)
    except KeyError:
        # those inside of a sweep are only guessed
        raise no_such("experiment", name, listed(cards), cards) from None


def no_such(what: str, name: str, known: Collection[str], more: Collection[str] = ()) -> click.ClickException:
    """more: names to guess from, beside those that are listed."""
    from difflib import get_close_matches

    close = get_close_matches(name, [*known, *more], n=1)
    guess = f" Did you mean {close[0]}?" if close else ""
    return click.ClickException(f"no {what} {name!r}.{guess} There are: {', '.join(known)}")


def workshop(home: Home) -> Workshop:
    def tell(message: str) -> None:
        click.echo(f"lth: {message}", err=True)

    return Workshop(store_at(home.store, home.remote), data_dirs(home), on_trouble=tell)


def mending(command: Callable[[], T]) -> T:
    """Run a command, and again where it met a damaged file in the store, which is put aside by then."""
    for _ in range(MOST_DAMAGED):
        try:
            return command()
        except DamagedError as error:
            click.echo(f"lth: {error}", err=True)
    return command()


def known_errors() -> tuple[type[Exception], ...]:
    known: list[type[Exception]] = [
        CardError,
        DataError,
        DeviceError,
        HomeError,
        ImageError,
        ModelFileError,
        StoreError,
    ]
    # only what has been imported can have been raised
    for module, name in (
        ("lth_pipeline.tracking.tracker", "TrackingError"),
        ("lth_pipeline.lottery.small.errors", "ExportError"),
        ("lth_pipeline.orchestration.instance", "InstanceError"),
        ("lth_pipeline.orchestration.numbers", "OptionsError"),
    ):
        if module in sys.modules:
            known.append(getattr(sys.modules[module], name))
    return tuple(known)
