"""Probes of servers that fail at each stage: what is told, in which order, and that no mail is left behind."""

import asyncio
import itertools

import pytest
from tests.support import certificates
from tests.support.peers import free_port
from tests.support.smtp_server import CLOSE, SILENCE, FaultServer

from gatepost.deliver.options import Deadlines, DeliveryOptions
from gatepost.deliver.probe import Ask, Prober
from gatepost.deliver.targets import Plan, PlanFailure, Target
from gatepost.model.failure import Phase, Reason
from gatepost.model.objects import TlsMode

# Early where silence is the fault (always at the greeting here); elsewhere a busy machine may take its time.
EARLY = Deadlines(banner=0.5)
NAME = "mail.test"


def targets(*ports, name=NAME):
    asked = {"questions": [{"name": name, "type": "A", "ttl": 60, "ms": 1.5}, {"ttl": 30, "ms": 0.5}]}
    return Plan(tuple(Target(name, "127.0.0.1", port, asked) for port in ports))


def probe(planned, ask=None, **options):
    ask = ask or Ask(sender="us@gw.test", recipient="ann@contoso.example")
    prober = Prober(DeliveryOptions(hostname="gw.test", **options), ask, itertools.count(1).__next__)

    async def collect():
        return [seen async for seen in prober.run(planned)]

    return asyncio.run(collect())


def told(seen, number=0):
    return [(s.stage.stage, s.stage.verdict) for s in seen if s.number == number]


@pytest.mark.parametrize(
    ("script", "failing", "phase", "reason"),
    [
        ({"banner": "421 4.3.2 busy"}, "banner", Phase.BANNER, Reason.REPLY),
        ({"banner": SILENCE}, "banner", Phase.BANNER, Reason.TIMEOUT),
        ({"banner": CLOSE}, "banner", Phase.BANNER, Reason.CLOSED),
        ({"ehlo": "421 4.3.2 no"}, "ehlo", Phase.EHLO, Reason.REPLY),
        ({"starttls": "454 4.7.0 no TLS now"}, "starttls", Phase.STARTTLS, Reason.REPLY),
        ({"handshake": CLOSE}, "starttls", Phase.TLS, Reason.CLOSED),
        ({"auth": "535 5.7.8 who are you"}, "auth", Phase.AUTH, Reason.REPLY),
        ({"mail": "451 4.7.1 later"}, "mail", Phase.MAIL, Reason.REPLY),
        ({"rcpt": "550 5.1.1 unknown"}, "rcpt", Phase.RCPT, Reason.REPLY),
    ],
)
def test_a_stage_that_fails_is_the_last_one_told_and_those_before_it_have_passed(
    tmp_path, script, failing, phase, reason
):
    """B9."""
    authority = certificates.Authority()
    chain = certificates.good(authority).write(tmp_path)
    with FaultServer(certificate=chain, logins={"us": "secret"}, **script) as server:
        seen = probe(
            targets(server.port),
            tls=TlsMode.DOMAIN_VALIDATION,
            tls_ca=authority.pem,
            username="us",
            password="secret",
            deadlines=EARLY if reason is Reason.TIMEOUT else Deadlines(),
        )
        stages = told(seen)
        order = ["connect", "banner", "ehlo", "starttls", "certificate", "auth", "mail", "rcpt"]
        before = order[: order.index(failing)]
        assert stages == [(stage, "pass") for stage in before] + [(failing, "fail")]
        last = seen[-1]
        assert (last.failure.phase, last.failure.reason) == (phase, reason)
        assert last.end is last.failure.session
        assert server.messages == []


def test_a_server_that_takes_everything_passes_every_stage_with_its_evidence(tmp_path):
    """B9."""
    authority = certificates.Authority()
    chain = certificates.good(authority).write(tmp_path)
    with FaultServer(certificate=chain) as server:
        seen = probe(targets(server.port), tls=TlsMode.DOMAIN_VALIDATION, tls_ca=authority.pem)
        by_name = {s.stage.stage: s.stage for s in seen}
        assert by_name["resolve"].evidence["addresses"] == ["127.0.0.1"]
        assert (by_name["resolve"].evidence["ttl"], by_name["resolve"].ms) == (30, 1.5)
        assert by_name["connect"].target == f"{NAME} 127.0.0.1:{server.port}"
        assert by_name["banner"].evidence["banner"] == "220 fault.test ESMTP"
        assert "STARTTLS" in by_name["ehlo"].evidence["offers"]
        assert by_name["starttls"].evidence["version"].startswith("TLSv1.")
        assert by_name["certificate"].evidence["days_left"] in (89, 90)
        assert by_name["rcpt"].evidence["reply"] == "250 2.1.5 recipient fine"
        assert by_name["auth"].verdict == "skipped"
        assert {s.stage.verdict for s in seen} == {"pass", "skipped"}
        assert all(s.stage.ms >= 0 for s in seen)
        assert server.messages == []
        assert "DATA" not in server.connections[0].commands


