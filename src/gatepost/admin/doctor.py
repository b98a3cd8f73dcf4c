"""Look at the machine and the settings, and say what would stop mail; with a running gateway or without.

Rule: a check never raises: what it finds is a `Finding`, what it cannot see is one too.
"""

import errno
import os
import socket
import stat
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from gatepost.admin.errors import tr
from gatepost.config.settings import Settings, missing_files
from gatepost.config.values import Endpoint

OK, WARNING, ERROR = "ok", "warning", "error"
SAFE_SQLITE = (3, 51, 3)  # 3.7.0 to 3.51.2 can corrupt a WAL that is reset while another connection writes
SLOW_SYNC_MS = 20.0
SYNCS = 15
CERTIFICATE_WARNING_DAYS = 21
DNS_TIMEOUT = 3.0
EARLIEST = 1_700_000_000  # no clock that is right shows less


class Finding(NamedTuple):
    """What a check saw: which check, how bad, one sentence with its values, what to do ("" where nothing)."""

    check: str
    level: str
    sentence: str
    values: dict[str, object]
    hint: str = ""

    def to_json(self, translate: Callable[[str], str] = str) -> dict[str, object]:
        """Return the finding in a language."""
        return {
            "check": self.check,
            "ok": self.level != ERROR,
            "level": self.level,
            "message": translate(self.sentence).format(**self.values),
            "hint": translate(self.hint) if self.hint else "",
        }


def examine(settings: Settings, *, running: bool) -> list[Finding]:
    """Return the findings of all checks, in a fixed order; `running`: a gateway with these settings is up."""
    findings = [Finding("settings", OK, tr("The settings can be used."), {})]
    findings += [
        Finding("settings", ERROR, "{where}: {message}", {"where": p.where, "message": p.message}, p.hint)
        for p in missing_files(settings)
    ]
    findings += data_dir(Path(settings.data_dir))
    findings.append(sqlite_version())
    findings += dns(settings.dns.servers)
    findings += ports([*settings.smtp.listen, settings.admin.listen], running=running)
    if settings.smtp.tls_certificate is not None:
        findings += certificate(Path(settings.smtp.tls_certificate), time.time())
    findings.append(clock(time.time(), Path(settings.data_dir)))
    return findings


def data_dir(path: Path) -> list[Finding]:
    """Look at the data folder: is it there, is it ours alone, how fast is a sync."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        hint = tr("gatepost init makes it.")
        return [
            Finding("data_dir", ERROR, tr("The data folder {path} does not exist."), {"path": path}, hint)
        ]
    except OSError as problem:
        return [_data_dir_problem(path, problem)]
    found = []
    if mode & 0o077:
        found.append(
            Finding(
                "data_dir",
                WARNING,
                tr("The data folder {path} is open to others (mode {mode})."),
                {"path": path, "mode": f"{mode:04o}"},
                tr("Run chmod 0700 on it: mail and secrets lie there."),
            )
        )
    try:
        milliseconds = sync_latency(path)
    except OSError as problem:
        return [*found, _data_dir_problem(path, problem)]
    values: dict[str, object] = {"ms": f"{milliseconds:.1f}"}
    if milliseconds > SLOW_SYNC_MS:
        hint = tr("Every acceptance waits for a sync: put data_dir on a faster disk.")
        found.append(
            Finding("disk", WARNING, tr("A sync of the disk takes {ms} ms, which is slow."), values, hint)
        )
    else:
        found.append(Finding("disk", OK, tr("A sync of the disk takes {ms} ms."), values))
    return found


def _data_dir_problem(path: Path, problem: OSError) -> Finding:
    sentence = tr("The data folder {path} cannot be used: {error}.")
    hint = tr("Run the command as the user of the gateway.")
    return Finding("data_dir", ERROR, sentence, {"path": path, "error": problem.strerror}, hint)


def sync_latency(folder: Path) -> float:
    """Return the median milliseconds of a small write with its sync."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            started = time.perf_counter()
            os.write(file.fileno(), b"\0" * 4096)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def sqlite_version() -> Finding:
    """Look at the SQLite that the store uses."""
    import apsw  # noqa: PLC0415 - needed here only

    text = apsw.sqlite_lib_version()
    version = tuple(int(part) for part in text.split(".")[:3])
    values: dict[str, object] = {"version": text}
    if version < SAFE_SQLITE:
        hint = tr("Install a newer apsw: older versions of SQLite can damage the store.")
        return Finding("sqlite", ERROR, tr("SQLite {version} is too old."), values, hint)
    return Finding("sqlite", OK, tr("SQLite {version} is new enough."), values)


