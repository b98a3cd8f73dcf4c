"""The API as a web application: who may ask, how errors look, and the pages for monitoring."""

import ipaddress
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from gatepost import __version__
from gatepost.admin.answers.system import ProcessHealth, Readiness
from gatepost.admin.api.described import Answer, DescribedRoute
from gatepost.admin.api.documentation import COOKIE, PREFIX, PROBLEM, SAFE, allowed, document
from gatepost.admin.auth import Caller
from gatepost.admin.errors import AdminError, Forbidden, Invalid, NotFound, TooMany, Unauthorized, tr
from gatepost.admin.service import Service
from gatepost.i18n import accepted, translator
from gatepost.storage.interface import StoreError
from gatepost.telemetry.metrics import CONTENT_TYPE

TRUSTED = "gatepost.trusted"
ADMINISTRATOR = Caller("administrator", "admin")
TYPES = "urn:gatepost:problem:"
MAX_BODY = 16 << 20


def service_of(request: Request) -> Service:
    """Return the use cases."""
    service: Service = request.app.state.service
    return service


async def caller_of(request: Request) -> Caller:
    """Return who asks: the administrator at the control socket, else the owner of the token."""
    if request.scope.get(TRUSTED) is True:
        return ADMINISTRATOR
    authorization = request.headers.get("authorization", "")
    cookie = request.cookies.get(COOKIE, "")
    if cookie and not authorization:
        return await _signed_in(request, cookie)
    return await service_of(request).tokens.caller(request.headers.get("authorization", ""))


async def _signed_in(request: Request, cookie: str) -> Caller:
    """Return who is signed in to the admin centre; what changes something needs the session's own word."""
    users = service_of(request).users
    session = await users.session(cookie)
    if session is None:
        raise Unauthorized(tr("This session is over: sign in again."))
    if request.method not in SAFE:
        same_origin(request)
        users.check_csrf(session, request.headers.get("x-csrf-token", ""))
    return session.caller


def same_origin(request: Request) -> None:
    """Raise `Forbidden` where a browser says that another site sent this request."""
    origin = request.headers.get("origin", "")
    if origin and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Forbidden(tr("This request comes from another site."))


async def reader(request: Request) -> Caller:
    """Return a caller who may look."""
    return await caller_of(request)


async def operator(request: Request) -> Caller:
    """Return a caller who may steer the queue and see content."""
    caller = await caller_of(request)
    caller.need("operate")
    return caller


async def administrator(request: Request) -> Caller:
    """Return a caller who may change objects and tokens."""
    caller = await caller_of(request)
    caller.need("admin")
    return caller


Use = Annotated[Service, Depends(service_of)]
Reader = Annotated[Caller, Depends(reader)]
Operator = Annotated[Caller, Depends(operator)]
Administrator = Annotated[Caller, Depends(administrator)]


