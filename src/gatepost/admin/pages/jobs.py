"""Actions on queued mail: previewed by filter or by ticks, confirmed, followed, stopped, undone."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from gatepost.admin.api.app import Use
from gatepost.admin.errors import AdminError, NotFound, tr
from gatepost.admin.jobs import LONGEST_WAIT, Wanted
from gatepost.admin.messages import MessageQuery
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import page, say_of
from gatepost.fix.bulk import BULK

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Query(max_length=1000)]


def _wanted(form: Any, *, dry_run: bool) -> Wanted:
    """Return what a form asks for: an action on the messages that are ticked, else on what the filter means."""
    action = str(form.get("action", ""))
    if action not in BULK:
        raise NotFound(tr("There is no such page."))
    ids = tuple(str(value) for value in form.getlist("id"))
    query = MessageQuery(ids=ids) if ids else MessageQuery(filter=str(form.get("filter", ""))[:2000])
    given = {name: str(form.get(name, "")).strip() for name in (*BULK[action].needs, *BULK[action].takes)}
    return Wanted(
        action,
        query,
        {name: value for name, value in given.items() if value},
        str(form.get("reason", "")),
        "page",
        everything=bool(form.get("all")),
        dry_run=dry_run,
        typed=None if dry_run else str(form.get("typed", "")),
    )


@router.post("/messages/act")
async def act(request: Request, service: Use, visitor: Looking) -> Response:
    """Show what an action would do to queued mail, and do it once that is confirmed."""
    visitor.caller.need("operate")
    form, say, error, status = await request.form(), say_of(request), "", 200
    if form.get("go"):
        try:
            job = await service.jobs.start(_wanted(form, dry_run=False), visitor.caller, say)
        except AdminError as problem:
            error, status = problem.text(say), problem.status
        else:
            return RedirectResponse(f"/jobs/{job['id']}", 303)
    wanted = _wanted(form, dry_run=True)
    preview = await service.jobs.start(wanted, visitor.caller, say, LONGEST_WAIT)
    body = {"ids": list(wanted.query.ids[:3]), "filter": wanted.query.filter, **wanted.parameters}
    return page(
        request, "act.html", visitor, status=status, job=preview, ids=wanted.query.ids, filter=wanted.query.filter,
        parameters=dict(wanted.parameters), everything=wanted.everything, error=error,
        body=json.dumps({key: value for key, value in body.items() if value}, ensure_ascii=False),
    )  # fmt: skip


@router.get("/jobs/{job}")
async def show(request: Request, service: Use, visitor: Looking, job: str) -> Response:
    """Show how far an action is, and what became of it."""
    return page(request, "job.html", visitor, job=await service.jobs.show(job, say_of(request)))


@router.post("/jobs/{job}/{verb}")
async def steer(request: Request, service: Use, visitor: Looking, job: str, verb: str) -> Response:
    """Stop a job, or undo it."""
    visitor.caller.need("operate")
    if verb == "stop":
        await service.jobs.stop(job, visitor.caller, say_of(request))
    elif verb == "undo":
        await service.jobs.undo(job, visitor.caller, say_of(request))
    else:
        raise NotFound(tr("There is no such page."))
    return RedirectResponse(f"/jobs/{job}", 303)