@pytest.mark.parametrize(
    ("make", "anyone", "named"),
    [
        (certificates.good, "", ""),
        (certificates.expired, "CertificateExpired", "CertificateExpired"),
        (certificates.wrong_name, "", "SubjectMismatch"),
        (lambda _authority: certificates.unknown_issuer(), "UntrustedRoot", "UntrustedRoot"),
    ],
)
def test_what_stricter_modes_would_say_of_a_certificate_is_told_too(tmp_path, make, anyone, named):
    """B9, R11: by the connector's mode it passes with a remark."""
    authority = certificates.Authority()
    chain = make(authority).write(tmp_path)
    with FaultServer(certificate=chain) as server:
        seen = probe(targets(server.port), tls=TlsMode.ENCRYPTION_ONLY, tls_ca=authority.pem)
        certificate = next(s.stage for s in seen if s.stage.stage == "certificate")
        assert certificate.evidence["modes"] == {
            "opportunistic": "",
            "encryption-only": "",
            "certificate-validation": anyone,
            "domain-validation": named,
        }
        assert certificate.verdict == ("warning" if named else "pass")
        assert seen[-1].failure is None


def test_a_certificate_near_its_end_is_a_remark_measured_by_its_life(tmp_path):
    """B7: 30 days are near for one of a year, not for one that lives 45 days."""
    authority = certificates.Authority()
    now, day = certificates.now(), certificates.DAY
    for lived, left, verdict in ((335, 29, "warning"), (20, 25, "pass"), (35, 10, "warning")):
        issued = authority.issue(NAME, not_before=now - lived * day, not_after=now + left * day)
        with FaultServer(certificate=issued.write(tmp_path)) as server:
            seen = probe(targets(server.port), tls=TlsMode.DOMAIN_VALIDATION, tls_ca=authority.pem)
            assert dict(told(seen))["certificate"] == verdict, (lived, left)


def test_tls_that_breaks_is_a_remark_where_mail_goes_on_in_clear_text_and_a_failure_where_it_may_not(
    tmp_path,
):
    """B9: as a delivery would do."""
    chain = certificates.good(certificates.Authority()).write(tmp_path)
    with FaultServer(certificate=chain, handshake=CLOSE) as server:
        seen = probe(targets(server.port))
        starttls = next(s.stage for s in seen if s.stage.stage == "starttls")
        assert starttls.verdict == "warning"
        assert starttls.evidence["stricter"]["encryption-only"] == "handshake"
        assert told(seen)[-1] == ("rcpt", "pass")
        strict = probe(targets(server.port), tls=TlsMode.ENCRYPTION_ONLY)
        assert told(strict)[-1] == ("starttls", "fail")


def test_every_address_is_asked_also_behind_the_first_one_that_works():
    """B2, B9."""
    with FaultServer() as first, FaultServer(banner="554 5.3.2 never") as second, FaultServer() as third:
        seen = probe(targets(first.port, second.port, free_port(), third.port))
        ends = {s.number: s.failure for s in seen if s.end is not None}
        assert {number: failure is None for number, failure in ends.items()} == {
            0: True,
            1: False,
            2: False,
            3: True,
        }
        assert ends[2].reason is Reason.REFUSED


def test_a_slow_address_holds_nobody_up_and_stages_are_told_as_they_end():
    with FaultServer(banner=SILENCE) as slow, FaultServer() as quick:
        seen = probe(targets(slow.port, quick.port), deadlines=Deadlines(banner=4.0))
        numbers = [s.number for s in seen if s.end is not None]
        assert numbers == [1, 0]


def test_patience_ends_a_probe_in_the_phase_that_it_was_in():
    with FaultServer(ehlo=SILENCE) as server:
        ask = Ask(recipient="", patience=1.5)
        seen = probe(targets(server.port), ask)
        assert (seen[-1].failure.phase, seen[-1].failure.reason) == (Phase.EHLO, Reason.TIMEOUT)


def test_a_probe_that_is_not_to_log_in_keeps_the_password_and_still_demands_tls():
    """Rule 4 of connections: who logs in never goes on in clear text, so a probe without login does not either."""
    with FaultServer(logins={"us": "secret"}) as server:
        ask = Ask(auth=False)
        seen = probe(targets(server.port), ask, username="us", password="secret")
        assert told(seen)[-1] == ("starttls", "fail")
        assert not any("AUTH" in command for command in server.connections[0].commands)


def test_hosts_that_are_not_found_are_stages_of_their_own():
    nowhere = PlanFailure(
        Phase.DNS, Reason.NXDOMAIN, "gone.test does not exist", "gone.test", {"questions": []}
    )
    with FaultServer() as server:
        plan = Plan(targets(server.port).targets, (nowhere,))
        seen = probe(plan)
        resolved = [(s.stage.target, s.stage.verdict) for s in seen if s.stage.stage == "resolve"]
        assert resolved == [(NAME, "pass"), ("gone.test", "fail")]
        alone = probe(nowhere)
        assert [(s.stage.verdict, s.failure.reason) for s in alone] == [("fail", Reason.NXDOMAIN)]


def test_whoever_stops_listening_ends_the_probe():
    async def listen_once(port):
        prober = Prober(DeliveryOptions(), Ask(), itertools.count(1).__next__)
        stages = prober.run(targets(port))
        await anext(stages)
        await anext(stages)
        await stages.aclose()
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    with FaultServer(banner=SILENCE) as server:
        assert asyncio.run(listen_once(server.port)) == []
