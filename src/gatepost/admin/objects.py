"""Connectors, accepted domains, sources: shown, changed one by one or all at once, with history (R15, R17).

Rule: every change goes one way: difference, then save; a dry run takes it too and stops before the save.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from gatepost.admin.answers.objects import ChangesJson, HistoryJson, ObjectsJson
from gatepost.admin.errors import Conflict, Invalid, NotFound, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.shapes import Json, effect_json, history_json
from gatepost.alert.policies import DEFAULTS
from gatepost.config.changes import ObjectChange, difference, export, merge
from gatepost.config.objects import (
    BadObjects,
    ConfigObject,
    from_dict,
    from_tables,
    kind_of,
    to_dict,
    validate,
)
from gatepost.model.objects import AcceptedDomain, Objects
from gatepost.storage.interface import RevisionConflict

FIELD = {
    "connector": "connectors",
    "accepted_domain": "domains",
    "source": "sources",
    "alert_policy": "policies",
    "notification_channel": "channels",
}
WORDS = {
    "connector": tr("There is no connector {name}."),
    "accepted_domain": tr("There is no accepted domain {name}."),
    "source": tr("There is no source {name}."),
    "alert_policy": tr("There is no alert policy {name}."),
    "notification_channel": tr("There is no notification channel {name}."),
}


STEERS = frozenset({"connector", "accepted_domain"})  # changing them moves queued mail
_BUILT_IN: dict[str, tuple[ConfigObject, ...]] = {"alert_policy": DEFAULTS}


class ObjectUseCases:
    """What can be asked of and done to objects."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    # ------------------------------------------------------------------ shown

    def everything(self) -> ObjectsJson:
        """Return all objects with their revision, secrets masked."""
        objects = self._gateway.objects
        found: Json = {"revision": objects.revision}
        for kind in FIELD:
            found[kind] = [to_dict(entry) for entry in entries_of(objects, kind)]
        return cast("ObjectsJson", found)

    def export(self) -> str:
        """Return all objects as TOML, secrets masked."""
        return export(self._gateway.objects)

    def listed(self, kind: str) -> list[Json]:
        """Return the objects of a kind."""
        return [to_dict(entry) for entry in entries_of(self._gateway.objects, kind)]

    def show(self, kind: str, name: str) -> Json:
        """Return one object."""
        return to_dict(self._find(kind, name))

    def _find(self, kind: str, name: str) -> ConfigObject:
        wanted = name.lower() if kind == "accepted_domain" else name
        for entry in (*entries_of(self._gateway.objects, kind), *_BUILT_IN.get(kind, ())):
            if entry.name == wanted:
                return entry
        raise NotFound(WORDS[kind], name=name)

    async def history(self, limit: int = 100, before: int = 0) -> list[HistoryJson]:
        """Return who changed what, newest first."""
        entries = await self._gateway.store.history(max(1, min(limit, 1000)), before)
        return [history_json(entry) for entry in entries]

    # ---------------------------------------------------------------- changed

    async def apply(
        self,
        tables: Mapping[str, object],
        who: str,
        *,
        prune: bool = False,
        dry_run: bool = False,
        revision: int | None = None,
    ) -> ChangesJson:
        """Make what the tables say true; with `prune`, what they do not name goes."""
        self._check_revision(revision)
        try:
            wanted = from_tables(tables, hash_password=self._gateway.hash_password)
        except BadObjects as problem:
            raise _invalid(problem) from None
        return await self._change(wanted, who, prune=prune, dry_run=dry_run)

    async def add(
        self, kind: str, data: Mapping[str, object], who: str, *, dry_run: bool = False
    ) -> ChangesJson:
        """Add an object that does not exist yet."""
        entry = self._read(kind, data)
        if any(known.name == entry.name for known in entries_of(self._gateway.objects, kind)):
            raise Conflict(tr('"{name}" exists already: change it with set.'), name=entry.name)
        return await self._change(_only(entry), who, dry_run=dry_run)

    async def set(
        self, kind: str, name: str, fields: Mapping[str, object], who: str, *, dry_run: bool = False
    ) -> ChangesJson:
        """Change some fields of an object; null puts a field back to its default."""
        old = self._find(kind, name)
        if fields.get("name", old.name) != old.name:
            raise Invalid(tr("A name cannot be changed: add a new object and delete the old one."))
        merged = {k: v for k, v in {**to_dict(old), **fields}.items() if v is not None}
        return await self._change(_only(self._read(kind, merged)), who, dry_run=dry_run)

    async def delete(self, kind: str, name: str, who: str, *, dry_run: bool = False) -> ChangesJson:
        """Delete an object; mail that waits behind it takes the route that is then the best."""
        gone = self._find(kind, name)
        objects = self._gateway.objects
        kept = tuple(entry for entry in entries_of(objects, kind) if entry is not gone)
        wanted = _with(objects, kind, kept)
        return await self._save(wanted, difference(objects, wanted, prune=True), who, dry_run=dry_run)

    async def preview(self, kind: str, name: str, fields: Mapping[str, object] | None) -> ChangesJson:
        """Return what a change of an object (None: its deletion) would change, and what would become of queued mail."""
        before = self._gateway.objects
        old = next((e for e in entries_of(before, kind) if e.name == name), None)
        if fields is None:
            kept = tuple(entry for entry in entries_of(before, kind) if entry is not self._find(kind, name))
            after = _with(before, kind, kept)
        else:
            data = {**(to_dict(old) if old is not None else {"name": name}), **fields}
            entry = self._read(kind, {k: v for k, v in data.items() if v is not None})
            after = merge(before, _only(entry), prune=False)
        changes = difference(before, after, prune=True)
        done = await self._save(after, changes, "", dry_run=True)
        if "effect" not in done:
            done["effect"] = effect_json(await self._gateway.fixing.effect_of(after))
        return done

    async def recipients(
        self, domain: str, who: str, *, add: Sequence[str] = (), remove: Sequence[str] = (), dry_run: bool
    ) -> ChangesJson:
        """Add and remove known recipients of an accepted domain."""
        old = cast(AcceptedDomain, self._find("accepted_domain", domain))
        gone = {address.lower() for address in remove}
        unknown = sorted(gone - old.recipients)
        if unknown:
            raise NotFound(
                tr("{address} is no known recipient of {domain}."), address=unknown[0], domain=domain
            )
        wanted = sorted((old.recipients - gone) | set(add))
        return await self.set("accepted_domain", domain, {"recipients": wanted}, who, dry_run=dry_run)

    def _read(self, kind: str, data: Mapping[str, object]) -> ConfigObject:
        try:
            return from_dict(kind, data, hash_password=self._gateway.hash_password)
        except BadObjects as problem:
            raise _invalid(problem) from None

    def _check_revision(self, revision: int | None) -> None:
        found = self._gateway.objects.revision
        if revision is not None and revision != found:
            raise Conflict(
                tr("The objects were changed meanwhile (revision {found}, not {expected}): look again."),
                found=found,
                expected=revision,
            )

    async def _change(self, wanted: Objects, who: str, *, prune: bool = False, dry_run: bool) -> ChangesJson:
        before = self._gateway.objects
        after = merge(before, wanted, prune=prune)
        return await self._save(after, difference(before, wanted, prune=prune), who, dry_run=dry_run)

    async def _save(
        self, after: Objects, changes: Sequence[ObjectChange], who: str, *, dry_run: bool
    ) -> ChangesJson:
        problems = validate(after)
        if problems:
            raise _invalid(BadObjects(problems))
        revision = self._gateway.objects.revision
        if changes and not dry_run:
            try:
                revision = await self._gateway.save_objects(after, changes, who)
            except RevisionConflict as problem:
                raise Conflict(
                    tr("The objects were changed meanwhile (revision {found}, not {expected}): look again."),
                    found=problem.found,
                    expected=problem.expected,
                ) from None
        answer = changes_json(changes, revision, dry_run=dry_run)
        if dry_run and any(change.kind in STEERS for change in changes):
            answer["effect"] = effect_json(await self._gateway.fixing.effect_of(after))
        return answer


