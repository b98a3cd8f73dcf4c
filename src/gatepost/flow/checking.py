"""Check a destination stage by stage, with the very code that delivers: what a check says, a delivery would say (B9).

Rule: never DATA; a check leaves no mail behind. Results are kept, so that an insight shows what a probe saw last.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gatepost.deliver.connection import open_connection, try_envelope
from gatepost.deliver.options import DeliveryOptions
from gatepost.deliver.session import Connection
from gatepost.deliver.targets import OwnEndpoints, Plan, PlanFailure, Target, plan
from gatepost.diagnose.classify import classify
from gatepost.flow.journey import Journey
from gatepost.model.attempt import Failure, SessionFacts, last_error
from gatepost.model.document import Document
from gatepost.model.failure import LastError, Phase, Reason, iso
from gatepost.model.ids import to_text
from gatepost.model.objects import Connector
from gatepost.model.probe import ProbeResult, ProbeStage
from gatepost.model.route import DestinationKey
from gatepost.storage.interface import Change

PROBE = "probe"
KEPT = 20
MOST_TARGETS = 12
AT_ONCE = 4
PATIENCE = 45.0
SOON_DAYS = 30
DAY_MS = 86_400_000
# which stage a phase of a delivery is
STAGE_OF = {
    Phase.DNS: "resolve", Phase.ROUTE: "resolve", Phase.CONNECT: "connect", Phase.BANNER: "banner",
    Phase.EHLO: "ehlo", Phase.STARTTLS: "starttls", Phase.TLS: "certificate", Phase.AUTH: "auth",
    Phase.MAIL: "mail", Phase.RCPT: "rcpt",
}  # fmt: skip
ORDER = ("connect", "banner", "ehlo", "starttls", "certificate", "auth", "mail", "rcpt")


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What is to be checked: a connector (saved or a draft), and whom a message would be for."""

    connector: Connector
    why: str = "check"
    recipient: str = ""
    sender: str = ""
    saved: bool = False
    next_hop: str = ""  # the domain whose MX are asked, with `use_mx`


