"""Every certificate that was seen: of servers in handshakes and probes, and of our own listeners (B7)."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gatepost.admin.answers.reports import CertificateRow
from gatepost.admin.errors import Invalid, tr
from gatepost.admin.gateway import Gateway
from gatepost.admin.reports import DAY_MS, Report
from gatepost.admin.shapes import when
from gatepost.config.problems import BadValue
from gatepost.config.settings import Settings
from gatepost.config.values import seconds
from gatepost.model.attempt import CertificateFacts, endpoint
from gatepost.model.failure import FailureClass, clean
from gatepost.model.insight import CertificateSummary, HostRow, Scope
from gatepost.net import tls

COLUMNS = (
    "host", "addresses", "side", "connector", "subject", "issuer", "names", "not_before", "not_after", "days_left",
    "tls", "last_seen", "verdict", "insight", "fingerprint",
)  # fmt: skip
NAMES = 50  # of a certificate that are shown


class Sighting(NamedTuple):
    """A certificate, and where it is shown; times in ms since 1970."""

    certificate: CertificateSummary
    host: str
    addresses: list[str]
    side: str  # server | own
    connector: str = ""
    tls: str = ""
    last_seen: int = 0
    insight: str = ""  # a fingerprint


class CertificateUseCases:
    """What can be asked of certificates."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def report(self, within: str = "") -> Report:
        """Return all certificates, those that end first at the top; `within` (30d): only those that end by then."""
        now = self._gateway.now()
        found = await asyncio.to_thread(own, self._gateway.settings, now)
        found += self._seen()
        if within:
            until = now + _span(within)
            found = [one for one in found if one.certificate.not_after <= until]
        found.sort(key=lambda one: (one.certificate.not_after, one.host))
        return Report(
            "certificates", COLUMNS, [_row(one, now) for one in found], until=now, more={"within": within}
        )

    def _seen(self) -> list[Sighting]:
        """Return one for each certificate of a host of a destination, however many addresses show it."""
        hosts, found = self._gateway.insights.hosts, dict[tuple[int, str, str], list[HostRow]]()
        states = self._gateway.live()
        for number in states:
            for row in hosts.current(number):
                if row.certificate is not None:
                    found.setdefault((number, row.server, row.certificate.fingerprint), []).append(row)
        return [
            self._sighting(states[number].connector, number, rows)
            for (number, _server, _fingerprint), rows in found.items()
        ]

    def _sighting(self, connector: str, number: int, rows: Sequence[HostRow]) -> Sighting:
        latest = max(rows, key=_last_seen)
        assert latest.certificate is not None
        addresses = sorted(endpoint(row.address, row.port) for row in rows)
        return Sighting(
            latest.certificate, latest.server, addresses, "server", connector, latest.tls, _last_seen(latest),
            self._insight(number),
        )  # fmt: skip

    def _insight(self, destination_id: int) -> str:
        """Return the open insight that is about certificates of a destination, "" for none."""
        for scope in (Scope.DESTINATION, Scope.HOSTS):
            for insight in self._gateway.insights.book.open_at(destination_id, scope):
                if insight.fingerprint.failure_class == FailureClass.CERT_INVALID:
                    return insight.fingerprint.text
        return ""


def own(settings: Settings, now: int) -> list[Sighting]:
    """Return the certificates of our own listeners, judged as a client would that knows the system's CAs."""
    mail = ([f"smtp {e}" for e in settings.smtp.listen], settings.smtp.tls_certificate)
    centre = ([f"admin {settings.admin.listen}"], settings.admin.tls_certificate)
    used: dict[Path, list[str]] = {}
    for listeners, file in (mail, centre):
        if file is not None:
            used.setdefault(Path(file), []).extend(listeners)
    return [one for file, by in used.items() for one in _own(file, by, settings.hostname, now)]


def _own(file: Path, used_by: list[str], hostname: str, now: int) -> Iterator[Sighting]:
    try:
        chain = [ssl.PEM_cert_to_DER_cert(text) for text in _pem_blocks(file.read_text("ascii", "replace"))]
    except (OSError, ValueError):
        return  # named by the doctor, and at the start
    if chain:
        verdict, _detail = tls.judge(chain, (hostname,), "", now)
        shown = _summary(tls.facts(chain[0]), str(verdict or ""))
        yield Sighting(shown, hostname, used_by, "own")


def _pem_blocks(text: str) -> list[str]:
    end = "-----END CERTIFICATE-----"
    parts = text.split(end)[:-1]
    return [part[part.index("-----BEGIN CERTIFICATE-----") :] + end for part in parts]


def _summary(facts: CertificateFacts, verdict: str) -> CertificateSummary:
    return CertificateSummary(
        facts.subject,
        facts.issuer,
        facts.names,
        facts.not_before,
        facts.not_after,
        facts.fingerprint,
        verdict,
    )


def _row(one: Sighting, now: int) -> CertificateRow:
    shown = one.certificate
    left = shown.not_after - now
    return {
        "host": one.host,
        "addresses": one.addresses,
        "side": one.side,
        "connector": one.connector,
        "subject": clean(shown.subject, 300),
        "issuer": clean(shown.issuer, 300),
        "names": [clean(name, 255) for name in shown.names[:NAMES]],
        "not_before": when(shown.not_before),
        "not_after": when(shown.not_after),
        "days_left": left // DAY_MS if left >= 0 else -(-left // DAY_MS),
        "ended": left < 0,
        "tls": one.tls,
        "last_seen": when(one.last_seen),
        "verdict": shown.verdict,
        "insight": one.insight,
        "fingerprint": shown.fingerprint,
    }


def _last_seen(row: HostRow) -> int:
    return max(row.last_success, row.last_failure)


def _span(within: str) -> int:
    """Return a duration in milliseconds; raises `Invalid`."""
    try:
        return seconds(within) * 1000
    except BadValue:
        raise Invalid(tr('"{text}" is no duration: write 30d or 12h.'), text=within) from None
