"""Connectors, sources, accepted domains, alert policies, channels: lists, forms, checks; every one by the same door."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gatepost.admin.api.app import Use
from gatepost.admin.checks import Wanted
from gatepost.admin.errors import AdminError, NotFound, tr
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
    """Give a kind its list, form, save and delete."""
    path = f"/{kind.path}"

    @router.get(path)
    async def listed(request: Request, service: Use, visitor: Looking) -> Response:
        rows: Any = service.objects.listed(kind.object)
        if kind.path == "policies":
            rows = service.alerts.policies()
        waiting: dict[str, int] = {}
        for row in await service.queue.rows() if kind.path == "connectors" else []:
            waiting[str(row["connector"])] = waiting.get(str(row["connector"]), 0) + int(str(row["messages"]))
        return page(request, "objects.html", visitor, kind=kind, rows=rows, waiting=waiting)

    @router.get(f"{path}/new")
    async def new(request: Request, visitor: Looking) -> Response:
        visitor.caller.need("admin")
        data = {"to": "on-premises", "port": 25, "enabled": True, "resolved": True, "keep_firing": "5m"}
        return page(
            request, "object.html", visitor, kind=kind, data=data, name="", error="", checks=[], history=[]
        )

    @router.get(f"{path}/{{name}}")
    async def show(request: Request, service: Use, visitor: Looking, name: str) -> Response:
        data = service.objects.show(kind.object, name)
        of_connector = kind.path == "connectors"
        checks = await service.checks.kept(name, "", language_of(request)) if of_connector else []
        changes = [
            c for c in await service.objects.history(300) if c["kind"] == kind.object and c["name"] == name
        ]
        return page(
            request,
            "object.html",
            visitor,
            kind=kind,
            data=data,
            name=name,
            error="",
            checks=checks,
            history=changes[:20],
        )

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
            return page(
                request, "object.html", visitor, status=problem.status, kind=kind, data={**data, "name": name},
                name=old, error=" ".join(problems), checks=[], history=[],
            )  # fmt: skip
        return RedirectResponse(f"{path}/{old or name}", 303)

    @router.post(f"{path}/{{name}}/delete")
    async def delete(service: Use, visitor: Looking, name: str) -> Response:
        visitor.caller.need("admin")
        await service.objects.delete(kind.object, name, visitor.caller.name)
        return RedirectResponse(path, 303)


for _one in KINDS.values():
    add_kind(_one)


@router.post("/check")
async def check(request: Request, service: Use, visitor: Looking) -> Response:
    """Check a saved connector, the draft in a form, a host or the way of an address."""
    visitor.caller.need("operate")
    form = await request.form()
    recipient = str(form.get("recipient", "")).strip()
    kind = KINDS["connectors"]
    if form.get("draft"):
        given = {
            k: v
            for k, v in read(kind, form).items()
            if v not in (None, []) and k not in ("password", "username")
        }
        wanted = Wanted(draft={"name": str(form.get("name") or "draft"), **given}, recipient=recipient)
    else:
        wanted = Wanted(
            connector=str(form.get("connector", "")),
            smart_host=str(form.get("smart_host", "")).strip(),
            tls=str(form.get("tls", "")),
            recipient=recipient,
        )
    found = await service.checks.check(visitor.caller, wanted, language_of(request))
    return page(request, "check.html", visitor, found=found)


@router.get("/diagnostics")
async def diagnostics(request: Request, service: Use, visitor: Looking) -> Response:
    """Check anything, stage by stage."""
    connectors = [c.name for c in service.gateway.objects.connectors]
    modes = tuple(str(mode) for mode in TlsMode)
    return page(request, "diagnostics.html", visitor, connectors=connectors, modes=modes)
