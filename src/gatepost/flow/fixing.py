"""Fixes: offered, previewed, applied, verified, undone; the thin shell around `fix` (B4, B5, R14, R17).

Guarantee: the record of a fix is written in the transaction that changes the objects, so a crash leaves it done or not
done; a fix that ends many messages is written first and goes on at the next start.
Rule: what a fix did is judged by what happens afterwards: a delivery or a probe verifies it, a failure says so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gatepost.config import overrides
from gatepost.config.changes import ObjectChange, override_changes
from gatepost.config.objects import validate
from gatepost.deliver.targets import Target as Address
from gatepost.fix.actions import ACTIONS, QUEUE_ACTIONS
from gatepost.fix.edit import HOUR, BadFix, Context, Target, edit, hours_from
from gatepost.fix.guard import GuardFacts, warnings
from gatepost.flow.effects import effect_of_ending, effect_of_objects
from gatepost.flow.ending import end_all
from gatepost.flow.fix_objects import dict_of, object_changes, object_diffs, put_back
from gatepost.flow.fix_records import KIND, document_of, from_document
from gatepost.flow.journey import Journey
from gatepost.flow.records import Final
from gatepost.flow.writing import written
from gatepost.i18n import tr
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.document import Document
from gatepost.model.evidence import Because
from gatepost.model.failure import Verdict
from gatepost.model.fix import AppliedFix, Effect, Preview
from gatepost.model.mail import Item
from gatepost.model.objects import Connector, Objects
from gatepost.queue.lane import Lane
from gatepost.storage.interface import Change, DestinationState

WATCHED = 24 * HOUR
ENDED = frozenset({"return_now", "delete"})
TAKES_AWAY = frozenset({"fix_now", "disable_connector", "delete_connector", "reroute", *ENDED})
MAIL_IS_GONE = Because(
    "mail_is_gone",
    tr("Mail that was returned, deleted or delivered meanwhile does not come back."),
    {},
)


class Hands(Protocol):
    """What changes objects and destinations: `app.control.Control`."""

    async def save_objects(
        self, objects: Objects, changes: Sequence[ObjectChange], who: str, documents: Sequence[Document] = ()
    ) -> int:
        """Make the objects true, with the documents in the same transaction; return the new revision."""

    async def objects_before(self, revision: int) -> Mapping[tuple[str, str], object]:
        """Return the objects that a revision changed, by kind and name, as they were before it; None: not there."""

    def retry(self, destination_id: int) -> bool:
        """Try a destination now."""

    def suspend(self, destination_id: int, who: str, reason: str, until: int) -> bool:
        """Take no more connections to a destination."""

    def resume(self, destination_id: int, who: str) -> bool:
        """End a suspension."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A fix that somebody asks for."""

    target: Target
    action: str
    parameters: Mapping[str, object]
    who: str
    via: str = "api"
    reason: str = ""


GuardOf = Callable[[Target], Awaitable[GuardFacts]]
WorksNow = Callable[[Target], Awaitable[bool | None]]
Held = tuple[str, str, int]  # who holds a destination back, why, until when (ms since 1970, 0: until resumed)


async def _cannot_tell(_target: Target) -> bool | None:
    return None


def held_of(lane: Lane) -> Held:
    """Return who holds a destination back, why, until when."""
    return lane.suspended_by, lane.suspended_reason, lane.suspended_until


