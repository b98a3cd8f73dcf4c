"""The running gateway as the administration sees it: `admin.gateway.Gateway`, made of journey, store and returns."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from argon2 import PasswordHasher

from gatepost.app.stored import object_of
from gatepost.config import overrides
from gatepost.config.changes import ObjectChange
from gatepost.config.objects import ConfigObject, to_dict
from gatepost.config.secrets import open_box
from gatepost.config.settings import Settings
from gatepost.diagnose.causes import actions_for
from gatepost.fix.edit import Target
from gatepost.fix.offers import Situation
from gatepost.flow.alert_facts import AlertFacts
from gatepost.flow.alerting import Alerting
from gatepost.flow.checking import Checking, CheckRequest
from gatepost.flow.ending import RETURNED
from gatepost.flow.facts import FactsOf
from gatepost.flow.fixing import Fixing
from gatepost.flow.foreign import Foreign
from gatepost.flow.foresight import Foresight
from gatepost.flow.insights import Insights
from gatepost.flow.jobs import Jobs
from gatepost.flow.journey import Journey
from gatepost.flow.mail_out import keep
from gatepost.flow.names import Names
from gatepost.flow.node import node_of
from gatepost.flow.quota import Quota
from gatepost.flow.records import Final
from gatepost.flow.rerouting import release_deferred
from gatepost.flow.returns import Returns
from gatepost.flow.situation import situation
from gatepost.flow.validating import Validating
from gatepost.model.document import Document
from gatepost.model.evidence import Because, Ranking
from gatepost.model.failure import Phase, Reason
from gatepost.model.ids import to_text
from gatepost.model.mail import Item, QueuedRecipient
from gatepost.model.node import Node
from gatepost.model.objects import Objects
from gatepost.model.route import Route
from gatepost.queue.lane import Lane
from gatepost.storage.interface import (
    Change,
    DestinationState,
    ObjectsChange,
    Store,
    StoredObject,
    StoreError,
)
from gatepost.telemetry.flows import FlowCounts
from gatepost.telemetry.metrics import Metrics

TOKEN_KIND = "token"  # noqa: S105 - the kind of an object


class Control:
    """What the administration may do with a running gateway."""

    def __init__(
        self,
        journey: Journey,
        returns: Returns,
        apply: Callable[[], Awaitable[int]],
        reload: Callable[[], None],
    ) -> None:
        self._journey = journey
        self._world = journey.world
        self._returns = returns
        self._apply = apply
        self._reload = reload
        self.started = False
        self._started_at = journey.world.now()
        self.fixing: Fixing
        self.jobs: Jobs
        self.alerting: Alerting
        self.checking = Checking(journey)
        self.validating = Validating(journey, self.checking)
        self.facts: FactsOf
        self.alert_facts: AlertFacts
        self.insights: Insights
        self.quota: Quota
        self.names: Names
        self.foresight: Foresight
        self.foreign: Foreign

    @property
    def settings(self) -> Settings:
        """Return the settings in force."""
        return self._world.settings

    @property
    def store(self) -> Store:
        """Return the store, for reading only."""
        return self._world.store

    @property
    def metrics(self) -> Metrics:
        """Return the metrics."""
        metrics: Metrics = self._world.metrics
        return metrics

    @property
    def objects(self) -> Objects:
        """Return the objects in force."""
        return self._world.objects

    @property
    def flows(self) -> FlowCounts:
        """Return which way mail goes, as counted."""
        return self._world.flows

    def now(self) -> int:
        """Return the wall clock."""
        return self._world.now()

    def node(self) -> Node:
        """Return this process as it is now."""
        return node_of(self._world, self._started_at)

    def live(self) -> Mapping[int, DestinationState]:
        """Return the destinations that this process works at, with the state that people are shown."""
        now = self.now()
        found = {}
        for lane in self._journey.lanes.by_id.values():
            deferred_only = not lane.items and not lane.more and lane.next_attempt_at > now
            shown = lane.shown_state(now, deferred_only)
            found[lane.id] = self._journey.state_of(lane)._replace(state=shown)
        return found

    def expiry_of(self, state: DestinationState) -> int:
        """Return how long mail for a destination is kept by default, in milliseconds."""
        return self._journey.expiry_of(state)

    def route(self, address: str) -> Route:
        """Return where an address goes, with every candidate."""
        return self._world.router.explain(address)

    def _lane(self, destination_id: int) -> Lane | None:
        return self._journey.lanes.by_id.get(destination_id)

    def retry(self, destination_id: int) -> bool:
        """Try a destination now."""
        lane = self._lane(destination_id)
        if lane is None or lane.state == "suspended":
            return False
        self._world.resolver.flush()
        self._journey.lanes.retry_now(lane)
        self._world.start(release_deferred(self._journey, lane))
        return True

    def suspend(self, destination_id: int, who: str, reason: str, until: int) -> bool:
        """Take no more connections to a destination."""
        lane = self._lane(destination_id)
        if lane is None:
            return False
        self._journey.lanes.suspend(lane, who, reason, until)
        self._world.say(
            "destination.suspended", level="warning", connector=lane.key.connector, by=who, reason=reason
        )
        return True

    def resume(self, destination_id: int, who: str) -> bool:
        """End a suspension."""
        lane = self._lane(destination_id)
        if lane is None or lane.state != "suspended":
            return False
        self._journey.lanes.resume(lane)
        self._world.say("destination.resumed", connector=lane.key.connector, by=who)
        return True

    async def send_test(self, recipient: str, subject: str, text: str) -> int:
        """Send a message of our own to an address by the ordinary route."""
        hostname = self.settings.hostname
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = f"postmaster@{hostname}", recipient, subject
        message["Date"] = format_datetime(datetime.fromtimestamp(self.now() / 1000, UTC))
        message["Message-ID"] = f"<{to_text(self._world.new_id())}@{hostname}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        number, problem = await keep(self._journey, "", recipient, message.as_bytes())
        if problem is not None:
            raise StoreError(str(problem))
        return number

    async def cancel(
        self, destination_id: int, message_id: int, recipients: Sequence[int], who: str, *, ndr: bool
    ) -> int:
        """End recipients of a message for good."""
        lane = self._lane(destination_id)
        view = await self.store.message(message_id)
        if lane is None or view is None:
            return 0
        wanted = set(recipients)
        chosen = tuple(
            QueuedRecipient(r.n, r.address, "", 0, r.attempts, r.not_before)
            for r in view.recipients
            if r.state == "queued" and r.destination_id == destination_id and (not wanted or r.n in wanted)
        )
        if not chosen or (destination_id, message_id) in self._journey.flying:
            return 0
        item = Item(
            message_id, destination_id, view.accepted_at, view.sender, view.size, view.flags, view.envid, chosen,
            None, 0, last=False,
        )  # fmt: skip
        self._journey.lanes.forget(lane, message_id)
        if ndr:
            final: list[Final] = [
                (
                    r,
                    *self._journey.trouble.own_failure(
                        lane, item, r, RETURNED, Phase.ROUTE, Reason.CANCELLED, "returned"
                    ),
                )
                for r in chosen
            ]
            await self._returns.ended_now(lane, item, final)
        else:
            await self._returns.cancel(lane, item, who)
        return len(chosen)

    async def save_objects(
        self,
        objects: Objects,
        changes: Sequence[ObjectChange],
        who: str,
        documents: Sequence[Document] = (),
    ) -> int:
        """Make the objects true in the store and in force."""
        box = open_box(Path(self.settings.data_dir))
        lying_over = {o.name: overrides.to_dict(o) for o in objects.overrides}
        named: dict[tuple[str, str], ConfigObject] = {}
        named |= {("connector", c.name): c for c in objects.connectors}
        named |= {("accepted_domain", d.name): d for d in objects.domains}
        named |= {("source", s.name): s for s in objects.sources}
        named |= {("alert_policy", p.name): p for p in objects.policies}
        named |= {("notification_channel", c.name): c for c in objects.channels}
        puts = []
        for change in changes:
            if change.kind == overrides.KIND:
                puts.append(StoredObject(change.kind, change.name, lying_over.get(change.name)))
                continue
            value = named.get((change.kind, change.name))
            data = None if value is None or change.action == "remove" else to_dict(value, secrets=True)
            if data and data.get("password"):
                data["password"] = box.encrypt(str(data["password"]))
            puts.append(StoredObject(change.kind, change.name, data))
        what = ", ".join(f"{c.action} {c.kind} {c.name}" for c in changes)
        revision = await self.store.save_objects(
            ObjectsChange(objects.revision, self.now(), who, what[:1000], tuple(puts)), documents
        )
        moved = await self._apply()
        self._world.say("objects.changed", revision=revision, by=who, what=what[:1000], moved=moved)
        return revision

    async def objects_before(self, revision: int) -> Mapping[tuple[str, str], object]:
        """Return the objects that a revision changed, as they were before it; None: they were not there."""
        box = open_box(Path(self.settings.data_dir))
        found: dict[tuple[str, str], object] = {}
        for entry in await self.store.history(1000, revision + 1):
            if entry.revision != revision:
                break
            before = None if entry.before is None else object_of(entry.kind, entry.before, box)
            found[entry.kind, entry.name] = before
        return found

    async def ranking(self, fingerprint: str) -> Ranking | None:
        """Return the causes of an insight, ranked by evidence."""
        return await self.facts.ranking(fingerprint)

    async def mx_of(self, domain: str) -> tuple[Sequence[str], Sequence[str]]:
        """Return the mail servers that a domain had before, and has now."""
        return self.names.mx_of(domain)

    async def latest_probe(self, fingerprint: str) -> Mapping[str, object] | None:
        """Return what the latest probe saw."""
        insight = self.insights.book.get(fingerprint)
        if insight is None or not insight.fingerprint.destination_id:
            return None
        found = await self.checking.kept(insight.fingerprint.destination_id, 1)
        return found[0] if found else None

    async def works_now(self, target: Target) -> bool | None:
        """Tell by a probe whether a connector takes mail now; None where it is gone or disabled."""
        found = next((c for c in self.objects.connectors if c.name == target.connector and c.enabled), None)
        if found is None:
            return None
        lane = self._lane(target.destination_id)
        request = CheckRequest(
            found, "fix", saved=True, next_hop=lane.key.next_hop if lane else "", auth=False
        )
        return (await self.checking.check(request)).ok

    def fix_target(self, text: str) -> Target | None:
        """Return what an insight is about."""
        found = self.insights.book.find(text)
        if len(found) != 1:
            return None
        where = found[0].fingerprint
        return Target(where.connector, where.destination_id, where.text, where.failure_class)

    async def fix_situation(
        self, target: Target
    ) -> tuple[Situation, Sequence[tuple[str, tuple[Because, ...]]]]:
        """Return what is known of a destination, and the fixes that its ranked causes ask for, in order."""
        found = await situation(self._journey, self.fixing, target)
        ranking = await self.facts.ranking(target.insight) if target.insight else None
        if ranking is None:
            return found, ()
        insight = self.insights.book.get(target.insight)
        assert insight is not None
        facts = await self.facts.facts(insight)
        return replace(found, dns_then=facts.dns_then), actions_for(ranking)

    async def tokens(self) -> Mapping[str, Mapping[str, object]]:
        """Return the API tokens by name."""
        return await self.stored(TOKEN_KIND)

    async def put_token(self, name: str, data: Mapping[str, object] | None, who: str) -> None:
        """Keep a token, or delete it."""
        await self.put_stored(TOKEN_KIND, name, data, who)

    async def stored(self, kind: str) -> Mapping[str, Mapping[str, object]]:
        """Return what is kept under a kind of its own, by name."""
        stored = await self.store.objects()
        return dict(stored.kinds.get(kind, {}))

    async def put_stored(self, kind: str, name: str, data: Mapping[str, object] | None, who: str) -> None:
        """Keep one, or delete it."""
        stored = await self.store.objects()
        known = name in stored.kinds.get(kind, {})
        verb = "remove" if data is None else "change" if known else "add"
        what = f"{verb} {kind} {name}"
        put = StoredObject(kind, name, data)
        await self.store.save_objects(ObjectsChange(stored.revision, self.now(), who, what, (put,)))
        await self._apply()

    def guessed(self, user: str, client: str, *, waited: bool) -> None:
        """Count a failed sign-in."""
        self._world.guessed("admin", user, client, waited=waited)

    def say(self, event: str, **fields: object) -> None:
        """Write a line into the log."""
        self._world.say(event, **fields)

    def write(self, change: Change) -> None:
        """Write something down that belongs to the administration itself."""
        self.store.write(change)

    def seal(self, secret: str) -> str:
        """Return a secret in the form that may be stored."""
        return open_box(Path(self.settings.data_dir)).encrypt(secret)

    def unseal(self, stored: str) -> str:
        """Return the secret of a stored form."""
        return open_box(Path(self.settings.data_dir)).decrypt(stored)

    def hash_password(self, password: str) -> str:
        """Return the argon2 hash of a login's password."""
        return PasswordHasher().hash(password)

    def pressure(self) -> Mapping[str, str]:
        """Return what is short now, each with its reason."""
        return dict(self._world.pressure.reasons)

    def ready(self) -> str:
        """Return "" while mail is accepted and delivered, else why not."""
        if not self.started:
            return "starting or stopping"
        return self._world.pressure.reason or ""

    async def reload(self) -> None:
        """Read the settings again."""
        self._reload()
        await asyncio.sleep(0)
