"""Stories of destinations that cannot be reached: names, connections, certificates, sessions."""

from datetime import timedelta

from tests.support import certificates
from tests.support.dns_server import NXDOMAIN, SERVFAIL
from tests.support.peers import free_port
from tests.support.plots.telling import story, worked
from tests.support.smtp_server import CLOSE, RESET, SILENCE
from tests.support.stories import Crew, Stage

DAY = timedelta(days=1)
BIG = 300_000


# ---------------------------------------------------------------- nobody answers, or says no


@story(
    "the service is stopped",
    "connection_refused",
    "service_stopped",
    "there",
    "retry",
    "worked_lately_stopped",
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await worked(stage, crew, to)
    await stage.send()
    await stage.hours(3)


@story("the server was shut down", "connection_refused", "shut_down", "us", "fix_now", "dead_for_long",
       to=("on-premises",), decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await worked(stage, crew, to)
    await stage.send()
    await stage.hours(20)
    await stage.send()
    await stage.hours(9)


@story(
    "a refusal, and nothing else is known",
    "connection_refused",
    "firewall_rejects",
    "network",
    "retry",
    decided=False,
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await stage.connector(f"127.0.0.1:{free_port()}", to=to)
    await stage.send()


@story(
    "the server is down",
    "connection_timeout",
    "server_down",
    "there",
    "retry",
    "worked_lately_down",
    decided=True,
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    crew.silent(await worked(stage, crew, to))
    await stage.send()
    await stage.hours(3)


@story("a smart host was changed", "connection_timeout", "wrong_address", "us", "set_smart_hosts", "smart_host_changed",
       decided=True, words="ann changed smart_hosts of the connector")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await worked(stage, crew, to)
    port = free_port()
    crew.silent(port)
    await stage.connector(f"127.0.0.1:{port}", to=to)
    await stage.send()
    await stage.hours(1)


@story(
    "a port was changed",
    "connection_refused",
    "wrong_port",
    "us",
    "set_smart_hosts",
    "port_changed",
    decided=True,
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await worked(stage, crew, to)
    await stage.connector(f"127.0.0.1:{free_port()}", to=to)
    await stage.send()
    await stage.hours(1)


@story(
    "there is no way to an address that never worked",
    "host_unreachable",
    "wrong_address",
    "us",
    "set_smart_hosts",
    "never_worked_address",
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await stage.connector("224.0.0.1:25", to=to)
    await stage.send()


# ---------------------------------------------------------------- names


async def named(stage: Stage, crew: Crew, to: str) -> int:
    """Let mail flow to a name that leads to 127.0.0.1; return the port."""
    server = crew.server()
    crew.names.zones["mail.office.test"] = {"A": ["127.0.0.1"], "ttl": 1}
    await stage.connector(f"mail.office.test:{server.port}", to=to)
    await stage.delivered()
    await stage.hours(2)
    server.stop()
    return server.port


@story("the server moved, and nothing answers there yet", "connection_timeout", "address_changed", "there",
       "use_last_addresses", "address_moved")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    port = await named(stage, crew, to)
    crew.silent(port, "127.0.0.2")
    crew.names.zones["mail.office.test"] = {"A": ["127.0.0.2"], "ttl": 1}
    stage.gateway.world.resolver.flush()
    await stage.send()
    await stage.hours(1)
    assert stage.gateway.control.names.moved(await stage.place()) is not None


@story("the domain lapsed", "dns_query_failed", "domain_expired", "dns-host", "use_last_addresses",
       "name_gone_after_it_worked", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await named(stage, crew, to)
    crew.names.zones["mail.office.test"] = NXDOMAIN
    stage.gateway.world.resolver.flush()
    await stage.send()
    await stage.hours(3)


@story("the name was mistyped from the start", "dns_query_failed", "wrong_name", "us", "set_smart_hosts",
       "name_never_existed", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await stage.connector("mial.office.test", to=to)
    await stage.send()


@story("the DNS host is down", "dns_query_failed", "dns_outage", "dns-host", "use_last_addresses", "servers_fail",
       decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await named(stage, crew, to)
    crew.names.zones["mail.office.test"] = SERVFAIL
    stage.gateway.world.resolver.flush()
    await stage.send()
    await stage.hours(3)


@story(
    "our resolver alone fails", "dns_query_failed", "own_resolver", "us", "flush_dns", "resolver_alone_fails"
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    await named(stage, crew, to)
    port = crew.domain_servers(mail_office_test={"A": ["127.0.0.1"]})
    crew.names.zones["mail.office.test"] = SERVFAIL
    crew.names.zones["office.test"] = {"NS": ["ns.office.test."]}
    crew.names.zones["ns.office.test"] = {"A": ["127.0.0.1"]}
    stage.gateway.world.resolver.flush()
    await stage.send()
    await stage.hours(1)
    await stage.authority(port)


@story("the MX was changed, and our resolver holds the old answer", "connection_refused", "stale_answer", "us",
       "flush_dns", "resolver_is_stale", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server()
    crew.names.zones |= {
        "office.test": {"MX": ["10 old.office.test"], "NS": ["ns.office.test."]},
        "old.office.test": {"A": ["127.0.0.1"]},
        "ns.office.test": {"A": ["127.0.0.1"]},
    }
    await stage.connector(to=to, port=server.port)
    await stage.delivered()
    server.stop()
    port = crew.domain_servers(
        office_test={"MX": ["10 new.office.test"]}, new_office_test={"A": ["127.0.0.9"]}
    )
    await stage.send()
    await stage.insight()
    await stage.authority(port, "office.test")


# ---------------------------------------------------------------- some of several


@story("one of two hosts is broken", "connection_refused", "one_host", "there", "set_smart_hosts", "some_hosts_work",
       scope="hosts", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server()
    await stage.connector(f"127.0.0.1:{free_port()}", f"127.0.0.1:{server.port}", to=to)
    await stage.delivered()
    await stage.foresee()
    (found,) = stage.forecasts("last_host")
    assert str(server.port) in found["sentence"]


@story("one of four addresses is broken", "connection_refused", "one_host", "there", "set_smart_hosts",
       "some_hosts_work", scope="hosts", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    port = crew.server(host="127.0.0.1").port
    for last in (2, 3):
        crew.server(host=f"127.0.0.{last}", port=port)
    crew.names.zones["mail.office.test"] = {"A": [f"127.0.0.{last}" for last in (1, 2, 3, 4)]}
    await stage.connector(f"mail.office.test:{port}", to=to)

    async def met() -> bool:
        """The order is left to chance: mail goes on until each address was tried."""
        await stage.delivered()
        stage.idle()
        return bool(stage.gateway.control.insights.book.open_of("hosts"))

    await stage.until(met, "the broken address")
    found = await stage.insight()
    assert "1 of 4 addresses broken: 127.0.0.4" in found["sentence"]


# ---------------------------------------------------------------- it is ours


@story("our own network is down", "connection_timeout", "own_network", "us", "extend_expiry", "others_fail_alike",
       decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    places = {}
    for name in ("office", "fabrikam", "tailspin", "wingtip"):
        server = crew.server()
        places[name] = server
        crew.names.zones[f"mx.{name}.test"] = {"A": ["127.0.0.1"]}
        hosts = f"mx.{name}.test:{server.port}"
        await stage.connector(hosts, name=f"to-{name}", to=to, domain=f"{name}.test")
        await stage.delivered(f"{name}.test")
    await stage.hours(1)
    for name, server in places.items():
        server.stop()
        crew.silent(server.port)
        await stage.send(f"{name}.test")
    for name in places:
        await stage.insight(f"to-{name}")
    await stage.settle()
    rows = await stage.insights()
    assert [row["scope"] for row in rows] == ["gateway"]  # one says so instead of four
    assert "our own network" in rows[0]["sentence"]


# ---------------------------------------------------------------- TLS and certificates


def checked(crew: Crew) -> dict[str, object]:
    """Return the demand for a certificate of mail.test by a CA that is trusted."""
    return {"tls": "domain-validation", "tls_domain": "mail.test", "tls_ca": crew.authority.pem}


@story(
    "the certificate ended",
    "cert_invalid",
    "expired",
    "there",
    "pin_certificate",
    "date_is_over",
    decided=True,
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(issued=crew.authority.issue("mail.test", not_after=certificates.now() + 5 * DAY))
    await stage.connector(f"127.0.0.1:{server.port}", to=to, **checked(crew))
    await stage.delivered()
    await stage.foresee()
    (found,) = stage.forecasts("certificate_expires")  # it was foreseen
    assert found["severity"] == "high"
    assert "ends in 4 days" in found["sentence"]
    await stage.hours(6 * 24)
    await stage.send()
    await stage.insight()
    await stage.foresee()
    assert stage.forecasts("certificate_expires") == []


@story("the certificate was renewed under another name", "cert_invalid", "name_mismatch", "there", "set_tls_domain",
       "renewed_with_other_name", "names_differ", decided=True, words="other.test",
       parameters={"tls_domain": "other.test"})  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(issued=certificates.good(crew.authority, "mail.test"))
    await stage.connector(f"127.0.0.1:{server.port}", to=to, **checked(crew))
    await stage.delivered()
    server.stop()
    await stage.hours(2)
    crew.server(issued=certificates.good(crew.authority, "other.test"), port=server.port)
    await stage.send()
    await stage.hours(1)


@story(
    "nobody trusts the issuer",
    "cert_invalid",
    "untrusted",
    "there",
    "trust_issuer",
    "issuer_unknown",
    decided=True,
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(issued=certificates.unknown_issuer("mail.test"))
    await stage.connector(f"127.0.0.1:{server.port}", to=to, **checked(crew))
    await stage.send()


@story("encryption has vanished", "tls_not_offered", "inspection", "network", "set_quirks", "offered_before")
async def _(stage: Stage, crew: Crew, to: str) -> None:
    issued = certificates.good(crew.authority, "mail.test")
    server = crew.server(issued=issued)
    await stage.connector(f"127.0.0.1:{server.port}", to=to, tls="encryption-only")
    await stage.delivered()
    server.stop()
    await stage.hours(2)
    crew.server(port=server.port)
    await stage.send()
    await stage.hours(1)


@story(
    "we demand more than before",
    "tls_not_offered",
    "too_strict",
    "us",
    "relax_tls",
    "demand_changed",
    decided=True,
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server()
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.delivered()
    await stage.hours(2)
    await stage.connector(f"127.0.0.1:{server.port}", to=to, tls="encryption-only")
    await stage.send()
    await stage.hours(1)


@story("the handshake breaks", "tls_handshake_failed", "old_version", "there", "relax_tls")
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(offer_starttls=True, starttls="220 go", handshake=b"\x15\x03\x01\x00\x02\x02\x46")
    await stage.connector(f"127.0.0.1:{server.port}", to=to, tls="encryption-only")
    await stage.send()


# ---------------------------------------------------------------- the session


@story("a firewall cuts big messages", "connection_dropped", "inspection", "network", "set_quirks",
       "breaks_in_the_content", "only_large_ones_break", scope="messages", decided=True)  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(body=RESET, body_after=60_000)
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.send(size=BIG)
    await stage.insight(scope="messages")
    await stage.hours(1)
    await stage.send()  # a small one passes
    await stage.until(lambda: stage.taken(server, 1), "the small message")


@story("the server hangs up before it has greeted us", "connection_dropped", "server_trouble", "there", "retry",
       "breaks_before_the_content")  # fmt: skip
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(ehlo=CLOSE)
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.send()


@story("the server falls silent", "session_timeout", "overloaded", "there", "set_quirks", decided=False)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(ehlo=SILENCE)
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.send()


@story(
    "the server is busy",
    "service_unavailable",
    "overloaded",
    "there",
    "set_quirks",
    "says_it_is_busy",
    decided=True,
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(banner="421 4.3.2 too busy, try again later")
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.send()


@story(
    "the server is not for us",
    "service_unavailable",
    "not_for_us",
    "there",
    "set_smart_hosts",
    "says_not_for_us",
)
async def _(stage: Stage, crew: Crew, to: str) -> None:
    server = crew.server(banner="554 No SMTP service here")
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.send()
