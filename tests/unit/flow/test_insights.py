"""What the journey tells becomes insights: which scope, counted how often, said to whom."""

import asyncio
import json
from itertools import count
from types import SimpleNamespace

import pytest

from gatepost.diagnose.classify import classify
from gatepost.flow.insights import Insights
from gatepost.insight.kept import HOST, INSIGHT
from gatepost.model.attempt import Failure, Reply, SessionFacts
from gatepost.model.failure import Phase, Reason
from gatepost.model.insight import Scope, Severity
from gatepost.model.mail import QueuedRecipient
from gatepost.model.objects import Connector, Objects
from gatepost.model.route import DestinationKey
from gatepost.queue.lane import Lane, LanePolicy
from gatepost.storage.interface import DestinationState, DestinationSummary

NOW = 1_795_420_800_000
HOUR = 3_600_000
OFFICE = DestinationKey("smart", "to-office", "")


class Store:
    def __init__(self):
        self.written = []

    def write(self, change, done=None):
        self.written += change.documents

    async def documents(self, kind, *, since=0, before=None, limit=1000, prefix=""):
        newest = {d.key: d for d in self.written if d.kind == kind and d.data is not None}
        return [] if before else [d._replace(data=json.loads(json.dumps(d.data))) for d in newest.values()]


class Scene:
    """A journey that is only told about."""

    def __init__(self):
        self.time = NOW
        self.said = []
        self.store = Store()
        self.summaries = []
        self.lanes = SimpleNamespace(by_id={}, get=self.lane)
        connectors = (Connector("to-office", domains=("office.example",)),)
        self.world = SimpleNamespace(
            new_id=count(1).__next__,
            now=lambda: self.time,
            settings=SimpleNamespace(hostname="gw1.example", retention=SimpleNamespace(insights=90 * 86400)),
            objects=Objects(1, connectors),
            destination_name=lambda lane: lane.key.next_hop or "mail.office.example",
            start=lambda work: work.close(),
        )
        self.insights = Insights(self, lambda: self.summaries)

    def now(self):
        return self.time

    def say(self, event, **more):
        self.said.append((event, more))

    def lane(self, key=OFFICE, **more):
        lane = self.lanes.by_id.get(key.id)
        if lane is None:
            connector = self.world.objects.connectors[0] if key.connector else None
            lane = self.lanes.by_id[key.id] = Lane(key, connector, LanePolicy((60,), 86400, 20))
        for name, value in more.items():
            setattr(lane, name, value)
        return lane

    def fail(
        self, event, lane, phase=Phase.CONNECT, reason=Reason.REFUSED, reply=None, server="mx.example", **more
    ):
        session = SessionFacts(1, lane.id, self.time, server, "192.0.2.7", 25)
        failure = Failure(phase, reason, "detail", session, reply)
        verdict = classify(failure, connector=lane.connector, kind=lane.key.kind)
        self.insights.failed(event, lane, failure, verdict, more)
        return failure, verdict

    def open(self, lane, server="mx.example", address="192.0.2.8"):
        self.insights.opened(lane, SessionFacts(2, lane.id, self.time, server, address, 25))

    @property
    def all(self):
        return {(i.fingerprint.scope, i.fingerprint.failure_class): i for i in self.insights.book.all()}


@pytest.fixture
def scene():
    return Scene()


def reply(code, text):
    return Reply(code, (text,), text.split(" ", 1)[0])


def test_each_event_has_its_scope(scene):
    lane = scene.lane()
    scene.fail("destination.failed", lane)
    scene.fail("host.failed", lane, reason=Reason.TIMEOUT)
    scene.fail("message.deferred", lane, Phase.RCPT, Reason.REPLY, reply(450, "4.2.2 full"))
    scene.fail("message.failed", lane, Phase.RCPT, Reason.REPLY, reply(550, "5.1.1 no such user"))
    assert set(scene.all) == {
        (Scope.DESTINATION, "connection_refused"),
        (Scope.HOSTS, "connection_timeout"),
        (Scope.MESSAGES, "mailbox_full"),
        (Scope.MESSAGES, "recipient_unknown"),
    }