def changes_json(changes: Sequence[ObjectChange], revision: int, *, dry_run: bool) -> ChangesJson:
    """Return a difference with its counts."""
    counts = Counter(change.action for change in changes)
    return {
        "dry_run": dry_run,
        "revision": revision,
        "counts": {"add": counts["add"], "change": counts["change"], "remove": counts["remove"]},
        "changes": [
            {
                "kind": change.kind,
                "name": change.name,
                "action": change.action,
                "fields": {k: {"before": b, "after": a} for k, (b, a) in change.fields.items()},
            }
            for change in changes
        ],
    }


def entries_of(objects: Objects, kind: str) -> tuple[ConfigObject, ...]:
    """Return the objects of a kind."""
    return cast("tuple[ConfigObject, ...]", getattr(objects, FIELD[kind]))


def _only(entry: ConfigObject) -> Objects:
    return _with(Objects(), kind_of(entry), (entry,))


def _with(objects: Objects, kind: str, entries: tuple[ConfigObject, ...]) -> Objects:
    return replace(objects, **{FIELD[kind]: entries})  # type: ignore[arg-type]


def _invalid(problem: BadObjects) -> Invalid:
    count = len(problem.problems)
    if count == 1:
        return Invalid(str(problem.problems[0]), problem.problems)
    return Invalid(tr("{count} things are wrong; nothing was changed."), problem.problems, count=count)
