"""Fixes and jobs over random queues: the preview is what happens, undo restores, a crash leaves it done or not done."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.peers import free_port
from tests.support.small_gateway import Cut, SmallGateway

from gatepost.fix.edit import Target
from gatepost.fix.filter import parse_filter
from gatepost.flow.fixing import Asked
from gatepost.flow.jobs import Order
from gatepost.model.fix import Effect, Preview
from gatepost.model.objects import AcceptedDomain, Connector, Objects, SmartHost
from gatepost.model.route import DestinationKey
from gatepost.storage.interface import MessageView

CLOSED = free_port()
OFFICE = DestinationKey("smart", "to-office", "").id
KNOWN = ("ann@contoso.example", "bob@contoso.example")
ADDRESSES = (*KNOWN, "eve@contoso.example", "x1@contoso.example", "cy@partner.example", "dan@partner.example")
OBJECTS = Objects(
    connectors=(
        Connector("backup", domains=("backup.example",), smart_hosts=(SmartHost("127.0.0.1", CLOSED),)),
        Connector("to-office", domains=("contoso.example",), smart_hosts=(SmartHost("127.0.0.1", CLOSED),)),
        Connector(
            "to-partner",
            to="partner",
            domains=("partner.example",),
            smart_hosts=(SmartHost("127.0.0.1", CLOSED),),
        ),
    ),
    domains=(AcceptedDomain("contoso.example", type="internal-relay"),),
)


@dataclass(frozen=True)
class Case:
    """A fix, what it is for, and with which parameters."""

    action: str
    connector: str = "to-office"
    parameters: tuple[tuple[str, object], ...] = ()
    undo: bool = True

    def asked(self) -> Asked:
        return Asked(Target(self.connector), self.action, dict(self.parameters), "ann")


CASES = (
    Case("fix_now"),
    Case("fix_now", parameters=(("recipients", ",".join(KNOWN)),)),
    Case("fix_now", parameters=(("delete", "true"),)),
    Case("disable_connector"),
    Case("delete_connector", "to-partner"),
    Case("set_smart_hosts", parameters=(("smart_hosts", f"127.0.0.1:{CLOSED},localhost:{CLOSED}"),)),
    Case("set_quirks", parameters=(("quirks", "no-pipelining"), ("concurrency", "2"))),
    Case("extend_expiry", parameters=(("expiry", "3d"),)),
    Case("reroute", parameters=(("by", "backup"),)),
    Case("import_recipients", parameters=(("domain", "contoso.example"), ("recipients", KNOWN[0]))),
    Case("suspend"),
    Case("retry", undo=False),
    Case("return_now", "to-partner", undo=False),
    Case("delete", undo=False),
)
MAIL = st.lists(
    st.tuples(
        st.sampled_from(["x@sender.example", ""]),
        st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=4, unique=True),
    ),
    max_size=8,
)
Story = Callable[[SmallGateway], Awaitable[None]]


def run(story: Story, folder: Path | None = None, cut_after: int | None = None) -> None:
    async def whole(where: Path) -> None:
        async with SmallGateway(where, cut_after) as gateway:
            await story(gateway)

    if folder is not None:
        asyncio.run(whole(folder))
        return
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(whole(Path(made)))


async def filled(gateway: SmallGateway, mail: list[tuple[str, list[str]]]) -> None:
    await gateway.use(OBJECTS)
    for sender, recipients in mail:
        await gateway.queue(sender, *recipients)
    await gateway.quiet()  # every destination has failed once, and waits


def fates(
    before: Mapping[tuple[int, int], tuple[str, int]],
    after: Mapping[tuple[int, int], tuple[str, int]],
    gateway: SmallGateway,
) -> Counter[str]:
    """Return how many recipients met which fate, `stays` for those that wait where they waited."""
    found: Counter[str] = Counter()
    kinds = {lane.id: lane.key.kind for lane in gateway.journey.lanes.by_id.values()}
    for key, (state, destination) in before.items():
        if state != "queued":
            continue
        now, where = after[key]
        if now in ("returned", "failed"):
            found["returned"] += 1
        elif now == "cancelled":
            found["deleted"] += 1
        elif kinds[where] == "mailbox":
            found["delivered"] += 1
        elif where == destination:
            found["stays"] += 1
        else:
            found["held" if kinds[where] == "none" else "rerouted"] += 1
    return +found


def places(view: MessageView) -> list[tuple[int, int, int]]:
    """Return where each recipient of a message is, and which job sent it there."""
    return [(r.n, r.destination_id, r.rerouted) for r in view.recipients]


def foretold(effect: Effect, action: str) -> Counter[str]:
    """Return a preview in the words of `fates`."""
    stays = effect.retried + effect.unchanged + (effect.held if action == "suspend" else 0)
    held = 0 if action == "suspend" else effect.held
    words = {
        "returned": effect.returned, "deleted": effect.deleted, "delivered": effect.delivered,
        "stays": stays, "held": held, "rerouted": effect.rerouted,
    }  # fmt: skip
    return +Counter(words)


def changed_fields(preview: Preview) -> set[str]:
    found: set[str] = set()
    for diff in preview.objects:
        before, after = diff.before or {}, diff.after or {}
        found |= {name for name in {*before, *after} if before.get(name) != after.get(name)}
    return found


def shown(gateway: SmallGateway) -> Objects:
    return replace(gateway.world.objects, revision=0)


ACTIONS: tuple[tuple[str, dict[str, object]], ...] = (
    ("suspend", {}), ("expire", {"until": "3d"}), ("reroute", {"by": "backup"}), ("retry", {}),
    ("return_now", {}), ("delete", {}),
)  # fmt: skip
FILTERS = ("to:bob@contoso.example", "from:<>", "-to:@partner.example", "recipients>1", "connector:to-*", "")


async def done(
    gateway: SmallGateway, action: str, parameters: dict[str, object], text: str, **more: Any
) -> Any:
    job = await gateway.jobs.start(Order(action, parse_filter(text), parameters, "ann", **more))
    return await gateway.jobs.wait(job, 30)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mail=MAIL, case=st.sampled_from(CASES), sent=st.sampled_from((None, *FILTERS)))
def test_a_preview_is_what_happens_and_undo_restores(
    mail: list[tuple[str, list[str]]], case: Case, sent: str | None
) -> None:
    """B4: exactly, recipient by recipient, whatever was sent another way before; applied twice it does nothing more."""

    async def story(gateway: SmallGateway) -> None:
        await filled(gateway, mail)
        if sent is not None:
            await done(gateway, "reroute", {"by": "backup"}, sent)
            await gateway.quiet()
        before, objects = await gateway.recipients(), shown(gateway)
        preview = await gateway.fixing.preview(case.asked())
        assert await gateway.recipients() == before
        assert shown(gateway) == objects
        fix = await gateway.fixing.apply(case.asked())
        assert fix.preview.effect == preview.effect
        await gateway.quiet()
        after = await gateway.recipients()
        touched = fates(before, after, gateway)
        expected = foretold(preview.effect, case.action)
        if not preview.objects:  # what a fix does not touch it does not count
            expected["stays"] = touched["stays"]
        assert +expected == touched
        if preview.objects and case.action not in ("delete_connector", "fix_now"):
            again = await gateway.fixing.apply(case.asked())
            assert changed_fields(again.preview) <= {"until"}, "applied twice it does nothing more"
            await gateway.quiet()
            assert await gateway.recipients() == after
            return
        if case.undo:
            await gateway.fixing.undo(fix, "ann")
            await gateway.quiet()
            assert shown(gateway) == objects

    run(story)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mail=MAIL, action=st.sampled_from(ACTIONS), text=st.sampled_from(FILTERS))
def test_a_job_touches_exactly_what_its_preview_counted(
    mail: list[tuple[str, list[str]]], action: tuple[str, dict[str, object]], text: str
) -> None:
    """B5: recipient by recipient; undone, everything that still waits is as it was."""

    async def story(gateway: SmallGateway) -> None:
        await filled(gateway, mail)
        name, parameters = action
        before = [view.recipients for view in await gateway.views()]
        preview = await done(gateway, name, parameters, text, dry_run=True)
        assert [view.recipients for view in await gateway.views()] == before
        job = await done(gateway, name, parameters, text)
        assert job.state == "done", job.problem
        assert (job.counts.messages, job.counts.recipients) == (
            preview.counts.messages,
            preview.counts.recipients,
        )
        assert job.counts.done == preview.counts.recipients
        after = [view.recipients for view in await gateway.views()]
        changed = sum(
            a != b for old, new in zip(before, after, strict=True) for a, b in zip(old, new, strict=True)
        )
        assert changed == (0 if name == "retry" else job.counts.done)
        again = await done(gateway, name, parameters, text)
        if name not in (
            "retry",
            "expire",
        ):  # reports of what was returned may be touched, which is no more of this
            assert [view.recipients for view in await gateway.views()] == after
        if name in ("suspend", "reroute"):
            await gateway.jobs.undo(again, "ann")
            await gateway.jobs.undo(job, "ann")
            assert [view.recipients for view in await gateway.views()] == before

    run(story)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mail=MAIL, text=st.sampled_from(FILTERS))
def test_what_was_sent_another_way_stays_there_until_it_is_undone(
    mail: list[tuple[str, list[str]]], text: str
) -> None:
    """B5: objects change, and change back; then everything takes its own way again."""

    async def story(gateway: SmallGateway) -> None:
        await filled(gateway, mail)
        before = [view.recipients for view in await gateway.views()]
        job = await done(gateway, "reroute", {"by": "backup"}, text)
        await gateway.quiet()
        there = [places(view) for view in await gateway.views()]
        other = replace(
            OBJECTS, connectors=tuple(replace(c, comment="looked at") for c in OBJECTS.connectors)
        )
        for objects in (other, OBJECTS):
            await gateway.use(objects)
            await gateway.quiet()
            assert [places(view) for view in await gateway.views()] == there
        await gateway.jobs.undo(job, "ann")
        await gateway.quiet()
        await gateway.use(other)
        await gateway.quiet()
        assert [places(view) for view in await gateway.views()] == [
            [(r.n, r.destination_id, 0) for r in recipients] for recipients in before
        ]

    run(story)


CRASHES = (
    Case("fix_now", parameters=(("recipients", ",".join(KNOWN)),)),
    Case("reroute", parameters=(("by", "backup"),)),
    Case("suspend"),
    Case("delete"),
    Case("return_now"),
)


@pytest.mark.parametrize("case", CRASHES, ids=lambda case: case.action)
def test_a_crash_at_any_write_leaves_a_fix_done_or_not_done(case: Case) -> None:
    """B4: every write of the store in turn is the last one that gets through; the next start finds it whole."""
    mail = [
        ("x@sender.example", [*KNOWN, "x1@contoso.example"]),
        ("y@sender.example", ["cy@partner.example"]),
    ]
    seen: set[bool] = set()
    cut = 0
    while cut < 40:
        through = crash_at(cut, case, mail, seen)
        if through:
            break
        cut += 1
    assert seen == {True, False}
    assert through, "the fix never came through"


def crash_at(cut: int, case: Case, mail: list[tuple[str, list[str]]], seen: set[bool]) -> bool:
    """Apply a fix with a cut behind so many writes, start again and look; return whether it came through whole."""
    whole = []

    async def first(gateway: SmallGateway) -> None:
        await filled(gateway, mail)
        gateway.dangerous()
        try:
            await asyncio.wait_for(gateway.fixing.apply(case.asked()), 10)
            await gateway.quiet()
            whole.append(gateway.writes <= cut)
        except Cut:
            whole.append(False)

    async def second(gateway: SmallGateway) -> None:
        await gateway.quiet()
        applied = await gateway.fixing.applied()
        seen.add(bool(applied))
        now = await gateway.recipients()
        audit = await gateway.world.store.audit()
        assert audit["balanced"], audit
        if case.action in ("delete", "return_now"):
            office = [v for k, v in now.items() if v[1] == OFFICE or v[0] != "queued"]
            assert {state == "queued" for state, _ in office} == {not applied}
        elif case.action == "suspend":
            lane = gateway.journey.lanes.by_id[OFFICE]
            assert (lane.suspended_by == "ann") is bool(applied)
        else:
            made = shown(gateway) != replace(OBJECTS, revision=0)
            assert made is bool(applied)
            for view in await gateway.views():
                for r in view.recipients:
                    if r.state == "queued":
                        assert r.destination_id == gateway.world.router.route(r.address).destination.id

    with tempfile.TemporaryDirectory() as made:
        run(first, Path(made), cut)
        run(second, Path(made))
    return whole[0]