def test_hosts_that_failed_before_the_last_one_are_rows_and_not_insights_of_their_own(scene):
    lane = scene.lane()
    scene.fail("destination.failed", lane, reason=Reason.TIMEOUT, server="mx1.example", root=False)
    scene.fail("destination.failed", lane, server="mx2.example", root=True)
    assert set(scene.all) == {(Scope.DESTINATION, "connection_refused")}
    assert {row.server for row in scene.insights.hosts.rows(lane.id)} == {"mx1.example", "mx2.example"}


def test_a_421_to_many_messages_at_once_is_one_attempt_of_the_whole_destination(scene):
    """As the lanes count it."""
    lane = scene.lane()
    scene.fail("message.deferred", lane, Phase.MAIL, Reason.REPLY, reply(421, "4.3.2 busy"))
    lane.state = "retry"
    for _ in range(5):
        scene.fail("message.deferred", lane, Phase.MAIL, Reason.REPLY, reply(421, "4.3.2 busy"))
    (insight,) = scene.insights.book.all()
    assert (insight.fingerprint.scope, insight.attempts) == (Scope.DESTINATION, 1)


def test_mistyped_domains_are_one_insight_however_many_there_are(scene):
    for number in range(50):
        lane = scene.lane(DestinationKey("mx", "", f"typo{number}.example"))
        failure, verdict = scene.fail("destination.failed", lane, Phase.DNS, Reason.NXDOMAIN)
        scene.insights.ended(
            lane, None, [(QueuedRecipient(1, "a@x.example", "", 0, 0, 0), failure, verdict, None)]
        )
    (insight,) = scene.insights.book.all()
    assert (insight.fingerprint.destination_id, insight.attempts, insight.ended) == (0, 50, 50)
    assert insight.severity is Severity.LOW


def test_a_domain_that_took_mail_and_is_gone_is_an_insight_of_its_own(scene):
    lane = scene.lane(DestinationKey("mx", "", "lapsed.example"))
    scene.open(lane)
    scene.time += 1
    scene.fail("destination.failed", lane, Phase.DNS, Reason.NXDOMAIN)
    (insight,) = scene.insights.book.all()
    assert insight.fingerprint.scope == Scope.DESTINATION
    assert insight.destination == "lapsed.example"


def test_what_we_stopped_ourselves_is_no_failure(scene):
    scene.fail("destination.failed", scene.lane(), reason=Reason.CANCELLED)
    assert scene.insights.book.all() == []


def test_a_host_that_takes_mail_again_ends_what_was_said_of_it(scene):
    """B2."""
    lane = scene.lane(attempts=1)
    scene.open(lane)
    scene.fail("host.failed", lane)
    scene.time += 1
    scene.open(lane, address="192.0.2.7")
    assert scene.all[Scope.HOSTS, "connection_refused"].resolved_why == "recovered"


def test_a_second_writes_down_what_changed_and_tells_whoever_wants_to_know(scene):
    told = []
    stop = scene.insights.subscribe(lambda insight, before: told.append((insight, before)))
    scene.insights.subscribe(lambda insight, before: 1 / 0)
    lane = scene.lane()
    scene.fail("destination.failed", lane)
    scene.insights.tick(scene.time)
    assert {document.kind for document in scene.store.written} >= {INSIGHT, HOST}
    ((insight, before),) = told
    assert (insight.state, before) == ("new", None)
    assert {event for event, _ in scene.said} == {"subscriber.failed", "insight.new"}
    stop()
    scene.insights.recovered(lane)
    scene.insights.tick(scene.time)
    assert len(told) == 1