class Fixing:
    """Applies fixes and watches what becomes of them: a Part and an Observer of `flow.intelligence`."""

    def __init__(self, journey: Journey, hands: Hands) -> None:
        self._journey = journey
        self._world = journey.world
        self._hands = hands
        self._watched: dict[int, AppliedFix] = {}
        self._ending = False
        self._probed: set[int] = set()
        self.guard_of: GuardOf = self._plain_guard
        self.works_now: WorksNow = _cannot_tell
        self.changed: Callable[[AppliedFix], None] = lambda fix: None

    # ---------------------------------------------------------------- look

    async def preview(self, asked: Asked) -> Preview:
        """Return exactly what a fix would do now; raises `BadFix`."""
        return await self._preview(asked, self._journey.now())

    async def _preview(self, asked: Asked, now: int) -> Preview:
        action = ACTIONS.get(asked.action)
        if action is None:
            raise BadFix(
                tr('There is no fix "{name}": use one of {names}.'),
                name=asked.action,
                names=", ".join(ACTIONS),
            )
        missing = [name for name in action.needs if not asked.parameters.get(name)]
        if missing:
            raise BadFix(tr("This fix needs {names}."), names=", ".join(missing))
        before = self._world.objects
        after = self._edited(asked, now)
        effect = await self._effect(asked, before, after)
        gone = effect.returned + effect.deleted + effect.delivered
        guard = warnings(asked.action, await self.guard_of(asked.target))
        return Preview(
            asked.action,
            dict(asked.parameters),
            before.revision,
            object_diffs(before, after),
            effect,
            guard,
            action.undo,
            (MAIL_IS_GONE,) if gone and action.undo != "full" else (),
        )

    def candidate(self, asked: Asked) -> Connector | None:
        """Return the connector as a fix would make it, to be probed before; None where there is none to probe."""
        now = self._journey.now()
        after = self._edited(asked, now)
        name = str(asked.parameters.get("by", "")) or asked.target.connector
        found = next((c for c in after.connectors if c.name == name and c.enabled), None)
        if found is None:
            return None
        found = overrides.effective(found, after, now)
        pinned = overrides.addresses(after, now)
        hosts = [replace(h, host=a) for h in found.smart_hosts for a in pinned.get(h.host, (h.host,))]
        return replace(found, smart_hosts=tuple(hosts))

    def _edited(self, asked: Asked, now: int) -> Objects:
        if asked.action == "suspend":
            hours_from(asked.parameters, now)
        context = Context(now, asked.who, asked.reason)
        after = edit(asked.action, self._world.objects, asked.target, asked.parameters, context)
        problems = validate(after)
        if problems:
            raise BadFix("{problem}", problem=str(problems[0]))
        return after

    async def _effect(self, asked: Asked, before: Objects, after: Objects) -> Effect:
        if asked.action not in QUEUE_ACTIONS:
            return await effect_of_objects(self._journey, after) if after != before else Effect()
        fates = {"return_now": "returned", "delete": "deleted", "suspend": "held"}
        fate = fates.get(asked.action, "retried")
        return await effect_of_ending(self._journey, self.lanes_of(asked.target), fate)

    async def effect_of(self, after: Objects) -> Effect:
        """Return what would become of queued recipients if the objects were changed to these."""
        return await effect_of_objects(self._journey, after)

    def lanes_of(self, target: Target) -> list[Lane]:
        """Return the destinations that a fix is for."""
        lanes = self._journey.lanes.by_id
        if target.destination_id:
            found = lanes.get(target.destination_id)
            return [found] if found is not None else []
        return [
            lane for lane in lanes.values() if target.connector and lane.key.connector == target.connector
        ]

    async def applied(self, limit: int = 100) -> list[AppliedFix]:
        """Return what was applied, newest first."""
        return [from_document(d) for d in await self._journey.store.documents(KIND, limit=limit)]

    async def find(self, number: str) -> AppliedFix | None:
        """Return an applied fix by its id."""
        document = await self._journey.store.document(KIND, number.upper())
        return from_document(document) if document is not None else None

    async def _plain_guard(self, target: Target) -> GuardFacts:
        lanes = self.lanes_of(target)
        last = max((lane.last_success_at for lane in lanes), default=0)
        return GuardFacts(self._journey.now(), last_success=last)

    # ---------------------------------------------------------------- apply

    async def apply(self, asked: Asked) -> AppliedFix:
        """Make a fix true; what it changes in objects and its record are one transaction."""
        now = self._journey.now()
        preview = await self._preview(asked, now)
        fix = AppliedFix(
            id=self._world.new_id(),
            insight=asked.target.insight,
            action=asked.action,
            parameters={**asked.parameters, "connector": asked.target.connector,
                        "destination_id": str(asked.target.destination_id)},
            who=asked.who,
            via=asked.via,
            reason=asked.reason,
            at=now,
            preview=preview,
        )  # fmt: skip
        if asked.action in QUEUE_ACTIONS:
            fix = await self._steer(fix, asked)
        elif preview.objects:
            fix = await self._save(fix, self._edited(asked, now))
        self._say("fix.applied", fix)
        self._watched[fix.id] = fix
        if asked.action in ENDED:
            self._world.start(self._end(fix))
        self.changed(fix)
        return fix

    async def _save(self, fix: AppliedFix, after: Objects) -> AppliedFix:
        before = self._world.objects
        changes = object_changes(before, after)
        fix = replace(fix, revision=before.revision + 1)
        await self._hands.save_objects(after, changes, f"{fix.who} (fix {fix.action})", (document_of(fix),))
        return fix

    async def _steer(self, fix: AppliedFix, asked: Asked) -> AppliedFix:
        """Do what concerns destinations; their state and the record of the fix are one transaction."""
        lanes = self.lanes_of(asked.target)
        held = {str(lane.id): held_of(lane) for lane in lanes if lane.state == "suspended"}
        fix = replace(fix, held=held)
        if asked.action == "suspend":
            until = hours_from(asked.parameters, fix.at)
            await self._hold({lane.id: (asked.who, asked.reason, until) for lane in lanes}, fix)
        elif asked.action == "resume":
            await self._let_go(list(held), fix)
        else:
            await self._write(fix)
            if asked.action not in ENDED:
                for lane in lanes:
                    self._hands.retry(lane.id)
        return fix

    async def _hold(self, wanted: Mapping[int, Held], fix: AppliedFix) -> None:
        """Suspend destinations, each with who, why and until when."""
        states = []
        for number, (who, reason, until) in wanted.items():
            state = self._journey.state_of(self._journey.lanes.by_id[number])
            states.append(
                state._replace(
                    state="suspended", suspended_by=who, suspended_reason=reason, suspended_until=until
                )
            )
        await self._write(fix, states)
        for number, (who, reason, until) in wanted.items():
            self._hands.suspend(number, who, reason, until)

    async def _let_go(self, numbers: Iterable[str], fix: AppliedFix) -> None:
        """End suspensions."""
        lanes = [self._journey.lanes.by_id[int(n)] for n in numbers if int(n) in self._journey.lanes.by_id]
        lanes = [lane for lane in lanes if lane.state == "suspended"]
        states = [
            self._journey.state_of(lane)._replace(
                state="retry" if lane.attempts else "ready",
                suspended_by="",
                suspended_reason="",
                suspended_until=0,
            )
            for lane in lanes
        ]
        await self._write(fix, states)
        for lane in lanes:
            self._hands.resume(lane.id, fix.undone_by or fix.who)

    async def _end(self, fix: AppliedFix) -> None:
        """Return or delete what waited when the fix was asked for."""
        for lane in self.lanes_of(target_of(fix)):
            await end_all(self._journey, lane, fix.at, fix.action, fix.who)
        await self._settle(fix, "verified")

    # ---------------------------------------------------------------- undo

    async def undo(self, fix: AppliedFix, who: str) -> AppliedFix:
        """Put back what a fix changed; raises `BadFix` where that cannot be, or was done already."""
        if fix.state == "undone":
            raise BadFix(tr("This fix was undone already."))
        action = ACTIONS[fix.action]
        if action.undo == "none":
            raise BadFix(tr("This fix cannot be undone: {title}."), title=action.title)
        undone = replace(fix, state="undone", undone_at=self._journey.now(), undone_by=who)
        if fix.action in QUEUE_ACTIONS:
            await self._unsteer(fix, undone)
        else:
            await self._put_back(fix, undone, who)
        self._watched.pop(fix.id, None)
        self._say("fix.undone", undone)
        self.changed(undone)
        return undone

    async def _unsteer(self, fix: AppliedFix, undone: AppliedFix) -> None:
        """Put the suspensions back that there were; those that somebody has ended or made since stay so."""
        lanes = self.lanes_of(target_of(fix))
        mine = [lane for lane in lanes if (lane.state == "suspended") == (fix.action == "suspend")]
        again = {int(n): held for n, held in fix.held.items()}
        back = {lane.id: again[lane.id] for lane in mine if lane.id in again}
        if fix.action == "suspend":
            await self._let_go([str(lane.id) for lane in mine if lane.id not in again], undone)
        await self._hold(back, undone)

    async def _put_back(self, fix: AppliedFix, undone: AppliedFix, who: str) -> None:
        now = self._world.objects
        for diff in fix.preview.objects:
            found = dict_of(now, diff.kind, diff.name)
            if diff.kind == overrides.KIND and found is None:
                raise BadFix(tr("It has ended by itself already, so there is nothing to undo."))
            if found != diff.after:
                raise BadFix(
                    tr("{kind} {name} was changed since: undo that change first, or change it by hand."),
                    kind=diff.kind,
                    name=diff.name,
                )
        before = await self._hands.objects_before(fix.revision)
        after = put_back(now, before)
        changes = object_changes(now, after)
        if changes:
            who = f"{who} (undo of fix {fix.action})"
            await self._hands.save_objects(after, changes, who, (document_of(undone),))
        else:
            await self._write(undone)

    # ---------------------------------------------------------------- watch

    async def restore(self) -> None:
        """Take up what the last process was watching, and finish what it had begun to end."""
        for fix in await self.applied(200):
            if fix.state in ("applied", "failing") and self._journey.now() - fix.at < WATCHED:
                self._watched[fix.id] = fix
                if fix.action in ENDED:
                    self._world.start(self._end(fix))

    def tick(self, now: int) -> None:
        """Judge what was applied by what happened since; let overrides end."""
        if self._watched and not self._ending:
            self._world.start(self._judge_all(now))
        if any(o.until <= now for o in self._world.objects.overrides) and not self._ending:
            self._ending = True
            self._world.start(self._end_overrides(now))

    async def stop(self) -> None:
        """Nothing is kept in memory alone."""

    async def _end_overrides(self, now: int) -> None:
        try:
            before = self._world.objects
            over = tuple(o for o in before.overrides if o.until > now)
            after = replace(before, overrides=over)
            await self._hands.save_objects(after, override_changes(before, after), "gateway (time is over)")
        finally:
            self._ending = False

    async def _judge_all(self, now: int) -> None:
        summaries = await self._journey.store.destinations(self._journey.expiry_of)
        waiting = {s.state.id: s.messages for s in summaries}
        for fix in list(self._watched.values()):
            if now - fix.at > WATCHED:
                self._watched.pop(fix.id, None)
                continue
            lanes = self.lanes_of(target_of(fix))
            if fix.action in ENDED:  # it says itself when it is through
                continue
            works = any(lane.last_success_at > fix.at for lane in lanes)
            empty = not any(waiting.get(lane.id) for lane in lanes)
            if works or (empty and fix.action in TAKES_AWAY and now - fix.at > 1000):
                await self._settle(fix, "verified")
            elif empty and fix.preview.objects and fix.state == "applied" and fix.id not in self._probed:
                self._probed.add(fix.id)  # no delivery will tell
                self._world.start(self._probe_once(fix))

    async def _probe_once(self, fix: AppliedFix) -> None:
        works = await self.works_now(target_of(fix))
        if works is not None:
            await self._settle(fix, "verified" if works else "failing")

    async def verify(self, fix: AppliedFix) -> AppliedFix:
        """Look now whether the error is gone: by a probe, or by whether anything still waits; raises `BadFix`."""
        if fix.state == "undone":
            raise BadFix(tr("This fix was undone already."))
        target = target_of(fix)
        works: bool | None = False
        if fix.action in TAKES_AWAY:
            summaries = await self._journey.store.destinations(self._journey.expiry_of)
            waiting = {s.state.id: s.messages for s in summaries}
            works = not any(waiting.get(lane.id) for lane in self.lanes_of(target))
        else:
            works = await self.works_now(target)
        if works is None:
            raise BadFix(tr("There is no connector left that a probe could try."))
        self._watched[fix.id] = fix
        return await self._settle(fix, "verified" if works else "failing")

    async def _settle(self, fix: AppliedFix, state: str) -> AppliedFix:
        if self._watched.get(fix.id) is not fix:
            return fix
        settled = replace(fix, state=state, verified_at=self._journey.now())
        if state == "verified":
            self._watched.pop(fix.id, None)
        else:
            self._watched[fix.id] = settled
        await self._write(settled)
        self._say(f"fix.{state}", settled)
        self.changed(settled)
        return settled

    def failed(
        self, event: str, lane: Lane, failure: Failure, verdict: Verdict, more: Mapping[str, object]
    ) -> None:
        """A destination that fails after its fix is still failing."""
        if event != "destination.failed" or not self._watched:
            return
        for fix in list(self._watched.values()):
            mine = lane in self.lanes_of(target_of(fix))
            if (
                mine
                and fix.state == "applied"
                and fix.action not in ENDED
                and failure.session.started_at > fix.at
            ):
                self._world.start(self._settle(fix, "failing"))

    def resolved(self, lane: Lane, targets: Sequence[Address]) -> None:
        """Nothing to learn from."""

    def opened(self, lane: Lane, session: SessionFacts) -> None:
        """Nothing to learn from: a delivery counts."""

    def recovered(self, lane: Lane) -> None:
        """Nothing beyond the time of the last delivery, which `tick` sees."""

    def ended(self, lane: Lane, item: Item, final: Sequence[Final]) -> None:
        """Nothing to learn from."""

    # ---------------------------------------------------------------- write

    def _write(self, fix: AppliedFix, states: Iterable[DestinationState] = ()) -> "asyncio.Future[None]":
        change = Change(documents=(document_of(fix),), destinations=tuple(states))
        return written(self._journey.store, change)

    def _say(self, event: str, fix: AppliedFix) -> None:
        self._journey.say(
            event,
            action=fix.action,
            connector=str(fix.parameters.get("connector", "")),
            by=fix.undone_by or fix.who,
            reason=fix.reason,
            revision=fix.revision,
        )


def target_of(fix: AppliedFix) -> Target:
    """Return what an applied fix was for."""
    number = str(fix.parameters.get("destination_id", "0"))
    return Target(
        str(fix.parameters.get("connector", "")), int(number) if number.isdecimal() else 0, fix.insight
    )
