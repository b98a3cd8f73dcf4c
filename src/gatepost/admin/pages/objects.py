"""Connectors, sources, accepted domains, alert policies, channels: lists, forms; every one by the same door."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gatepost.admin.api.app import Use
from gatepost.admin.errors import AdminError, NotFound, tr
from gatepost.admin.insights import InsightFilter
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import language_of, page, say_of
from gatepost.model.objects import QUIRKS, TlsMode

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form; kind is text, list, number, bool, choice, area or secret."""

    name: str
    title: str
    kind: str = "text"
    choices: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object as its pages show it."""

    path: str
    object: str
    title: str
    new: str
    columns: tuple[str, ...]
    fields: tuple[Field, ...]
    command: str


ENABLED = Field("enabled", tr("In use"), "bool")
COMMENT = Field("comment", tr("Note"))
KINDS = {
    kind.path: kind
    for kind in (
        Kind(
            "connectors", "connector", tr("Connectors"), tr("Add a connector"), ("to", "domains", "smart_hosts", "tls"),
            (
                Field("to", tr("Connection to"), "choice", ("on-premises", "partner"),
                      tr("Our own servers, or a partner organisation.")),
                Field("domains", tr("Recipient domains"), "list", hint=tr("contoso.example, *.contoso.example, or * for all.")),
                Field("all_accepted_domains", tr("For every domain of ours"), "bool"),
                Field("smart_hosts", tr("Smart hosts, in order"), "list", hint=tr("mail.contoso.example, 192.0.2.7:2525")),
                Field("use_mx", tr("Find the servers by MX instead"), "bool"),
                Field("port", tr("Port"), "number"),
                Field("tls", "TLS", "choice", tuple(str(mode) for mode in TlsMode)),
                Field("tls_domain", tr("Name that the certificate must have")),
                Field("tls_ca", tr("Trust this CA (PEM) instead of the system's"), "area"),
                Field("expiry", tr("Try for (24h)")),
                Field("concurrency", tr("Connections at a time"), "number"),
                Field("quirks", tr("Leave out what the servers do not bear"), "list", hint=", ".join(QUIRKS)),
                Field("source_addresses", tr("Connect from our address"), "list", hint=tr("192.0.2.10, 2001:db8::10: one of a family; empty: as the system chooses.")),
                Field("username", tr("Log in as")),
                Field("password", tr("Password"), "secret"),
                ENABLED,
                COMMENT,
            ),
            "gatepost connector",
        ),
        Kind(
            "sources", "source", tr("Sources"), tr("Add a source"), ("networks", "certificate_names", "may_relay"),
            (
                Field("networks", tr("Networks"), "list", hint="192.0.2.0/24, 2001:db8::/32"),
                Field("certificate_names", tr("Client certificates"), "list"),
                Field("may_relay", tr("May send to domains that are not ours"), "bool"),
                Field("require_tls", tr("Must use TLS"), "bool"),
                Field("allow_bare_newlines", tr("May send lines that end in LF alone"), "bool"),
                ENABLED,
                COMMENT,
            ),
            "gatepost source",
        ),
        Kind(
            "domains", "accepted_domain", tr("Accepted domains"), tr("Add a domain"),
            ("type", "match_subdomains", "recipients"),
            (
                Field("type", tr("Type"), "choice", ("authoritative", "internal-relay"),
                      tr("Authoritative: we know every recipient. Internal relay: unknown ones go on through a connector.")),
                Field("match_subdomains", tr("Also its subdomains"), "bool"),
                Field("recipients", tr("Known recipients"), "area", hint=tr("One address a line.")),
                COMMENT,
            ),
            "gatepost domain",
        ),
        Kind(
            "policies", "alert_policy", tr("Alert policies"), tr("Add a policy"), ("on", "least_severity", "channels"),
            (
                Field("on", tr("Looks at"), "choice", ("insight", "queue", "foresight")),
                Field("classes", tr("Failure classes"), "list"),
                Field("least_severity", tr("Least severity"), "choice", ("low", "medium", "high", "critical")),
                Field("connectors", tr("Connectors"), "list"),
                Field("messages", tr("Messages that wait"), "number"),
                Field("older_than", tr("Older than")),
                Field("share", tr("Share of all that waits")),
                Field("expires_within", tr("The first expires within")),
                Field("pending", tr("Must hold for")),
                Field("keep_firing", tr("Over after")),
                Field("severity", tr("Severity of the alert"), "choice", ("", "low", "medium", "high", "critical")),
                Field("channels", tr("Channels"), "list", hint=tr("All where none is named.")),
                Field("daily_limit", tr("Notices a day"), "number"),
                Field("quiet", tr("Quiet hours"), hint="22:00-07:00 Asia/Shanghai"),
                ENABLED,
                COMMENT,
            ),
            "gatepost policy",
        ),
        Kind(
            "channels", "notification_channel", tr("Notification channels"), tr("Add a channel"), ("kind", "to", "language"),
            (
                Field("kind", tr("Kind"), "choice", ("email", "webhook", "apprise")),
                Field("to", tr("Mail addresses"), "list"),
                Field("url", tr("Web address")),
                Field("password", tr("Secret that signs a webhook"), "secret"),
                Field("language", tr("Language"), "choice", ("en", "zh-CN")),
                Field("resolved", tr("Hears that something is over"), "bool"),
                ENABLED,
                COMMENT,
            ),
            "gatepost channel",
        ),
    )
}  # fmt: skip


def _kind(path: str) -> Kind:
    found = KINDS.get(path)
    if found is None:
        raise NotFound(tr("There is no such page."))
    return found


def read(kind: Kind, form: Any) -> dict[str, object]:
    """Return the fields that a form carries; an empty one is put back to its default."""
    found: dict[str, object] = {}
    for field in kind.fields:
        text = str(form.get(field.name, "")).strip()
        if field.kind == "bool":
            found[field.name] = field.name in form
        elif field.kind == "list" or field.name == "recipients":
            found[field.name] = [
                part.strip() for part in text.replace(",", "\n").splitlines() if part.strip()
            ]
        elif field.kind == "number":
            found[field.name] = int(text) if text.isdecimal() else text or None
        else:
            found[field.name] = text or None
    return found


def add_kind(kind: Kind) -> None:
    """Give a kind its list, form, preview, save and delete."""
    path = f"/{kind.path}"
    form_of = "connector_new.html" if kind.path == "connectors" else "object.html"

    @router.get(path)
    async def listed(request: Request, service: Use, visitor: Looking) -> Response:
        rows: Any = service.objects.listed(kind.object)
        if kind.path == "policies":
            rows = service.alerts.policies()
        facts = await connector_facts(service, language_of(request)) if kind.path == "connectors" else {}
        template = "connectors.html" if kind.path == "connectors" else "objects.html"
        return page(request, template, visitor, kind=kind, rows=rows, facts=facts)

    @router.get(f"{path}/new")
    async def new(request: Request, visitor: Looking) -> Response:
        visitor.caller.need("admin")
        data = {
            "to": "on-premises", "port": 25, "enabled": True, "resolved": True, "keep_firing": "5m",
            "tls": "opportunistic", "type": "authoritative", "name": "",
        }  # fmt: skip
        empty = {field.name: None for field in kind.fields}
        return page(request, form_of, visitor, **_form(kind, empty | data))

    @router.get(f"{path}/{{name}}")
    async def show(request: Request, service: Use, visitor: Looking, name: str) -> Response:
        data = service.objects.show(kind.object, name)
        found = _form(kind, data, name=name)
        found["history"] = [
            c for c in await service.objects.history(300) if c["kind"] == kind.object and c["name"] == name
        ][:20]
        if kind.path == "connectors":
            found |= await connector_page(service, name, language_of(request))
        return page(request, "object.html", visitor, **found)

    @router.post(f"{path}/save")
    async def save(request: Request, service: Use, visitor: Looking) -> Response:
        visitor.caller.need("admin")
        form = await request.form()
        old, name = str(form.get("old", "")), str(form.get("name", "")).strip()
        data, who = read(kind, form), visitor.caller.name
        try:
            if old:
                await service.objects.set(kind.object, old, data, who)
            else:
                given = {key: value for key, value in data.items() if value not in (None, [])}
                await service.objects.add(kind.object, {"name": name, **given}, who)
        except AdminError as problem:
            problems = [str(p) for p in problem.problems] or [problem.text(say_of(request))]
            shown = _form(kind, {**data, "name": name}, name=old, error=" ".join(problems))
            return page(request, "object.html" if old else form_of, visitor, status=problem.status, **shown)
        return RedirectResponse(f"{path}/{quote(old or name, safe='')}", 303)

    @router.post(f"{path}/preview")
    async def preview(request: Request, service: Use, visitor: Looking) -> Response:
        visitor.caller.need("admin")
        form = await request.form()
        name = str(form.get("old") or form.get("name") or "").strip()
        fields = None if "gone" in form else read(kind, form)
        found = await service.objects.preview(kind.object, name, fields)
        return page(request, "object_preview.html", visitor, found=found)

    @router.post(f"{path}/{{name}}/delete")
    async def delete(service: Use, visitor: Looking, name: str) -> Response:
        visitor.caller.need("admin")
        await service.objects.delete(kind.object, name, visitor.caller.name)
        return RedirectResponse(path, 303)


def _form(kind: Kind, data: Any, *, name: str = "", error: str = "") -> dict[str, Any]:
    """Return what a form shows: the object, what is wrong with it, and beside it nothing yet."""
    return {
        "kind": kind, "data": data, "name": name, "error": error, "checks": [], "history": [], "hosts": [],
        "insights": [], "numbers": {}, "waiting": 0, "quirks": QUIRKS,
    }  # fmt: skip


async def connector_facts(service: Any, lang: str) -> dict[str, Any]:
    """Return by connector what waits, how it fared in a day, its worst insight and its last check."""
    insights = await service.insights.listed(InsightFilter(limit=200), lang)
    report = await service.reports.connectors("24h")
    found: dict[str, Any] = {}
    for row in report.rows:
        name = str(row["connector"])
        worst = next((i for i in insights if i["connector"] == name), None)
        checks = await service.checks.kept(name, "", lang) if row["to"] else []
        found[name] = {**row, "insight": worst, "check": checks[0] if checks else None}
    return found


async def connector_page(service: Any, name: str, lang: str) -> dict[str, Any]:
    """Return what stands beside the form of a connector: hosts, checks, insights, numbers."""
    report = await service.reports.connectors("24h")
    return {
        "checks": await service.checks.kept(name, "", lang),
        "hosts": service.insights.hosts_of(name),
        "insights": await service.insights.listed(InsightFilter(connector=name), lang),
        "numbers": next((row for row in report.rows if row["connector"] == name), {}),
    }


for _one in KINDS.values():
    add_kind(_one)