def dns(servers: Sequence[Endpoint]) -> Iterator[Finding]:
    """Ask each resolver for the root's name servers: any answer shows that it works."""
    import dns.exception  # noqa: PLC0415 - heavy
    import dns.message  # noqa: PLC0415
    import dns.query  # noqa: PLC0415
    import dns.resolver  # noqa: PLC0415

    try:
        asked = [(s.host, s.port) for s in servers] or [
            (str(name), 53) for name in dns.resolver.Resolver().nameservers
        ]
    except dns.exception.DNSException as problem:
        yield Finding("dns", ERROR, tr("The system names no resolver: {error}."), {"error": str(problem)})
        return
    for host, port in asked:
        question = dns.message.make_query(".", "NS")
        values: dict[str, object] = {"server": f"{host}:{port}"}
        try:
            started = time.perf_counter()
            dns.query.udp_with_fallback(question, host, DNS_TIMEOUT, port)
            values["ms"] = f"{(time.perf_counter() - started) * 1000:.0f}"
        except (dns.exception.DNSException, OSError, ValueError) as problem:
            values["error"] = str(problem) or type(problem).__name__
            hint = tr("Without a resolver mail waits with 4.4.312: check [dns] servers and the network.")
            yield Finding("dns", ERROR, tr("The resolver {server} does not answer: {error}."), values, hint)
        else:
            yield Finding("dns", OK, tr("The resolver {server} answers in {ms} ms."), values)


def ports(endpoints: Sequence[Endpoint], *, running: bool) -> Iterator[Finding]:
    """Look at the ports: a running gateway must answer there, without one they must be free."""
    for endpoint in endpoints:
        values: dict[str, object] = {"endpoint": str(endpoint)}
        if not endpoint.port:
            continue
        try:
            if running:
                _connect(endpoint)
            else:
                _bind(endpoint)
        except OSError as problem:
            values["error"] = problem.strerror or str(problem)
            yield _port_problem(problem, values, running=running)
        else:
            sentence = tr("{endpoint} answers.") if running else tr("{endpoint} is free.")
            yield Finding("ports", OK, sentence, values)


def _port_problem(problem: OSError, values: dict[str, object], *, running: bool) -> Finding:
    if running:
        return Finding("ports", ERROR, tr("{endpoint} does not answer: {error}."), values)
    hint = ""
    if problem.errno == errno.EADDRINUSE:
        hint = tr("Another program listens there: stop it, or choose another port.")
    elif problem.errno == errno.EACCES:
        hint = tr("Ports below 1024 need root or the capability CAP_NET_BIND_SERVICE.")
    return Finding("ports", ERROR, tr("{endpoint} cannot be used: {error}."), values, hint)


def _family(endpoint: Endpoint) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET


def _connect(endpoint: Endpoint) -> None:
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared only
    with socket.socket(_family(endpoint), socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        probe.connect((anywhere.get(endpoint.host, endpoint.host), endpoint.port))


def _bind(endpoint: Endpoint) -> None:
    with socket.socket(_family(endpoint), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((endpoint.host, endpoint.port))


def certificate(path: Path, now: float) -> Iterator[Finding]:
    """Look at the dates of the certificates that clients are shown."""
    from cryptography import x509  # noqa: PLC0415 - heavy

    try:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError:
        return  # named already among the settings
    except ValueError:
        yield Finding("tls", ERROR, tr("{path} holds no certificate in PEM form."), {"path": path})
        return
    moment = datetime.fromtimestamp(now, UTC)
    for entry in chain:
        days = (entry.not_valid_after_utc - moment).days
        values: dict[str, object] = {
            "subject": entry.subject.rfc4514_string(),
            "day": f"{entry.not_valid_after_utc:%Y-%m-%d}",
            "days": days,
        }
        renew = tr("Renew it and reload the gateway.")
        if entry.not_valid_before_utc > moment:
            yield Finding("tls", ERROR, tr("The certificate {subject} is not valid yet."), values)
        elif days < 0:
            yield Finding("tls", ERROR, tr("The certificate {subject} expired on {day}."), values, renew)
        elif days < CERTIFICATE_WARNING_DAYS:
            sentence = tr("The certificate {subject} expires in {days} days, on {day}.")
            yield Finding("tls", WARNING, sentence, values, renew)
        else:
            yield Finding("tls", OK, tr("The certificate {subject} is valid until {day}."), values)


def clock(now: float, folder: Path) -> Finding:
    """Look at the wall clock: no year of long ago, and nothing in the data folder from the future."""
    values: dict[str, object] = {"now": f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC"}
    hint = tr("Set the clock, and keep it right with NTP: mail expires by the clock.")
    try:
        newest = max((entry.stat().st_mtime for entry in os.scandir(folder)), default=0.0)
    except OSError:
        newest = 0.0
    if now < EARLIEST or newest > now + 60:
        return Finding("clock", ERROR, tr("The clock is wrong: it shows {now}."), values, hint)
    return Finding("clock", OK, tr("The clock shows {now}."), values)


def good(findings: Sequence[dict[str, object]]) -> bool:
    """Tell whether nothing that was found would stop mail."""
    return all(finding["ok"] for finding in findings)