class Checking:
    """Runs checks and keeps what they saw."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self._world = journey.world

    def key(self, request: CheckRequest) -> DestinationKey:
        """Return the destination that a check is about."""
        connector = request.connector
        if not connector.use_mx:
            return DestinationKey("smart", connector.name, "")
        domain = request.next_hop or request.recipient.rpartition("@")[2]
        domain = domain or next((d for d in connector.domains if not d.startswith("*")), "")
        return DestinationKey("mx", connector.name, domain)

    async def check(self, request: CheckRequest) -> ProbeResult:
        """Return what every stage at every address says."""
        world, key = self._world, self.key(request)
        now = self._journey.now()
        world.resolver.flush()
        own = OwnEndpoints(world.own_endpoints)
        planned = await plan(key, request.connector, world.resolver, own, random.shuffle)
        stages, errors = self._resolved(planned, request)
        working, targets = 0, [] if isinstance(planned, PlanFailure) else list(planned)[:MOST_TARGETS]
        turn = asyncio.Semaphore(AT_ONCE)
        results = await asyncio.gather(*(self._one(turn, target, request) for target in targets))
        for found, error in results:
            stages += found
            if error is None:
                working += 1
            else:
                errors.append(error)
        worst = "fail" if not working else "warning" if errors or _warned(stages) else "pass"
        result = ProbeResult(
            world.new_id(), now, request.why, request.connector.name, key.id if request.saved else 0,
            bool(working), worst, tuple(stages), errors[-1] if errors else None, len(targets), working,
        )  # fmt: skip
        if request.saved:
            await self._keep(result)
        return result

    def _resolved(
        self, planned: Plan | PlanFailure, request: CheckRequest
    ) -> tuple[list[ProbeStage], list[LastError]]:
        problems = [planned] if isinstance(planned, PlanFailure) else list(planned.problems)
        stages: list[ProbeStage] = []
        errors: list[LastError] = []
        if not isinstance(planned, PlanFailure):
            by_name: dict[str, list[Target]] = {}
            for target in planned:
                by_name.setdefault(target.server, []).append(target)
            for name, found in by_name.items():
                evidence = {"addresses": [t.address for t in found], **found[0].dns}
                stages.append(ProbeStage("resolve", name, "pass", 0.0, evidence))
        for problem in problems:
            session = SessionFacts(
                self._world.new_id(), 0, self._journey.now(), problem.server, dns=problem.dns
            )
            failure = Failure(problem.phase, problem.reason, problem.detail, session)
            error = self._error(failure, request)
            evidence = {"detail": problem.detail, "error": error.to_json(), **problem.dns}
            stages.append(ProbeStage("resolve", problem.server, "fail", 0.0, evidence))
            errors.append(error)
        return stages, errors

    def _error(self, failure: Failure, request: CheckRequest) -> LastError:
        key = self.key(request)
        verdict = classify(failure, connector=request.connector, kind=key.kind)
        hostname = self._world.settings.hostname
        number = to_text(failure.session.id)
        return last_error(failure, verdict, self._journey.now(), hostname, number)

    def _options(self, connector: Connector, *, saved: bool) -> DeliveryOptions:
        world = self._world
        base = world.delivery_options(world.connector(connector.name) if saved else None, lmtp=False)
        if not saved:
            base = replace(
                base, tls=connector.tls, tls_domain=connector.tls_domain, tls_ca=connector.tls_ca,
                username=connector.username, password=connector.password,
            )  # fmt: skip
        return base

    async def _one(
        self, turn: asyncio.Semaphore, target: Target, request: CheckRequest
    ) -> tuple[list[ProbeStage], LastError | None]:
        """Return the stages at one address, and its error where it takes no mail."""
        session = SessionFacts(
            self._world.new_id(),
            0,
            self._journey.now(),
            target.server,
            target.address,
            target.port,
            dns=target.dns,
        )
        options = self._options(request.connector, saved=request.saved)
        failure: Failure | None = None
        reached = "auth"
        async with turn:
            try:
                async with asyncio.timeout(PATIENCE + options.deadlines.connect):
                    opened = await open_connection(target, options, session)
                    if isinstance(opened, Failure):
                        failure = opened
                    else:
                        failure, reached = await self._envelope(opened, request)
            except TimeoutError:
                failure = Failure(Phase.BANNER, Reason.TIMEOUT, "no answer in time", session)
        error = self._error(failure, request) if failure is not None else None
        return self._stages(session, failure, error, reached, options), error

    async def _envelope(self, connection: Connection, request: CheckRequest) -> tuple[Failure | None, str]:
        failure, reached = None, "auth"
        if request.recipient:
            sender = request.sender or self._world.settings.postmaster
            failure, reached = await try_envelope(connection, sender, request.recipient), "rcpt"
        connection.close()
        return failure, reached

    def _stages(
        self,
        session: SessionFacts,
        failure: Failure | None,
        error: LastError | None,
        reached: str,
        options: DeliveryOptions,
    ) -> list[ProbeStage]:
        where = f"{session.server} {session.endpoint}".strip()
        failed = STAGE_OF.get(failure.phase, "connect") if failure is not None else ""
        if failure is not None and failure.phase is Phase.TLS and session.tls is None:
            failed = "starttls"
        found: list[ProbeStage] = []
        for stage in ORDER:
            ms = _milliseconds(session, stage)
            if stage == failed and failure is not None and error is not None:
                evidence = {**_evidence(session, stage), "detail": failure.detail, "error": error.to_json()}
                found.append(ProbeStage(stage, where, "fail", ms, evidence))
                break
            verdict = self._verdict(session, stage, reached, options)
            found.append(ProbeStage(stage, where, verdict, ms, _evidence(session, stage)))
        return found

    def _verdict(self, session: SessionFacts, stage: str, reached: str, options: DeliveryOptions) -> str:
        if stage == "starttls":
            return "pass" if session.tls is not None else "skipped"
        if stage == "certificate":
            if session.tls is None:
                return "skipped"
            leaf = session.tls.chain[0] if session.tls.chain else None
            soon = leaf is not None and leaf.not_after - self._journey.now() < SOON_DAYS * DAY_MS
            return "warning" if session.tls.verdict or soon else "pass"
        if stage == "auth":
            return "pass" if session.authenticated else "skipped"
        if stage in ("mail", "rcpt"):
            return "pass" if reached == "rcpt" else "skipped"
        return "pass"

    # ---------------------------------------------------------------- what is kept

    async def _keep(self, result: ProbeResult) -> None:
        prefix = f"{result.destination_id}/"
        old = await self._journey.store.documents(PROBE, prefix=prefix, limit=1000)
        gone = [Document(PROBE, d.key, 0, None) for d in old[KEPT - 1 :]]
        kept = Document(PROBE, f"{prefix}{to_text(result.id)}", result.at, probe_json(result))
        self._journey.store.write(Change(documents=(kept, *gone)))

    async def kept(self, destination_id: int, limit: int = KEPT) -> list[Mapping[str, object]]:
        """Return what checks of a destination saw, newest first."""
        found = await self._journey.store.documents(PROBE, prefix=f"{destination_id}/", limit=limit)
        return [document.data or {} for document in found]


def _warned(stages: list[ProbeStage]) -> bool:
    return any(stage.verdict == "warning" for stage in stages)


def _milliseconds(session: SessionFacts, stage: str) -> float:
    return session.timings.get("tls" if stage == "certificate" else stage, 0.0)


def _evidence(session: SessionFacts, stage: str) -> dict[str, object]:
    if stage == "connect":
        return {"from": session.local_address}
    if stage == "banner":
        return {"banner": session.banner}
    if stage == "ehlo":
        return {"offers": list(session.ehlo)}
    if stage == "starttls" and session.tls is not None:
        return {"version": session.tls.version, "cipher": session.tls.cipher}
    if stage == "certificate" and session.tls is not None:
        chain = [
            {
                "subject": c.subject,
                "issuer": c.issuer,
                "names": list(c.names),
                "not_before": iso(c.not_before),
                "not_after": iso(c.not_after),
                "key": c.key,
                "fingerprint": c.fingerprint,
            }
            for c in session.tls.chain
        ]
        return {"verdict": session.tls.verdict, "detail": session.tls.verdict_detail, "chain": chain}
    return {}


def probe_json(result: ProbeResult) -> dict[str, object]:
    """Return a result in the documented form."""
    return {
        "id": to_text(result.id),
        "at": iso(result.at),
        "why": result.why,
        "connector": result.connector,
        "ok": result.ok,
        "verdict": result.verdict,
        "hosts": result.hosts,
        "working": result.working,
        "stages": [
            {
                "stage": s.stage,
                "target": s.target,
                "ok": s.ok,
                "verdict": s.verdict,
                "ms": round(s.ms, 1),
                "evidence": dict(s.evidence),
            }
            for s in result.stages
        ],
        "last_error": result.last_error.to_json() if result.last_error is not None else None,
    }