def make_app(service: Service) -> FastAPI:
    """Return the application: monitoring pages and everything under `/api/v1`."""
    from gatepost.admin.api import (  # noqa: PLC0415 - they use what is above
        alerts,
        audit,
        checks,
        events,
        explain,
        fixes,
        insights,
        messages,
        objects,
        queue,
        reports,
        system,
        users,
    )

    app = FastAPI(
        title="Gatepost",
        version=__version__,
        description="The administration of a mail gateway. Errors are problem details (RFC 9457).",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    monitoring = APIRouter(tags=["monitoring"], route_class=DescribedRoute)
    _monitoring(monitoring)
    app.include_router(monitoring)
    parts = (
        queue,
        messages,
        insights,
        reports,
        events,
        fixes,
        alerts,
        checks,
        explain,
        users,
        system,
        audit,
        objects,  # last: they take every path that is left
    )
    for part in parts:
        app.include_router(part.router, prefix=PREFIX)
    document(app, monitoring, [part.router for part in parts])
    from gatepost.admin.pages.site import add_pages  # noqa: PLC0415 - the pages use what is here

    add_pages(app)
    app.add_exception_handler(AdminError, _admin_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(StoreError, _store_error)
    app.add_exception_handler(Exception, _unexpected)
    app.middleware("http")(_guard)
    return app


_NO: dict[int | str, dict[str, Any]] = {503: {"description": "No, and why."}}


Health = Annotated[JSONResponse, Answer(ProcessHealth, statuses=(200, 503))]
Ready = Annotated[JSONResponse, Answer(Readiness, statuses=(200, 503))]


def _monitoring(router: APIRouter) -> None:
    @router.get("/healthz", responses=_NO)
    async def healthz(request: Request, service: Use) -> Health:
        """Tell whether the process works: 200 or 503."""
        await _monitor(request)
        health = service.health()
        return JSONResponse(health, 200 if health["ok"] else 503)

    @router.get("/readyz", responses=_NO)
    async def readyz(request: Request, service: Use) -> Ready:
        """Tell whether mail is accepted and delivered: 200 or 503."""
        await _monitor(request)
        ready = service.ready()
        return JSONResponse(ready, 200 if ready["ready"] else 503)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics(request: Request, service: Use) -> Response:
        """Return the metrics in the text form of Prometheus."""
        await _monitor(request)
        return Response(await service.metrics(), media_type=CONTENT_TYPE)


async def _monitor(request: Request) -> None:
    """Let monitoring of this machine in; from elsewhere it needs a token too."""
    client = request.client.host if request.client else ""
    if request.scope.get(TRUSTED) is not True and not _loopback(client):
        await caller_of(request)


def _loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


# ---------------------------------------------------------------------- errors


def problem(request: Request, status: int, kind: str, title: str, detail: str, **more: Any) -> JSONResponse:
    """Return problem details (RFC 9457)."""
    body = {"type": TYPES + kind, "title": title, "status": status, "detail": detail, **more}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return JSONResponse(body, status, media_type=PROBLEM, headers=headers)


def _language(request: Request) -> Any:
    return translator(accepted(request.headers.get("accept-language", "")))


async def _admin_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AdminError)
    if _wants_page(request):
        from gatepost.admin.pages.site import error_page  # noqa: PLC0415 - the pages use what is here

        return error_page(request, error)
    _ = _language(request)
    more = {"problems": [p._asdict() for p in error.problems]} if error.problems else {}
    answer = problem(request, error.status, error.kind, _(error.title), error.text(_), **more)
    if isinstance(error, TooMany):
        answer.headers["Retry-After"] = str(error.seconds)
    return answer


def _wants_page(request: Request) -> bool:
    if request.scope.get("gatepost.json"):
        return False
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


async def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if _wants_page(request):
        return await _admin_error(request, Invalid(tr("This address or form cannot be used.")))
    _ = _language(request)
    found = [
        {"where": ".".join(str(part) for part in e["loc"]), "message": e["msg"], "hint": ""}
        for e in error.errors()[:50]
    ]
    detail = "; ".join(f"{entry['where']}: {entry['message']}" for entry in found[:3])
    return problem(request, 422, "invalid", _("Not valid"), detail, problems=found)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if _wants_page(request) and error.status_code == 404:
        return await _admin_error(request, NotFound(tr("There is no such page.")))
    _ = _language(request)
    answer = problem(request, error.status_code, "http", _("This cannot be done"), str(error.detail))
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        answer.headers["Allow"] = allowed(request.app, request.url.path) or answer.headers.get("Allow", "")
    return answer


async def _store_error(request: Request, error: Exception) -> Response:
    _ = _language(request)
    detail = _("The store cannot answer now: {error}.").format(error=error)
    return problem(request, 503, "store", _("Not available now"), detail)


async def _unexpected(request: Request, error: Exception) -> Response:
    _ = _language(request)
    detail = _("The gateway made a mistake ({kind}); its log has the details.").format(
        kind=type(error).__name__
    )
    return problem(request, 500, "mistake", _("A mistake of the gateway"), detail)


async def _guard(request: Request, call_next: Any) -> Response:
    """Refuse bodies that are too large, and keep answers out of caches and frames."""
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not length.isdecimal() or int(length) > MAX_BODY:
        _ = _language(request)
        return problem(request, 413, "too-large", _("Too large"), _("A request may have 16 MB at most."))
    response: Response = await call_next(request)
    asks_only = request.url.path.endswith(("/preview", "/check", "/check/stream"))
    if request.method not in SAFE and response.status_code < 400 and not asks_only:
        # whoever else looks sees it at once
        service_of(request).events.publish("changed", {"by": request.method, "what": request.url.path})
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
