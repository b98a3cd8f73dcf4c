"""Each foresight from its cause to the notice, and to where it is shown, while mail still flows (B7).

A gateway of its own lives through each in this process, with real counterparts and a clock that the test sets forward.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support import certificates
from tests.support.dns_server import NXDOMAIN
from tests.support.peers import free_port
from tests.support.stories import Crew, Stage

Cause = Callable[[Stage, Crew], Awaitable[None]]


@dataclass(frozen=True)
class Ahead:
    """What happens, and what is foreseen of it."""

    kind: str
    severity: str
    words: str  # of the sentence
    cause: Cause
    settings: tuple[tuple[str, str], ...] = ()
    notice: bool = True  # False: somebody was told already that the connector is stuck


async def ending_certificate(stage: Stage, crew: Crew) -> None:
    """A certificate that ends in five days, seen in the handshake of a delivery."""
    issued = crew.authority.issue("mail.test", not_after=certificates.now() + timedelta(days=5, hours=1))
    server = crew.server(issued=issued)
    await stage.connector(
        f"127.0.0.1:{server.port}", tls="domain-validation", tls_domain="mail.test", tls_ca=crew.authority.pem
    )
    await stage.delivered()


async def last_host(stage: Stage, crew: Crew) -> None:
    """One of two smart hosts refuses."""
    server = crew.server()
    await stage.connector(f"127.0.0.1:{free_port()}", f"127.0.0.1:{server.port}")
    await stage.delivered()


async def other_addresses(stage: Stage, crew: Crew) -> None:
    """The name of a second host, which no mail needs, leads elsewhere."""
    port = crew.server().port
    for name in ("a", "b"):
        crew.names.zones[f"{name}.office.test"] = {"A": ["127.0.0.1"], "ttl": 1}
    await stage.connector(f"a.office.test:{port}", f"b.office.test:{port}")
    await stage.delivered()
    crew.names.zones["b.office.test"] = {"A": ["127.0.0.3"], "ttl": 1}
    stage.idle()
    stage.gateway.world.resolver.flush()
    await stage.delivered()


async def other_mx(stage: Stage, crew: Crew) -> None:
    """The mail servers of a domain of ours are others than before."""
    await stage.accept("office.test")
    for host in ("old", "new"):
        crew.names.zones["office.test"] = {"MX": [f"10 {host}.office.test"], "ttl": 1}
        stage.gateway.world.resolver.flush()
        await stage.gateway.control.names.look()


async def old_tls(stage: Stage, crew: Crew) -> None:
    """A server that chooses a cipher without forward secrecy."""
    server = crew.server(
        issued=crew.authority.issue("mail.test", key=certificates.rsa_key(2048)),
        tls_maximum=ssl.TLSVersion.TLSv1_2,
        ciphers="AES128-GCM-SHA256:AES256-GCM-SHA384",
    )
    await stage.connector(f"127.0.0.1:{server.port}", tls="encryption-only")
    await stage.delivered()


async def expiring_mail(stage: Stage, crew: Crew) -> None:
    """Mail has waited for twenty-one of its twenty-four hours."""
    await stage.connector(f"127.0.0.1:{free_port()}")
    await stage.send()
    await stage.insight()
    await stage.hours(21)


async def growing_queue(stage: Stage, crew: Crew) -> None:
    """Half of what the queue may hold came within minutes, and nothing leaves."""
    await stage.connector(f"127.0.0.1:{free_port()}")
    await stage.send_many("office.test", 30)


async def lapsed_name(stage: Stage, crew: Crew) -> None:
    """The name of one of two smart hosts is gone from the DNS, where it was before."""
    first, second = crew.server(), crew.server()
    crew.names.zones |= {"a.office.test": {"A": ["127.0.0.1"], "ttl": 1}}
    await stage.connector(f"a.office.test:{first.port}", f"127.0.0.1:{second.port}")
    await stage.delivered()
    crew.names.zones["a.office.test"] = NXDOMAIN
    stage.idle()
    stage.gateway.world.resolver.flush()
    await stage.delivered()


AHEAD = (
    Ahead("certificate_expires", "high", "ends in 5 days", ending_certificate),
    Ahead("last_host", "medium", "depends on its last address that works", last_host),
    Ahead("addresses_changed", "medium", "leads to 127.0.0.1, 127.0.0.3 since", other_addresses),
    Ahead("addresses_changed", "low", "The mail servers of office.test are new.office.test since", other_mx),
    Ahead("tls_outdated", "medium", "TLSv1.2 AES", old_tls),
    Ahead("mail_expires", "high", "is returned to its senders from", expiring_mail, notice=False),
    Ahead(
        "queue_limit",
        "high",
        "reaches its limit of 60 messages",
        growing_queue,
        (("GATEPOST_SMTP_MAX_QUEUE_MESSAGES", "60"),),
    ),
    Ahead("domain_lapsed", "high", "that a.office.test does not exist", lapsed_name),
)


@pytest.mark.parametrize("ahead", AHEAD, ids=lambda a: a.cause.__name__)
def test_what_will_stop_mail_is_told_and_shown_before(
    ahead: Ahead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B7: by the default policy, and on every surface."""

    async def live() -> None:
        async with Stage(
            tmp_path, monkeypatch, dns=crew.names.address, settings=dict(ahead.settings)
        ) as stage:
            await stage.service.objects.add("accepted_domain", {"name": "here.test", "type": "authoritative",
                                            "recipients": ["admin@here.test"]}, "ann")  # fmt: skip
            await stage.service.objects.add(
                "notification_channel", {"name": "a", "to": ["admin@here.test"]}, "ann"
            )
            await ahead.cause(stage, crew)
            await stage.foresee()
            (found,) = stage.forecasts(ahead.kind)
            assert (found["severity"], ahead.words in found["sentence"]) == (ahead.severity, True), found
            if ahead.severity != "low":  # a remark wakes nobody
                assert ("foresight", found["key"]) in [
                    (a.policy, a.subject) for a in stage.alerts() if a.fired_at
                ]
            if ahead.notice and ahead.severity != "low":
                assert (await stage.told_of(found["sentence"])).kind == "firing"
            listed = json.loads(await stage.command("insight", "foresight", "--json"))
            assert found["key"] in [row["key"] for row in listed]
            text = await stage.command("insight", "list")
            assert f"mail flows still: {len(listed)} (gatepost insight foresight)" in text
            assert found["sentence"] in await stage.page("/insights")

    crew = Crew(tmp_path)
    try:
        asyncio.run(live())
    finally:
        crew.stop()


def test_what_is_over_is_foreseen_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """B7: a host that works again takes its forecast away, and its alert is told to be over."""

    async def live() -> None:
        async with Stage(tmp_path, monkeypatch, dns=crew.names.address) as stage:
            port, server = free_port(), crew.server()
            await stage.connector(f"127.0.0.1:{port}", f"127.0.0.1:{server.port}")
            await stage.delivered()
            await stage.foresee()
            assert stage.forecasts("last_host")
            crew.server(port=port)
            await stage.command("check", "to-office")
            await stage.foresee()
            assert stage.forecasts("last_host") == []
            assert [a for a in stage.alerts() if a.policy == "foresight" and not a.resolved_at] != []
            await stage.minutes(10)
            assert [a for a in stage.alerts() if a.policy == "foresight" and not a.resolved_at] == []

    crew = Crew(tmp_path)
    try:
        asyncio.run(live())
    finally:
        crew.stop()
