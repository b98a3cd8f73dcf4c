"""Insights: what is broken, why we think so, and what one click would do."""

import json
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from gatepost.admin.api.app import Use
from gatepost.admin.insights import InsightFilter
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import language_of, page, say_of
from gatepost.fix.actions import ACTIONS

router = APIRouter(include_in_schema=False)
STATES = ("open", "all", "new", "ongoing", "escalating", "regressed", "resolved")
SEVERITIES = ("", "critical", "high", "medium", "low")
STORY = 20
Text = Annotated[str, Query(max_length=200)]


@router.get("/insights")
async def listed(
    request: Request,
    service: Use,
    visitor: Looking,
    state: Text = "open",
    severity: Text = "",
    connector: Text = "",
    code: Text = "",
) -> Response:
    """Show the list."""
    which = InsightFilter(
        state=state, severity=severity, connector=connector, code=code, explained=state == "all"
    )
    rows = await service.insights.listed(which, language_of(request))
    return page(
        request, "insights.html", visitor, rows=rows, which=which, states=STATES, severities=SEVERITIES,
        foreseen=service.insights.foreseen(language_of(request)) if state == "open" else [],
        connectors=[
            *(c.name for c in service.gateway.objects.connectors),
            *(system["connector"] for system in service.foreign.listed()),
        ],
    )  # fmt: skip


@router.get("/insights/{insight}")
async def show(request: Request, service: Use, visitor: Looking, insight: str) -> Response:
    """Show one with its evidence."""
    lang = language_of(request)
    data = await service.insights.show(insight, lang)
    history = await service.insights.history(insight)
    plan = await service.fixes.plan(insight, say_of(request))
    applied = [f for f in await service.fixes.listed(50, say_of(request)) if f["insight"] == data["id"]]
    told = story(data, history, applied, await _changes(service, str(data["connector"])))
    return page(
        request, "insight.html", visitor, data=data, history=history, plan=plan, applied=applied, story=told,
        insight=data["number"],
    )  # fmt: skip


async def _changes(service: Any, connector: str) -> list[Any]:
    """Return what was changed lately at a connector."""
    entries = await service.objects.history(100)
    return [entry for entry in entries if entry["kind"] == "connector" and entry["name"] == connector]


def story(data: Any, history: Any, applied: Any, changes: Any) -> list[dict[str, Any]]:
    """Return attempts, changes of the connector, fixes and the latest check, in one line of time, newest first."""
    found = [
        {
            "at": attempt["at"], "kind": "attempt", "tone": "good" if attempt["outcome"] == "delivered" else "bad",
            "text": _title(attempt["error"]) or attempt["outcome"], "more": f"{attempt['server']} {attempt['address']}",
            "where": "",
        }
        for attempt in history["attempts"][:STORY]
    ]  # fmt: skip
    found += [
        {
            "at": entry["at"], "kind": "change", "tone": "change", "text": entry["name"],
            "verb": _verb(entry), "more": entry["who"], "where": f"/connectors/{quote(str(entry['name']))}",
        }
        for entry in changes[:STORY]
    ]  # fmt: skip
    found += [
        {
            "at": fix["at"], "kind": "fix", "tone": "change", "text": fix["title"],
            "verb": fix["state"], "more": f"{fix['who']} {fix['reason']}", "where": f"/changes/{fix['id']}",
        }
        for fix in applied
    ]  # fmt: skip
    probe = data["probe"]
    if probe:
        tone = "good" if probe["verdict"] == "pass" else "bad"
        text = _title(probe["last_error"]) or probe["verdict"]
        found.append(
            {"at": probe["at"], "kind": "probe", "tone": tone, "text": text, "more": "", "where": ""}
        )
    return folded(sorted(found, key=lambda entry: str(entry["at"]), reverse=True))


def folded(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a line of time in which attempts that say the same, one after the other, are one entry with their number."""
    found: list[dict[str, Any]] = []
    for entry in entries:
        last = found[-1] if found else {}
        alike = all(last.get(key) == entry[key] for key in ("kind", "text", "more"))
        if entry["kind"] == "attempt" and alike:
            last["times"] += 1
            last["first_at"] = entry["at"]
        else:
            found.append({"verb": "", **entry, "times": 1, "first_at": entry["at"]})
    return found


def _verb(entry: Any) -> str:
    if not entry["before"]:
        return "added"
    return "changed" if entry["after"] else "deleted"


def _title(error: Any) -> str:
    return f"{error['code']} {error['title']}" if error else ""


@router.post("/insights/{insight}/{verb}")
async def look_after(request: Request, service: Use, visitor: Looking, insight: str, verb: str) -> Response:
    """Acknowledge, take that back, write a note, or archive."""
    visitor.caller.need("operate")
    who, use = visitor.caller.name, service.insights
    if verb == "acknowledge":
        use.acknowledge(insight, who)
    elif verb == "unacknowledge":
        use.acknowledge(insight, who, taken_back=True)
    elif verb == "resolve":
        use.resolve(insight, who)
    elif verb == "note":
        use.note(insight, str((await request.form()).get("note", "")))
    return RedirectResponse(f"/insights/{insight}", 303)


# -------------------------------------------------------------------- fixes


def _given(form: Any) -> dict[str, object]:
    """Return the parameters of a fix that a form carries, those that are empty left out."""
    return {key[2:]: str(value) for key, value in form.items() if key.startswith("p.") and str(value) != ""}


@router.post("/fixes/{target}/{action}/preview")
async def preview(request: Request, service: Use, visitor: Looking, target: str, action: str) -> Response:
    """Show exactly what a fix would do."""
    visitor.caller.need("operate")
    given = _given(await request.form())
    done: Any = await service.fixes.apply(
        target, action, given, visitor.caller, say_of(request), via="page", reason="", dry_run=True
    )
    needed = sorted({*ACTIONS[action].needs, *ACTIONS[action].takes}) if action in ACTIONS else []
    return page(
        request, "fix_preview.html", visitor, preview=done["preview"], target=target, action=action, needed=needed,
        body=json.dumps({"parameters": done["preview"]["parameters"], "reason": ""}, ensure_ascii=False),
    )  # fmt: skip


@router.post("/fixes/{target}/{action}/apply")
async def apply(request: Request, service: Use, visitor: Looking, target: str, action: str) -> Response:
    """Apply a fix; where mail is destroyed the word must have been typed."""
    visitor.caller.need("operate")
    form = await request.form()
    done: Any = await service.fixes.apply(
        target, action, _given(form), visitor.caller, say_of(request), via="page",
        reason=str(form.get("reason", "")), dry_run=False, typed=str(form.get("typed", "")),
    )  # fmt: skip
    where = f"/changes/{done['fix']['id']}"
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": where})
    return RedirectResponse(where, 303)


@router.get("/changes/{change}")
async def change(request: Request, service: Use, visitor: Looking, change: str) -> Response:
    """Show what a fix did, whether it works, and how to undo it."""
    return page(request, "change.html", visitor, fix=await service.fixes.show(change, say_of(request)))


@router.post("/changes/{change}/undo")
async def undo(request: Request, service: Use, visitor: Looking, change: str) -> Response:
    """Undo a fix."""
    visitor.caller.need("operate")
    await service.fixes.undo(change, visitor.caller, say_of(request))
    return RedirectResponse(f"/changes/{change}", 303)
