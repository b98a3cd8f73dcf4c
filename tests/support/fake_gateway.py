"""A gateway for tests of the administration: real objects and metrics, a store that is a few dictionaries."""

import asyncio
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

from gatepost.admin.queue import QueueUseCases
from gatepost.admin.service import Service
from gatepost.config.objects import from_tables
from gatepost.config.settings import Ndr
from gatepost.fix.edit import Target
from gatepost.fix.offers import Situation
from gatepost.flow.foreign import Foreign
from gatepost.flow.jobs import Jobs
from gatepost.insight.book import Book, Trouble
from gatepost.insight.hosts import Hosts
from gatepost.model.failure import LastError
from gatepost.model.fix import Effect
from gatepost.model.ids import first_of, to_text
from gatepost.model.node import Listener, Node, Resolver
from gatepost.model.objects import Objects
from gatepost.model.route import Candidate, DestinationKey, Route
from gatepost.route.decide import Router
from gatepost.storage.interface import (
    AttemptView,
    DestinationState,
    DestinationSummary,
    EndedCount,
    Event,
    Facets,
    Health,
    HistoryEntry,
    MessageView,
    QueuedMessage,
    RecipientView,
    RevisionConflict,
    TracePage,
    Traffic,
)
from gatepost.telemetry.flows import FlowCounts
from gatepost.telemetry.metrics import Metrics

NOW = 1_795_420_800_000  # 2026-11-23T08:00:00Z
HOUR = 3_600_000
OFFICE = DestinationKey("smart", "to-office", "")
PARTNER = DestinationKey("mx", "to-partner", "fabrikam.example")
REFUSED = LastError(
    smtp=450,
    code="4.4.316",
    title="Connection refused",
    phase="connect",
    reason="refused",
    failure_class="connection_refused",
    flow_code="4.4.316",
    message="Connection refused (ECONNREFUSED)",
    server="mail.contoso.example",
    address="192.0.2.7:25",
    at=NOW - 60_000,
    gateway="gw1.example",
    session="01JAAAAAAAAAA",
)
FIRST = first_of(NOW - 2 * HOUR)
SECOND = first_of(NOW - HOUR)
DONE = first_of(NOW - 3 * HOUR)
TABLES = {
    "accepted_domain": [
        {"name": "contoso.example", "type": "internal-relay", "recipients": ["ann@contoso.example"]}
    ],
    "connector": [
        {"name": "to-office", "domains": ["contoso.example"], "smart_hosts": ["mail.contoso.example"]},
        {"name": "to-partner", "to": "partner", "domains": ["fabrikam.example"], "use_mx": True},
    ],
    "source": [{"name": "cloud", "networks": ["192.0.2.0/24"], "may_relay": True}],
}


def recipient(n, address, key, **more):
    values = {
        "state": "queued",
        "attempts": 0,
        "not_before": 0,
        "expires_at": 0,
        "suspended": False,
        "ended_at": 0,
    } | more
    return RecipientView(n, address, key.id, **values)


def attempt(message_id, key, **more):
    values = {
        "id": first_of(NOW - 60_000),
        "message_id": message_id,
        "recipient": 1 if message_id else 0,
        "destination_id": key.id,
        "address": "",
        "at": NOW - 60_000,
        "outcome": "deferred",
        "ended": "",
        "phase": "connect",
        "reason": "refused",
        "failure_class": "connection_refused",
        "sub": "",
        "flow_code": "4.4.316",
        "code": "4.4.316",
        "smtp": 450,
        "title": "Connection refused",
        "message": "Connection refused (ECONNREFUSED)",
        "reply": "",
        "server": "mail.contoso.example",
        "endpoint": "192.0.2.7:25",
        "session_id": 0,
        "milliseconds": 1.25,
        "in_doubt": False,
        "evidence": {},
    } | more
    return AttemptView(**values)


