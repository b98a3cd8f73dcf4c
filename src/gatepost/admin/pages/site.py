"""The admin centre as part of the application: its routes, and errors as pages."""

from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.admin.errors import AdminError
from gatepost.admin.pages import (
    account,
    checks,
    explain,
    gateway,
    home,
    insights,
    jobs,
    more,
    objects,
    queues,
    reports,
    sign_in,
    static_files,
)
from gatepost.admin.pages.door import SignInFirst
from gatepost.admin.pages.render import JSON_DOOR, JSON_OF_START, page, say_of

OTHERS = ("/api/", "/static/")  # where .json means a file or an answer of its own
PARTS = (
    static_files, sign_in, account, home, insights, jobs, queues, explain, more, reports, gateway, checks, objects,
)  # fmt: skip


class JsonDoor:
    """Shows the data of a page to programs: `/queues.json` is what `/queues` shows, made by the same function."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, under the address of its page."""
        path = str(scope.get("path", ""))
        if scope["type"] == "http" and path.endswith(".json") and not path.startswith(OTHERS):
            page = path.removesuffix(".json")
            page = "/" if page == JSON_OF_START else page
            scope = {**scope, "path": page, "raw_path": quote(page).encode(), JSON_DOOR: True}
        await self._app(scope, receive, send)


def add_pages(app: FastAPI) -> None:
    """Add every page."""
    app.add_middleware(JsonDoor)
    for part in PARTS:
        app.include_router(part.router)
    app.add_exception_handler(SignInFirst, _to_sign_in)


async def _to_sign_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInFirst)
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": error.where})
    return RedirectResponse(error.where, 303)


def error_page(request: Request, error: AdminError) -> Response | JSONResponse:
    """Return an error for people; only its sentence where a part of a page was asked for."""
    say = say_of(request)
    sentence, title = error.text(say), say(error.title)
    template = "error_part.html" if "hx-request" in request.headers else "error.html"
    problems = [str(problem) for problem in error.problems]
    return page(
        request, template, None, status=error.status, error_title=title, sentence=sentence, problems=problems
    )