def test_the_load_is_what_was_counted_last(scene):
    lane = scene.lane()
    scene.fail("destination.failed", lane)
    state = DestinationState.of(OFFICE)
    scene.summaries = [DestinationSummary(state, 30, 40, 900, NOW - HOUR, NOW + 23 * HOUR)]
    load = scene.insights.load_of(NOW)(lane.id)
    assert (load.messages, load.share, load.expires_in, load.lifetime) == (30, 1.0, 23 * HOUR, 24 * HOUR)


def test_a_connector_that_is_gone_ends_its_insight(scene):
    """R14."""
    scene.fail("destination.failed", scene.lane())
    scene.world.objects = Objects(2, ())
    scene.insights.tick(scene.time)
    assert scene.all[Scope.DESTINATION, "connection_refused"].resolved_why == "gone"


def test_many_that_fail_alike_are_one_and_later_failures_count_there_too(scene):
    """B3."""
    lanes = [scene.lane(DestinationKey("mx", "", f"d{n}.example")) for n in range(6)]
    for number, lane in enumerate(lanes):
        scene.fail("destination.failed", lane, reason=Reason.TIMEOUT, server=f"mx.d{number}.example")
    scene.insights.tick(scene.time)
    whole = scene.all[Scope.GATEWAY, "connection_timeout"]
    assert (whole.attempts, len(whole.members)) == (6, 6)
    scene.fail("destination.failed", lanes[0], reason=Reason.TIMEOUT, server="mx.d0.example")
    assert scene.all[Scope.GATEWAY, "connection_timeout"].attempts == 7
    around = scene.insights.neighbours(lanes[0].id, "connection_timeout", scene.time)
    assert (around.active, around.failing, around.failing_alike, around.working) == (5, 5, 5, 0)
    for lane in lanes[:4]:
        scene.time += 6000
        lane.last_success_at = scene.time
        scene.insights.recovered(lane)
        scene.insights.tick(scene.time)
    assert scene.all[Scope.GATEWAY, "connection_timeout"].resolved_why == "dissolved"
    assert {i.parent for i in scene.insights.book.open_of(Scope.DESTINATION)} == {""}


def probe(scene, *works):
    """Let a probe see as many addresses, each of which takes mail or not."""
    seen = []
    for number, good in enumerate(works):
        session = SessionFacts(number + 1, 0, scene.time, "mx.example", f"192.0.2.{number}", 25)
        seen.append((session, None if good else Failure(Phase.CONNECT, Reason.REFUSED, "refused", session)))
    scene.insights.probed(OFFICE, seen)


def test_a_probe_knows_of_trouble_before_the_first_message(scene):
    """B7."""
    probe(scene, False, False)
    insight = scene.all[Scope.DESTINATION, "connection_refused"]
    assert (insight.destination, insight.attempts) == ("mail.office.example", 1)
    scene.time += 1000
    probe(scene, True, True)
    assert scene.all[Scope.DESTINATION, "connection_refused"].resolved_why == "recovered"


def test_a_probe_names_the_address_that_fails_while_others_work(scene):
    """B2, B9."""
    probe(scene, True, False, True)
    assert set(scene.all) == {(Scope.HOSTS, "connection_refused")}
    rows = scene.insights.hosts.rows(OFFICE.id)
    assert {row.address: row.works for row in rows} == {
        "192.0.2.0": True,
        "192.0.2.1": False,
        "192.0.2.2": True,
    }


def test_a_probe_does_not_call_a_destination_mended_that_mail_still_waits_for(scene):
    """It answers again; that mail gets through is for the next delivery to show."""
    lane = scene.lane(attempts=3)
    scene.fail("destination.failed", lane)
    probe(scene, True)
    assert scene.all[Scope.DESTINATION, "connection_refused"].state.open


def test_what_was_written_is_what_the_next_process_knows(scene):
    lane = scene.lane()
    scene.fail("destination.failed", lane)
    scene.insights.tick(scene.time)
    again = Insights(scene, list)
    asyncio.run(again.restore())
    assert again.book.all() == scene.insights.book.all()
    assert again.hosts.rows(lane.id) == scene.insights.hosts.rows(lane.id)
