"""The difference between the objects that are and the objects that are wanted; and the wanted ones as text.

Rule: what is shown of a secret is that it changes, never what it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from gatepost.config import overrides
from gatepost.config.objects import MASK, ConfigObject, kind_of, to_dict
from gatepost.config.problems import Problem
from gatepost.config.toml import toml_line
from gatepost.model.alert import AlertPolicy, Channel
from gatepost.model.objects import AcceptedDomain, Connector, Objects, Source

T = TypeVar("T", Connector, AcceptedDomain, Source, AlertPolicy, Channel)
CHANGED = "(changed)"
_DEFAULTS: dict[str, ConfigObject] = {
    "connector": Connector(""),
    "accepted_domain": AcceptedDomain(""),
    "source": Source(""),
    "alert_policy": AlertPolicy(""),
    "notification_channel": Channel(""),
}
# what an export always says, although it is the default: a reader should not have to know
_ALWAYS = {
    "connector": {"name", "to", "tls", "enabled"},
    "accepted_domain": {"name", "type"},
    "source": {"name", "may_relay"},
    "alert_policy": {"name", "on"},
    "notification_channel": {"name", "kind"},
}


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object that is added, changed or removed; its fields before and after as `to_dict` shows them."""

    kind: str
    name: str
    action: str  # "add" | "change" | "remove"
    fields: dict[str, tuple[object, object]]


def difference(old: Objects, new: Objects, *, prune: bool = False) -> list[ObjectChange]:
    """Return what must change for `new` to be true; what `new` does not name goes only with `prune`."""
    return [
        *_compare(old.domains, new.domains, prune=prune),
        *_compare(old.connectors, new.connectors, prune=prune),
        *_compare(old.sources, new.sources, prune=prune),
        *_compare(old.policies, new.policies, prune=prune),
        *_compare(old.channels, new.channels, prune=prune),
    ]


def merge(old: Objects, new: Objects, *, prune: bool = False) -> Objects:
    """Return the objects after that change; masked secrets of `new` and the revision are `old`'s."""
    return Objects(
        revision=old.revision,
        connectors=_merged(old.connectors, new.connectors, prune=prune),
        domains=_merged(old.domains, new.domains, prune=prune),
        sources=_merged(old.sources, new.sources, prune=prune),
        overrides=old.overrides,
        policies=_merged(old.policies, new.policies, prune=prune),
        channels=_merged(old.channels, new.channels, prune=prune),
    )


def override_changes(old: Objects, new: Objects) -> list[ObjectChange]:
    """Return which overrides begin, change and end."""
    before = {o.name: overrides.to_dict(o) for o in old.overrides}
    after = {o.name: overrides.to_dict(o) for o in new.overrides}
    changes: list[ObjectChange] = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name, {}), after.get(name, {})
        fields = {k: (one.get(k), other.get(k)) for k in {**one, **other} if one.get(k) != other.get(k)}
        action = "add" if not one else "remove" if not other else "change"
        if fields:
            changes.append(ObjectChange(overrides.KIND, name, action, fields))
    return changes


def unmask(old: T | None, new: T) -> T:
    """Return an object with its masked secrets taken from the one that it replaces, empty without one."""
    if isinstance(new, Connector):
        if new.password != MASK:
            return new
        return replace(new, password="" if old is None else old.password)
    if isinstance(new, Channel):
        known_secrets = ("", "") if old is None else (old.password, old.url)
        return replace(
            new,
            password=known_secrets[0] if new.password == MASK else new.password,
            url=known_secrets[1] if new.url == MASK else new.url,
        )
    if isinstance(new, Source):
        known = {} if old is None else dict(old.logins)
        logins = ((user, known.get(user, "") if secret == MASK else secret) for user, secret in new.logins)
        return replace(new, logins=tuple((user, secret) for user, secret in logins if secret))
    return new


def unknown_secrets(old: Objects, new: Objects) -> list[Problem]:
    """Return the masked secrets of `new` that `old` does not know: they must be given."""
    connectors = {entry.name: bool(entry.password) for entry in old.connectors}
    sources = {entry.name: dict(entry.logins) for entry in old.sources}
    hint = f"{MASK} stands for a secret that is known already"
    problems = [
        Problem(f'connector "{entry.name}".password', "must be given", hint)
        for entry in new.connectors
        if entry.password == MASK and not connectors.get(entry.name)
    ]
    return problems + [
        Problem(f'source "{entry.name}".logins', f'the password of "{user}" must be given', hint)
        for entry in new.sources
        for user, secret in entry.logins
        if secret == MASK and user not in sources.get(entry.name, {})
    ]


def export(objects: Objects) -> str:
    """Return the objects as TOML in a fixed order, secrets masked; reading it gives the same objects."""
    blocks: list[str] = []
    entries: tuple[ConfigObject, ...] = (
        *objects.domains,
        *objects.connectors,
        *objects.sources,
        *objects.policies,
        *objects.channels,
    )
    for entry in sorted(entries, key=lambda e: (kind_of(e), e.name)):
        kind = kind_of(entry)
        default = to_dict(_DEFAULTS[kind])
        lines = [
            toml_line(key, value)
            for key, value in to_dict(entry).items()
            if value != default[key] or key in _ALWAYS[kind]
        ]
        blocks.append("\n".join([f"[[{kind}]]", *lines]) + "\n")
    return "\n".join(blocks)


def _merged(old: Iterable[T], new: Iterable[T], *, prune: bool) -> tuple[T, ...]:
    before = {entry.name: entry for entry in old}
    after = {entry.name: unmask(before.get(entry.name), entry) for entry in new}
    together = after if prune else before | after
    return tuple(together[name] for name in sorted(together))


def _compare(old: Iterable[T], new: Iterable[T], *, prune: bool) -> list[ObjectChange]:
    before = {entry.name: entry for entry in old}
    after = {entry.name: unmask(before.get(entry.name), entry) for entry in new}
    changes: list[ObjectChange] = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            if prune:
                changes.append(
                    ObjectChange(kind_of(before[name]), name, "remove", _fields(before[name], None))
                )
        elif name not in before:
            changes.append(ObjectChange(kind_of(after[name]), name, "add", _fields(None, after[name])))
        elif before[name] != after[name]:
            fields = _fields(before[name], after[name])
            changes.append(ObjectChange(kind_of(after[name]), name, "change", fields))
    return changes


def _fields(old: T | None, new: T | None) -> dict[str, tuple[object, object]]:
    """Return the fields that differ; an object that is added or removed shows what is not the default."""
    if old is None or new is None:
        entry = old if new is None else new
        assert entry is not None
        default = to_dict(_DEFAULTS[kind_of(entry)])
        shown = {
            key: value for key, value in to_dict(entry).items() if value != default[key] and key != "name"
        }
        return {key: (value, None) if new is None else (None, value) for key, value in shown.items()}
    before, after = to_dict(old), to_dict(new)
    clear_before, clear_after = to_dict(old, secrets=True), to_dict(new, secrets=True)
    found: dict[str, tuple[object, object]] = {}
    for key, value in clear_after.items():
        if clear_before[key] != value:
            same = before[key] == after[key]
            found[key] = (before[key], CHANGED if same else after[key])
    return found
