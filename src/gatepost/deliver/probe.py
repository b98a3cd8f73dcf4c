"""Probe a destination: every stage at every address, by the code that delivers, told as it happens (B9).

Rule 1: what a probe says, a delivery would say: same order of steps, same deadlines, same verdict over a certificate.
Rule 2: all addresses are asked, also those behind the first one that works; a few at a time.
Rule 3: never DATA: a probe leaves no mail behind.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from gatepost.deliver.connection import open_connection, try_envelope
from gatepost.deliver.options import DeliveryOptions, Watcher
from gatepost.deliver.probe_stages import ORDER, View, failed_at, stage
from gatepost.deliver.targets import Plan, PlanFailure, Target
from gatepost.model.attempt import Failure, SessionFacts
from gatepost.model.failure import Phase, Reason
from gatepost.model.objects import TlsMode
from gatepost.model.probe import ProbeStage
from gatepost.net import tls

MOST_TARGETS = 16
AT_ONCE = 4
PATIENCE = 120.0  # seconds for one address, whatever its phases may take


@dataclass(frozen=True, slots=True)
class Ask:
    """How far a probe goes, and in whose name."""

    auth: bool = True  # log in where the connector does
    sender: str = ""
    recipient: str = ""  # "": neither MAIL nor RCPT
    patience: float = PATIENCE


class Seen(NamedTuple):
    """A stage that is over; `number` says which address (-1: looking up), `failure` that mail stops here.

    `end` is the session of an address whose last stage this is.
    """

    stage: ProbeStage
    number: int = -1
    failure: Failure | None = None
    end: SessionFacts | None = None


@dataclass(frozen=True, slots=True)
class Prober:
    """Probes with options of a connector; `new_id` numbers the sessions."""

    options: DeliveryOptions
    ask: Ask
    new_id: Callable[[], int]
    destination_id: int = 0

    async def run(self, planned: Plan | PlanFailure) -> AsyncGenerator[Seen, None]:
        """Yield the stages of all addresses of a plan as they end."""
        for seen in self.looked_up(planned):
            yield seen
        targets = () if isinstance(planned, PlanFailure) else planned.targets[:MOST_TARGETS]
        told: asyncio.Queue[Seen | None] = asyncio.Queue()
        turn = asyncio.Semaphore(AT_ONCE)
        tasks = [
            asyncio.ensure_future(self._address(number, target, told, turn))
            for number, target in enumerate(targets)
        ]
        try:
            left = len(tasks)
            while left:
                seen_or_end = await told.get()
                if seen_or_end is None:
                    left -= 1
                else:
                    yield seen_or_end
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def looked_up(self, planned: Plan | PlanFailure) -> list[Seen]:
        """Return what the DNS said of each host."""
        if isinstance(planned, PlanFailure):
            return [self._not_found(planned)]
        by_name: dict[str, list[Target]] = {}
        for target in planned:
            by_name.setdefault(target.server, []).append(target)
        found = [Seen(_resolved(name, targets)) for name, targets in by_name.items()]
        return found + [self._not_found(problem) for problem in planned.problems]

    def _not_found(self, problem: PlanFailure) -> Seen:
        session = SessionFacts(
            self.new_id(), self.destination_id, self.options.now_ms(), problem.server, dns=problem.dns
        )
        failure = Failure(problem.phase, problem.reason, problem.detail, session)
        evidence = {**_dns(problem.dns), "detail": problem.detail}
        made = ProbeStage("resolve", problem.server, "fail", _lookup_ms(problem.dns), evidence)
        return Seen(made, failure=failure, end=session)

    async def _address(
        self, number: int, target: Target, told: "asyncio.Queue[Seen | None]", turn: asyncio.Semaphore
    ) -> None:
        try:
            async with turn:
                await _Walk(self, number, target, told).go()
        finally:
            told.put_nowait(None)


class _Walk(Watcher):
    """The way through the stages at one address."""

    def __init__(
        self, prober: Prober, number: int, target: Target, told: "asyncio.Queue[Seen | None]"
    ) -> None:
        self._ask = prober.ask
        self._options = replace(_deep_enough(prober.options, prober.ask), watcher=self)
        self._target, self._number, self._told = target, number, told
        self.session = SessionFacts(
            prober.new_id(), prober.destination_id, self._options.now_ms(), target.server, target.address,
            target.port, dns=target.dns,
        )  # fmt: skip
        self._chain: Sequence[bytes] = ()
        self._next = 0  # index of the first stage that was not told yet
        self._phase = Phase.CONNECT
        self._reached = "auth"

    async def go(self) -> None:
        """Take all steps; what is left is told at the end."""
        failure: Failure | None = None
        try:
            async with asyncio.timeout(self._ask.patience):
                failure = await self._steps()
        except TimeoutError:
            words = f"no answer within {self._ask.patience:g} seconds"
            failure = Failure(self._phase, Reason.TIMEOUT, words, self.session)
        self._finish(failure)

    async def _steps(self) -> Failure | None:
        opened = await open_connection(self._target, self._options, self.session)
        if isinstance(opened, Failure):
            return opened
        try:
            if not self._ask.recipient:
                return None
            self._reached = "rcpt"
            return await try_envelope(opened, self._ask.sender, self._ask.recipient)
        finally:
            with contextlib.suppress(Exception):  # nobody waits for how it ends
                opened.close()

    def begins(self, phase: Phase) -> None:
        """Tell every stage that is behind us."""
        self._phase = phase
        until = _BEFORE.get(phase, 0)
        if phase is Phase.EHLO and self.session.tls is not None:
            until = ORDER.index("auth")
        self._tell_until(until)

    def presented(self, chain: Sequence[bytes]) -> None:
        """Keep the certificates for what stricter modes would say."""
        self._chain = chain

    def _tell_until(self, until: int) -> None:
        while self._next < until:
            made = stage(self.session, ORDER[self._next], self._view())
            self._next += 1
            self._told.put_nowait(Seen(made, self._number))

    def _finish(self, failure: Failure | None) -> None:
        if failure is None:
            self._tell_until(len(ORDER) - 1)
            last = stage(self.session, ORDER[-1], self._view())
            self._told.put_nowait(Seen(last, self._number, end=self.session))
            return
        name = failed_at(failure)
        self._tell_until(ORDER.index(name))
        last = stage(self.session, name, self._view(), failure)
        self._told.put_nowait(Seen(last, self._number, failure, self.session))

    def _view(self) -> View:
        options = self._options
        facts = self.session.tls
        pinned = facts is not None and bool(facts.chain) and facts.chain[0].fingerprint in options.trusted
        return View(options.now_ms(), options.tls, self._reached, self._modes(), pinned)

    def _modes(self) -> dict[str, str]:
        """Return what each mode would say of the certificate that was presented."""
        if not self._chain:
            return {}
        options, name = self._options, self._options.tls_domain or self.session.server
        now = options.now_ms()
        anyone = tls.judge(self._chain, (), options.tls_ca, now)[0]
        named = tls.judge(self._chain, (name,), options.tls_ca, now)[0]
        return {
            TlsMode.OPPORTUNISTIC: "",
            TlsMode.ENCRYPTION_ONLY: "",
            TlsMode.CERTIFICATE_VALIDATION: anyone or "",
            TlsMode.DOMAIN_VALIDATION: named or "",
        }


_BEFORE = {
    Phase.BANNER: 1, Phase.EHLO: 2, Phase.STARTTLS: 3, Phase.TLS: 3, Phase.AUTH: 5, Phase.MAIL: 6, Phase.RCPT: 7,
}  # fmt: skip


def _deep_enough(options: DeliveryOptions, ask: Ask) -> DeliveryOptions:
    """Return the options without the login where none is asked for; who logs in never goes on in clear text."""
    if ask.auth or not options.username:
        return options
    mode = TlsMode.ENCRYPTION_ONLY if options.tls is TlsMode.OPPORTUNISTIC else options.tls
    return replace(options, username="", password="", tls=mode)


def _resolved(name: str, targets: Sequence[Target]) -> ProbeStage:
    dns = targets[0].dns
    evidence = {"addresses": [target.address for target in targets], **_dns(dns)}
    return ProbeStage("resolve", name, "pass", _lookup_ms(dns), evidence)


def _dns(dns: dict[str, object]) -> dict[str, object]:
    """Return what was asked and answered, with the shortest life of the answers in seconds."""
    lives = [ttl for q in _questions(dns) if isinstance(ttl := q.get("ttl"), int)]
    return {**dns, "ttl": min(lives)} if lives else dict(dns)


def _lookup_ms(dns: dict[str, object]) -> float:
    times = [float(str(q["ms"])) for q in _questions(dns) if "ms" in q]
    return round(max(times, default=0.0), 1)


def _questions(dns: dict[str, object]) -> list[dict[str, object]]:
    asked = dns.get("questions")
    return [q for q in asked if isinstance(q, dict)] if isinstance(asked, list) else []
