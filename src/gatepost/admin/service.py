"""Every use case of the administration, once: page, API and command line show what these return."""

import asyncio
from collections.abc import Callable
from typing import cast

from gatepost import __version__
from gatepost.admin.alerts import AlertUseCases
from gatepost.admin.answers.messages import TestJson
from gatepost.admin.answers.queue import RouteJson
from gatepost.admin.answers.system import DoctorJson, FindingJson, ProcessHealth, Readiness, ReloadedJson
from gatepost.admin.audit import AuditUseCases
from gatepost.admin.auth import TokenUseCases
from gatepost.admin.certificates import CertificateUseCases
from gatepost.admin.checks import CheckUseCases
from gatepost.admin.doctor import ERROR, OK, Finding, examine
from gatepost.admin.domains import DomainUseCases
from gatepost.admin.encryption import EncryptionUseCases
from gatepost.admin.errors import Invalid, tr
from gatepost.admin.events import EventUseCases
from gatepost.admin.explain import ExplainUseCases
from gatepost.admin.fixes import FixUseCases
from gatepost.admin.flows import FlowUseCases
from gatepost.admin.foreign import ForeignUseCases
from gatepost.admin.gateway import Gateway
from gatepost.admin.insights import InsightUseCases
from gatepost.admin.jobs import JobUseCases
from gatepost.admin.messages import MessageUseCases
from gatepost.admin.ndr import NdrUseCases
from gatepost.admin.nodes import NodeUseCases
from gatepost.admin.objects import ObjectUseCases
from gatepost.admin.oidc import Provider
from gatepost.admin.queue import QueueUseCases
from gatepost.admin.reports import ReportUseCases
from gatepost.admin.shapes import connectors_of, destination_name
from gatepost.admin.test_mail import send_test
from gatepost.admin.users import UserUseCases
from gatepost.config.settings import BadSettings
from gatepost.i18n import Translator, said
from gatepost.smtp.address import BadAddress, domain_of
from gatepost.storage.interface import DestinationState


class Service:
    """The administration of one gateway, by noun: `objects`, `queue`, `messages`, `tokens`."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.objects = ObjectUseCases(gateway)
        self.queue = QueueUseCases(gateway)
        self.messages = MessageUseCases(gateway, self.queue)
        self.domains = DomainUseCases(gateway)
        self.jobs = JobUseCases(gateway, self.queue)
        self.tokens = TokenUseCases(gateway)
        self.fixes = FixUseCases(gateway)
        self.alerts = AlertUseCases(gateway)
        self.users = UserUseCases(gateway)
        self.provider = Provider(gateway)
        self.checks = CheckUseCases(gateway)
        self.insights = InsightUseCases(gateway, self.fixes)
        self.foreign = ForeignUseCases(gateway)
        self.explain = ExplainUseCases(gateway, self.foreign)
        self.audit = AuditUseCases(gateway, self.objects, self.fixes, self.jobs)
        self.reports = ReportUseCases(gateway, self.queue)
        self.flows = FlowUseCases(gateway, self.queue)
        self.certificates = CertificateUseCases(gateway)
        self.encryption = EncryptionUseCases(gateway, self.queue)
        self.nodes = NodeUseCases(gateway)
        self.ndr = NdrUseCases(gateway)
        self.events = EventUseCases(gateway, self.queue)

    def route_explain(self, address: str, translate: Translator = str) -> RouteJson:
        """Return where an address goes, with every connector that was weighed and why it lost."""
        try:
            known = bool(domain_of(address))
        except BadAddress:
            known = False
        if not known:
            raise Invalid(
                tr('"{address}" is no address: write ann@contoso.example.'), address=address
            ) from None
        route = self.gateway.route(address)
        return {
            "address": route.address,
            "domain": route.domain,
            "kind": route.destination.kind,
            "connector": route.destination.connector,
            "next_hop": route.destination.next_hop,
            "destination": destination_name(
                DestinationState.of(route.destination), connectors_of(self.gateway.objects)
            ),
            "destination_id": str(route.destination.id),
            "why": str(said(route.why, translate)),
            "candidates": [
                {
                    "connector": candidate.connector,
                    "matched": str(said(candidate.matched, translate)),
                    "won": candidate.won,
                    "why": str(said(candidate.why, translate)),
                }
                for candidate in route.candidates
            ],
        }

    async def send_test(self, recipient: str, who: str, translate: Callable[[str], str]) -> TestJson:
        """Send a test message by the ordinary route; return its id."""
        return await send_test(self.gateway, recipient, who, translate)

    async def doctor(self, translate: Callable[[str], str] = str, *, audit: bool = True) -> DoctorJson:
        """Return what would stop mail, seen from inside the gateway; `audit` counts the whole store again."""
        findings = await asyncio.to_thread(examine, self.gateway.settings, running=True)
        if audit:
            findings.append(await self._store_finding())
        shown = [cast("FindingJson", finding.to_json(translate)) for finding in findings]
        return {"ok": all(finding["ok"] for finding in shown), "checks": shown}

    async def _store_finding(self) -> Finding:
        health = self.gateway.store.health()
        if not health.ok:
            sentence = tr("The store does not work: {problem}.")
            hint = tr("Look at the disk, then start the gateway again.")
            return Finding("store", ERROR, sentence, {"problem": health.problem}, hint)
        audit = await self.queue.audit()
        wrong = ("bodies_without_rows", "rows_without_bodies", "rows_without_message", "counters_differ")
        if audit.get("balanced", True) and not any(audit.get(key) for key in wrong):
            return Finding("store", OK, tr("The store's counts are right."), {})
        hint = tr("gatepost queue audit --json shows every difference.")
        return Finding("store", ERROR, tr("The store's counts differ from what it holds."), {}, hint)

    def health(self) -> ProcessHealth:
        """Return whether the process works: it answers, and its store keeps what it is given."""
        store = self.gateway.store.health()
        return {
            "ok": store.ok,
            "version": __version__,
            "hostname": self.gateway.settings.hostname,
            "store": {"ok": store.ok, "problem": store.problem, "engine": store.engine},
            "pressure": dict(self.gateway.pressure()),
        }

    def ready(self) -> Readiness:
        """Return whether mail is accepted and delivered, and why not."""
        why = self.gateway.ready()
        return {"ready": not why, "why": why}

    async def metrics(self) -> bytes:
        """Return the metrics; counted on the loop, written in a thread."""
        self.gateway.metrics.snapshot()
        return await asyncio.to_thread(self.gateway.metrics.render)

    async def reload(self) -> ReloadedJson:
        """Read the settings again."""
        try:
            await self.gateway.reload()
        except BadSettings as problem:
            raise Invalid(
                tr("The settings cannot be used; the old ones stay in force."), problem.problems
            ) from None
        return {"reloaded": True}
