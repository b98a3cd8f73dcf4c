"""What a fix changes in the objects: compared, shown whole, and put back (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from gatepost.config import overrides
from gatepost.config.changes import ObjectChange, difference, override_changes
from gatepost.config.objects import to_dict
from gatepost.model.fix import ObjectDiff
from gatepost.model.objects import AcceptedDomain, Connector, Objects, Source


def object_changes(before: Objects, after: Objects) -> list[ObjectChange]:
    """Return every object that differs, overrides included."""
    return [*difference(before, after, prune=True), *override_changes(before, after)]


def object_diffs(before: Objects, after: Objects) -> tuple[ObjectDiff, ...]:
    """Return every object that differs, whole, secrets masked."""
    return tuple(
        ObjectDiff(c.kind, c.name, dict_of(before, c.kind, c.name), dict_of(after, c.kind, c.name))
        for c in object_changes(before, after)
    )


_FIELD = {
    "connector": "connectors",
    "accepted_domain": "domains",
    "source": "sources",
    "override": "overrides",
}


def dict_of(objects: Objects, kind: str, name: str) -> dict[str, object] | None:
    """Return an object as people see it, None where there is none."""
    for entry in getattr(objects, _FIELD[kind]):
        if entry.name == name:
            return overrides.to_dict(entry) if kind == overrides.KIND else to_dict(entry)
    return None


def put_back(objects: Objects, before: Mapping[tuple[str, str], object]) -> Objects:
    """Return the objects with some of them as they were; None takes one away."""
    for kind, field in _FIELD.items():
        old = {name: value for (k, name), value in before.items() if k == kind}
        if not old:
            continue
        entries: Iterable[Connector | AcceptedDomain | Source] = getattr(objects, field)
        kept = [e for e in entries if e.name not in old]
        back = [value for value in old.values() if value is not None]
        together = sorted([*kept, *back], key=lambda e: str(getattr(e, "name", "")))
        objects = replace(objects, **{field: tuple(together)})  # type: ignore[arg-type]
    return objects
