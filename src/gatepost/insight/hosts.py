"""What is known of each address of a destination: so that "broken on one of four addresses" is said as such (B2).

Rule: an address counts while the name still leads to it; what it was when it did not is kept as history.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from gatepost.model.attempt import SessionFacts, TlsFacts
from gatepost.model.failure import LastError
from gatepost.model.insight import CertificateSummary, HostRow

SMOOTHING = 0.3
MAX_ROWS = 20_000
WRITE_EVERY_MS = 300_000  # a host that goes on working is written down this often
OPENING = ("dns", "connect", "banner", "ehlo", "starttls", "tls", "auth")

Key = tuple[int, str, str, int]  # destination, server, address, port


class Sight(NamedTuple):
    """What a connection, or an attempt at one, showed of a host."""

    destination_id: int
    server: str
    address: str
    port: int
    at: int
    latency_ms: float = 0.0
    tls: str = ""
    certificate: CertificateSummary | None = None

    @property
    def key(self) -> Key:
        """Return which row it belongs to."""
        return (self.destination_id, self.server, self.address, self.port)


def sight(session: SessionFacts, at: int) -> Sight:
    """Return what a session showed."""
    latency = sum(session.timings.get(phase, 0.0) for phase in OPENING)
    tls, certificate = seen_tls(session.tls)
    return Sight(
        session.destination_id, session.server, session.address, session.port, at, latency, tls, certificate
    )


def seen_tls(tls: TlsFacts | None) -> tuple[str, CertificateSummary | None]:
    """Return version and cipher, and the leaf certificate."""
    if tls is None or not tls.version:
        return "", None
    text = f"{tls.version} {tls.cipher}".strip()
    if not tls.chain:
        return text, None
    leaf = tls.chain[0]
    summary = CertificateSummary(
        leaf.subject, leaf.issuer, leaf.names, leaf.not_before, leaf.not_after, leaf.fingerprint, tls.verdict
    )
    return text, summary


class Hosts:
    """All rows, by destination and address."""

    def __init__(self) -> None:
        self._rows: dict[Key, HostRow] = {}
        self._by_destination: dict[int, dict[Key, None]] = {}
        self._listed: dict[int, frozenset[tuple[str, str, int]]] = {}
        self._written: dict[Key, int] = {}
        self._dirty: dict[Key, None] = {}
        self._gone: list[Key] = []

    # ---------------------------------------------------------------- looking

    def rows(self, destination_id: int) -> list[HostRow]:
        """Return every row of a destination, former addresses too."""
        return [self._rows[key] for key in self._by_destination.get(destination_id, ())]

    def current(self, destination_id: int) -> list[HostRow]:
        """Return a row for each address that the destination's names lead to now, tried or not."""
        rows = self.rows(destination_id)
        lost = {row.server for row in rows if not row.address and row.works is False}
        rows = [row for row in rows if not row.address or row.server not in lost]  # it leads nowhere now
        listed = self._listed.get(destination_id)
        if listed is None:
            return rows
        known = [row for row in rows if (row.server, row.address, row.port) in listed or not row.address]
        tried = {(row.server, row.address, row.port) for row in known}
        untried = [where for where in sorted(listed - tried) if where[0] not in lost]
        return known + [HostRow(destination_id, *where) for where in untried]

    def failing(self, destination_id: int) -> set[str]:
        """Return the classes in which hosts of a destination fail now."""
        rows = self.current(destination_id)
        return {row.last_error.failure_class for row in rows if row.works is False and row.last_error}

    def worked(self, destination_id: int) -> int:
        """Return when any host of a destination last worked, 0 for never."""
        return max((row.last_success for row in self.rows(destination_id)), default=0)

    def changes(self) -> list[HostRow]:
        """Return the rows to be written down."""
        found = [self._rows[key] for key in self._dirty if key in self._rows]
        self._dirty.clear()
        return found

    def gone(self) -> list[Key]:
        """Return the rows that were forgotten since the last call."""
        found, self._gone = self._gone, []
        return found

    # ---------------------------------------------------------------- what is seen

    def listed(self, destination_id: int, addresses: Iterable[tuple[str, str, int]]) -> None:
        """Note where a destination's names lead now: server, address, port."""
        listed = self._listed[destination_id] = frozenset(addresses)
        found = {server for server, _, _ in listed}
        for key in [k for k in self._by_destination.get(destination_id, ()) if not k[2] and k[1] in found]:
            self._forget(key)  # the name that could not be looked up leads somewhere again

    def opened(self, seen: Sight) -> None:
        """Note a host that takes mail."""
        old = self._row(seen)
        latency = seen.latency_ms
        if old.latency_ms and latency:
            latency = old.latency_ms * (1 - SMOOTHING) + latency * SMOOTHING
        row = replace(
            old,
            last_success=max(seen.at, old.last_failure + 1, old.last_success),
            failures=0,
            tls=seen.tls,
            latency_ms=latency or old.latency_ms,
        )
        row = _with_certificate(row, seen)
        important = old.works is not True or (row.tls, row.certificate) != (old.tls, old.certificate)
        self._keep(seen.key, row, important=important)

    def failed(self, seen: Sight, error: LastError) -> None:
        """Note a host that does not."""
        old = self._row(seen)
        row = replace(
            old, last_failure=max(seen.at, old.last_success + 1), failures=old.failures + 1, last_error=error
        )
        if seen.certificate is not None:
            row = _with_certificate(row, seen)
        self._keep(seen.key, row, important=True)

    # ---------------------------------------------------------------- rows

    def restore(self, row: HostRow) -> None:
        """Take in a row that was written down."""
        key = (row.destination_id, row.server, row.address, row.port)
        self._rows[key] = row
        self._by_destination.setdefault(row.destination_id, {})[key] = None

    def _row(self, seen: Sight) -> HostRow:
        return self._rows.get(seen.key) or HostRow(seen.destination_id, seen.server, seen.address, seen.port)

    def _keep(self, key: Key, row: HostRow, *, important: bool) -> None:
        if key not in self._rows and len(self._rows) >= MAX_ROWS:
            self.prune(
                sorted(max(r.last_success, r.last_failure) for r in self._rows.values())[MAX_ROWS // 10]
            )
        self.restore(row)
        now = max(row.last_success, row.last_failure)
        if important or now - self._written.get(key, 0) >= WRITE_EVERY_MS:
            self._written[key] = now
            self._dirty[key] = None

    def prune(self, before: int) -> None:
        """Forget rows that nothing was heard of since a time."""
        for key, row in list(self._rows.items()):
            if max(row.last_success, row.last_failure) <= before:
                self._forget(key)

    def _forget(self, key: Key) -> None:
        del self._rows[key]
        self._gone.append(key)
        self._written.pop(key, None)
        rows = self._by_destination.get(key[0], {})
        rows.pop(key, None)
        if not rows:
            self._by_destination.pop(key[0], None)
            self._listed.pop(key[0], None)


def _with_certificate(row: HostRow, seen: Sight) -> HostRow:
    """Return the row with the certificate that was seen; the one before is kept where it is another one."""
    old, new = row.certificate, seen.certificate
    if new is None or old is None or old.fingerprint == new.fingerprint:
        return row if new is None else replace(row, certificate=new)
    before = row.certificate_before if old.verdict else old
    return replace(row, certificate=new, certificate_before=before, certificate_changed_at=seen.at)


def broken(rows: Sequence[HostRow]) -> tuple[list[HostRow], list[HostRow]]:
    """Return the rows that fail and those that work; what is not known is in neither."""
    return [row for row in rows if row.works is False], [row for row in rows if row.works]