class FakeStore:
    def __init__(self):
        self.states = {
            OFFICE.id: DestinationState.of(OFFICE)._replace(
                state="retry",
                attempts=3,
                next_attempt_at=NOW + 60_000,
                last_error=REFUSED,
                queued_since=NOW - 2 * HOUR,
            ),
            PARTNER.id: DestinationState.of(PARTNER),
        }
        self.queued = {
            (OFFICE.id, FIRST): self._queued(
                FIRST, OFFICE, "bob@contoso.example", "zoe@elsewhere.example", 2048
            ),
            (OFFICE.id, SECOND): self._queued(SECOND, OFFICE, "ann@contoso.example", "", 512),
            (PARTNER.id, FIRST): self._queued(
                FIRST, PARTNER, "cy@fabrikam.example", "zoe@elsewhere.example", 2048
            ),
        }
        self.finished = {
            DONE: MessageView(
                DONE,
                NOW - 3 * HOUR,
                "zoe@elsewhere.example",
                100,
                0,
                "",
                "<done@elsewhere.example>",
                "cloud",
                "",
                False,
                (recipient(1, "ann@contoso.example", OFFICE, state="delivered", ended_at=NOW - 2 * HOUR),),
            )
        }
        self.attempts_of = {FIRST: [attempt(0, OFFICE)], SECOND: [attempt(0, OFFICE)]}
        self.bodies = {FIRST: [b"Subject: hi\r\n\r", b"\n..dots\r\n"]}
        self.ok = True
        self.kept = {}
        self.audited = {"balanced": True, "queued": 3}

    @staticmethod
    def _queued(number, key, address, sender, size):
        return QueuedMessage(
            number,
            key.id,
            number >> 21,
            sender,
            size,
            f"<{to_text(number)}@elsewhere.example>",
            "cloud",
            (recipient(1, address, key),),
        )

    async def rerouted(self):
        return []

    def health(self):
        return Health(self.ok, "" if self.ok else "disk I/O error", "sqlite", 0, 0, 1 << 30)

    async def destinations(self, expiry_of):
        rows = []
        for state in self.states.values():
            waiting = [m for (d, _), m in self.queued.items() if d == state.id]
            oldest = min((m.accepted_at for m in waiting), default=0)
            rows.append(
                DestinationSummary(
                    state,
                    len(waiting),
                    len(waiting),
                    sum(m.size for m in waiting),
                    oldest,
                    oldest + expiry_of(state) if oldest else 0,
                    tuple((m.accepted_at // 300_000 * 300_000, 1) for m in waiting),
                )
            )
        return rows

    async def messages(self, which, limit, after=(0, 0)):
        found = []
        for key in sorted(self.queued):
            message = self.queued[key]
            addresses = [r.address for r in message.recipients]
            if (
                key > after
                and which.destination_id in (0, key[0])
                and which.message_id in (0, key[1])
                and (which.sender is None or which.sender == message.sender)
                and (not which.address or which.address in addresses)
                and (not which.domain or any(a.endswith("@" + which.domain) for a in addresses))
                and (not which.older_than or message.accepted_at < which.older_than)
            ):
                found.append(message)
        return found[:limit]

    async def message(self, message_id):
        if message_id in self.finished:
            return self.finished[message_id]
        parts = [m for (_, number), m in self.queued.items() if number == message_id]
        if not parts:
            return None
        first = parts[0]
        return MessageView(
            message_id,
            first.accepted_at,
            first.sender,
            first.size,
            0,
            "",
            first.header_id,
            first.source,
            '{"address": "192.0.2.99"}',
            False,
            tuple(r for part in parts for r in part.recipients),
            (Event(message_id, message_id + 1, "delay notice", {"to": first.sender}),),
        )

    async def facets(self, destination_id, limit):
        return Facets(2, 2, 2560, (("contoso.example", 2),), (("", 1), ("elsewhere.example", 1)), False)

    async def dated(self, destination_id, limit):
        return []

    async def ended_counts(self, since, until, limit):
        self.asked = (since, until)
        return [
            EndedCount(
                "2026-11-23",
                "5.1.1",
                550,
                "recipient_unknown",
                "other",
                OFFICE.id,
                7,
                6,
                "=no such user",
                (FIRST,),
            )
        ]

    async def traffic(self, since, limit):
        rows = [
            Traffic(OFFICE.id, "TLSv1.3", 2, 10, 8, 2, 0, 80.0, NOW - HOUR),
            Traffic(OFFICE.id, "", 1, 2, 2, 0, 0, 20.0, NOW - 2 * HOUR),
        ]
        return rows, False

    async def held_back(self, since):
        return {OFFICE.id: 4}

    async def destination_attempts(self, destination_id, limit):
        return [attempt(0, OFFICE)]

    async def attempts(self, message_id):
        return self.attempts_of.get(message_id, [])

    async def events(self, message_id):
        return []

    async def open_body(self, message_id):
        async def pieces():
            for piece in self.bodies[message_id]:
                yield piece

        return pieces()

    def write(self, change, done=None):
        self.kept |= {(d.kind, d.key): d for d in change.documents}
        for update in change.updates:
            message = self.queued[update.destination_id, update.message_id]
            fields = {
                k: v
                for k, v in update._asdict().items()
                if v is not None and k in RecipientView._fields and k != "n"
            }
            del fields["destination_id"]
            changed = tuple(r._replace(**fields) if r.n == update.n else r for r in message.recipients)
            self.queued[update.destination_id, update.message_id] = message._replace(recipients=changed)
        if done is not None:
            asyncio.get_running_loop().call_soon(done, None)

    async def document(self, kind, key):
        return self.kept.get((kind, key))

    async def documents(self, kind, *, prefix="", since=0, before=None, limit=1000):
        return [
            d for (k, key), d in sorted(self.kept.items(), reverse=True) if k == kind and d.data is not None
        ]

    async def forget(self, kind, before_ms):
        return 0

    async def trace(self, which, limit):
        self.traced = which
        found = list(self.finished.values())[:limit]
        return TracePage(found, found[-1].id if len(found) == limit else 0)

    async def audit(self):
        return self.audited

    async def history(self, limit, before=0):
        data = {"name": "to-office", "password": "sealed"}
        return [HistoryEntry(2, NOW, "administrator", "set", "connector", "to-office", None, data)]


class FakeGateway:
    def __init__(self):
        self.store = FakeStore()
        self.metrics = Metrics()
        self.objects: Objects = replace(from_tables(TABLES), revision=7)
        self.settings = SimpleNamespace(
            hostname="gw1.example",
            admin=SimpleNamespace(
                tls_certificate=None, tls_key=None, listen="127.0.0.1:8025", session_expiry=3600
            ),
            smtp=SimpleNamespace(tls_certificate=None, listen=("127.0.0.1:2525",)),
            ndr=Ndr(languages=(("contoso.example", "zh-CN"),)),
        )
        self.lanes = {}
        self.done = []
        self.saved = []
        self.kept_tokens = {}
        self.why = ""
        self.short = {}
        self.beaten_by = 0
        self.bad_settings = None
        self.subscribers = []
        self.insights = SimpleNamespace(
            book=Book(count(FIRST).__next__, 90 * 24 * HOUR), hosts=Hosts(), subscribe=self.subscribe
        )
        self.told = []  # what foreign systems have told, as it was written down
        store = SimpleNamespace(write=lambda change: self.told.extend(change.documents))
        self.foreign = Foreign(SimpleNamespace(store=store), self.insights)
        self.ranked = None
        self.flows = FlowCounts(self.now)
        self.new_id = count(first_of(NOW)).__next__
        self.fixing = SimpleNamespace(effect_of=self._effect)
        self.foresight = SimpleNamespace(all=list)
        self.jobs = Jobs(self._journey(), self, QueueUseCases(self).places)

    @staticmethod
    async def _effect(after):
        return Effect(unchanged=2, returned=1, messages=2)

    def _journey(self):
        """Return as much of a journey as jobs need."""
        router = Router(self.objects)
        world = SimpleNamespace(
            new_id=self.new_id, objects=self.objects, router=router, start=asyncio.ensure_future
        )
        return SimpleNamespace(
            store=self.store, world=world, now=self.now, expiry_of=self.expiry_of, flying=set(), ending=set(),
            lanes=SimpleNamespace(by_id={}), say=lambda event, **more: None,
        )  # fmt: skip

    def subscribe(self, callback):
        self.subscribers.append(callback)
        return lambda: self.subscribers.remove(callback)

    def break_office(self, at=NOW - 2 * HOUR, **more):
        """Open the insight of a destination that refuses."""
        values = {"scope": "destination", "connector": "to-office", "destination_id": OFFICE.id} | more
        trouble = Trouble(
            failure_class="connection_refused", error=REFUSED, destination="mail.contoso.example", **values
        )
        return self.insights.book.failed(trouble, at)

    async def ranking(self, fingerprint):
        return self.ranked

    async def mx_of(self, domain):
        return ("10 old.example",), ("10 new.example",)

    async def latest_probe(self, fingerprint):
        return None

    def fix_target(self, text):
        for insight in self.insights.book.find(text):
            return Target(insight.fingerprint.connector, insight.fingerprint.destination_id, text)
        return None

    async def fix_situation(self, target):
        connector = self.objects.connectors[0]
        return Situation("connection_refused", "", connector, self.objects, False, 2), ()

    def now(self):
        return NOW

    def live(self):
        return self.lanes

    def node(self):
        listeners = (Listener("smtp", "127.0.0.1:2525", False), Listener("admin", "127.0.0.1:8025", False))
        return Node(
            number=7, hostname="gw1.example", pid=4711, started_at=NOW - HOUR, listeners=listeners,
            resolvers=(Resolver("192.0.2.53:53", silent=True),), connections_in=2, connections_out=1, memory=1 << 26,
            memory_limit=1 << 30, disk_free=5 << 30, disk_total=100 << 30, disk_least=5 << 30, pressure=self.short,
            clock_gap_ms=0,
        )  # fmt: skip

    def expiry_of(self, state):
        return 24 * HOUR

    def route(self, address):
        domain = address.rpartition("@")[2]
        won = Candidate("to-office", "contoso.example", True, "exact domain")
        lost = Candidate("to-partner", "", False, "no pattern of it matches")
        if domain == "contoso.example":
            return Route(address, domain, OFFICE, "connector to-office: exact domain", (won, lost))
        key = DestinationKey("none", "", domain)
        return Route(address, domain, key, "no connector", (lost,))

    def retry(self, destination_id):
        self.done.append(("retry", destination_id))
        return True

    def suspend(self, destination_id, who, reason, until):
        self.done.append(("suspend", destination_id, who, reason, until))
        state = self.store.states[destination_id]
        self.store.states[destination_id] = state._replace(state="suspended", suspended_reason=reason)
        return True

    def resume(self, destination_id, who):
        self.done.append(("resume", destination_id, who))
        return True

    async def cancel(self, destination_id, message_id, recipients, who, *, ndr):
        self.done.append(("cancel", destination_id, message_id, recipients, who, ndr))
        del self.store.queued[destination_id, message_id]
        return len(recipients)

    async def save_objects(self, objects, changes, who, documents=()):
        if self.beaten_by:
            raise RevisionConflict(objects.revision, self.beaten_by)
        self.saved.append((changes, who))
        self.objects = replace(objects, revision=objects.revision + 1)
        return self.objects.revision

    async def stored(self, kind):
        return {}

    async def tokens(self):
        return self.kept_tokens

    async def put_token(self, name, data, who):
        if data is None:
            del self.kept_tokens[name]
        else:
            self.kept_tokens[name] = data

    def guessed(self, user, client, *, waited):
        pass

    def say(self, event, **fields):
        self.done.append((event, fields))

    def write(self, change):
        self.store.write(change)

    def hash_password(self, password):
        return "$argon2id$" + password[::-1]

    def pressure(self):
        return self.short

    def ready(self):
        return self.why

    async def reload(self):
        if self.bad_settings is not None:
            raise self.bad_settings
        self.done.append(("reload",))


def make():
    gateway = FakeGateway()
    return gateway, Service(gateway)
