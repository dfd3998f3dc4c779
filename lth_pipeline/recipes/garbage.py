"""What may go from a store: all that nothing current refers to, and its removal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lth_pipeline.recipes.errors import StoreError
from lth_pipeline.recipes.inventory import Inventory
from lth_pipeline.recipes.recipe import CODE
from lth_pipeline.recipes.store import TOGETHER, Record, members_of

#: in the order in which they are removed: an artifact never goes before the record that names it
RECORDS, ARTIFACTS, ORPHANS = "records", "artifacts", "artifacts without a record"
CHECKPOINTS, UNFINISHED, CLAIMS, DAMAGED = "checkpoints", "unfinished files", "claims", "damaged files"
MARKS = "marks of projects that are gone"


@dataclass(frozen=True)
class Item:
    """A file that may go. experiment: that it was made for, where that is known."""

    kind: str
    path: Path
    bytes: int
    experiment: str = ""


@dataclass(frozen=True)
class Current:
    """What a store is needed for.

    recipes, versions: ids of recipes, and data versions, that something current refers to.
    next: ids of recipes that a card would make next.
    spared: what is kept beyond that: in words, why, of a record; None where nothing speaks for it.
    half_done: in words, why half-done trainings are kept that are not in `next`; empty where they are not.
    shared: in words, who else needs nobody knows what of it, so that all stays; empty where nobody.
    """

    recipes: Collection[str]
    versions: Collection[str]
    next: Collection[str]
    spared: Callable[[Record], str | None] = lambda record: None
    half_done: str = ""
    shared: str = ""


@dataclass(frozen=True)
class Garbage:
    """items: in the order of their removal. kept: why -> items that are kept although nothing here refers to them.
    notes: what could not be told, in words."""

    items: list[Item]
    kept: dict[str, list[Item]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def reachable(
    records: Mapping[str, Record], recipes: Iterable[str], versions: Iterable[str]
) -> tuple[set[str], set[str]]:
    """(recipe ids, data versions) that stay for the sake of `recipes` and `versions`.

    A record keeps its artifact and the versions that its recipe reads; a version that is read, or given here, keeps
    every record that made it.
    """
    made_by: dict[str, list[str]] = defaultdict(list)
    for recipe_id, record in records.items():
        made_by[record["version"]].append(recipe_id)
    kept, stay, queue = set(), set(), [recipe_id for recipe_id in recipes if recipe_id in records]
    for version in versions:
        stay.add(version)
        queue += made_by[version]
    while queue:
        recipe_id = queue.pop()
        if recipe_id in kept:
            continue
        kept.add(recipe_id)
        record = records[recipe_id]
        stay.add(record["version"])
        for version in record["recipe"]["inputs"].values():
            stay.add(version)
            queue += made_by[version]
    return kept, stay


def analyses_of(records: Mapping[str, Record], kept: Collection[str], stay: Collection[str]) -> set[str]:
    """The records of analyses whose every network stays, by the code there is: they are small, and go with what they
    are of. One that looks at the data alone goes with the experiment that it was made for."""
    alive = {made_for(records[recipe_id]) for recipe_id in kept}
    found = set()
    for recipe_id, record in records.items():
        recipe = record["recipe"]
        if "analysis" in record.get("made_by", {}) and recipe.get("code") == CODE.get(recipe.get("kind")):
            of = [version for name, version in recipe["inputs"].items() if name.split(".")[-1] != "data"]
            if all(version in stay for version in of) if of else made_for(record) in alive:
                found.add(recipe_id)
    return found


def garbage(found: Inventory, current: Current, only: Collection[str] | None = None) -> Garbage:
    """What of `found` may go. only: what was made for these experiments; None: for any, or none."""
    needed, stay = reachable(found.records, current.recipes, current.versions)
    needed |= analyses_of(found.records, needed, stay)
    spared = {
        recipe_id: why
        for recipe_id, record in found.records.items()
        if recipe_id not in needed and (why := current.shared or current.spared(record))
    }
    wide, stay = reachable(found.records, [*needed, *spared], current.versions)
    wide |= analyses_of(found.records, wide, stay)
    others = [id for id, record in found.records.items() if only is not None and made_for(record) not in only]
    kept, stay = reachable(found.records, [*wide, *others], current.versions)
    going = {recipe_id: record for recipe_id, record in found.records.items() if recipe_id not in kept}
    items = list(_of_records(found, going, stay))
    notes = [f"{problem}: it is kept" for problem in found.damaged.values()]
    kept_for = _kept(found, wide - needed, needed, current, spared)
    if only is None:
        orphans = [_item(found, ORPHANS, found.objects[version]) for version in _orphans(found, stay)]
        if why := _why_orphans_stay(found):
            notes += [f"{len(orphans)} artifacts have no record: they are kept {why}"] if orphans else []
        elif current.shared:
            kept_for[current.shared] += orphans
        else:
            items += orphans
        for path, why in _useless(found, current):
            (kept_for[why] if why else items).append(_item(found, CHECKPOINTS, path))
        items += [_item(found, UNFINISHED, path) for path in found.unfinished]
        items += [_item(found, CLAIMS, path) for path in found.claims]
        items += [_item(found, DAMAGED, path) for path in found.aside]
        items += [_item(found, MARKS, path) for path in found.left]
    return Garbage(items, {why: kept for why, kept in kept_for.items() if kept}, notes)


def remove(items: Iterable[Item], told: Callable[[Item], None] = lambda item: None) -> int:
    """Remove files, in this order; gives the bytes that it freed. told: called after each.

    Killed in between, the rest is there as before. Raises StoreError where a file cannot be removed.
    """
    freed = 0
    for item in items:
        try:
            item.path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StoreError(
                f"{item.path}: cannot be removed ({error.strerror}); change its permissions and run again"
            ) from error
        freed += item.bytes
        told(item)
    return freed


def made_for(record: Record) -> str:
    """The experiment that a record was made for; empty where it was made from Python for none."""
    return str(record.get("made_by", {}).get("experiment", ""))


def _of_records(found: Inventory, going: Mapping[str, Record], stay: Collection[str]) -> Iterator[Item]:
    """The records `going`, then their artifacts."""
    paths = {path.stem: path for path in found.sizes if path.suffix == ".json" and path.stem in going}
    for recipe_id, record in going.items():
        yield _item(found, RECORDS, paths[recipe_id], made_for(record))
    named = {record["version"]: made_for(record) for record in going.values()}
    for version, experiment in named.items():
        if version not in stay and version in found.objects:
            yield _item(found, ARTIFACTS, found.objects[version], experiment)


def _kept(
    found: Inventory, extra: Collection[str], needed: Collection[str], current: Current, spared: Mapping[str, str]
) -> defaultdict[str, list[Item]]:
    """{why: artifacts} of what is kept for no other reason; what such a record was made from goes with it."""
    counted = {found.records[recipe_id]["version"] for recipe_id in needed} | set(current.versions)
    kept: dict[str, list[Item]] = defaultdict(list)
    for recipe_id in sorted(extra, key=lambda id: id not in spared):
        record = found.records[recipe_id]
        version = record["version"]
        if version not in counted and version in found.objects:
            counted.add(version)
            why = spared.get(recipe_id, "what these were made from")
            kept[why].append(_item(found, ARTIFACTS, found.objects[version], made_for(record)))
    return kept


def _orphans(found: Inventory, stay: Collection[str]) -> list[str]:
    """Data versions that no record has made."""
    known = {record["version"] for record in found.records.values()} | set(stay)
    return [version for version in found.objects if version not in known]


def _why_orphans_stay(found: Inventory) -> str:
    if found.damaged:
        return "as long as there are damaged records, which may be theirs"
    return "" if found.records else "as there is not one record: does the folder recipes/ lie elsewhere?"


def _useless(found: Inventory, current: Current) -> Iterator[tuple[Path, str]]:
    """(checkpoint, empty) of trainings that are done, or that no card would begin now; (checkpoint, why it is kept)."""
    for name, path in found.checkpoints.items():
        ids = members_of(path) if name.startswith(TOGETHER) else [name]
        unfinished = [recipe_id for recipe_id in ids if not _is_done(found, recipe_id)]
        if current.shared:
            yield path, current.shared
        elif not ids:
            yield path, "as it cannot be told what they are of"
        elif not unfinished:
            yield path, ""
        elif not set(unfinished) & set(current.next):
            yield path, current.half_done


def _is_done(found: Inventory, recipe_id: str) -> bool:
    """Whether a recipe's record is there, and what it made."""
    record = found.records.get(recipe_id)
    return record is not None and record["version"] in found.objects


def _item(found: Inventory, kind: str, path: Path, experiment: str = "") -> Item:
    return Item(kind, path, found.sizes[path], experiment)
