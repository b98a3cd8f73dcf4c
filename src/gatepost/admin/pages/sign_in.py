"""Signing in and out, the first start, language and theme."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gatepost.admin.api.app import same_origin, service_of
from gatepost.admin.api.documentation import COOKIE
from gatepost.admin.errors import AdminError, Invalid, SecondFactor, tr
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, page, say_of
from gatepost.admin.users import Session
from gatepost.i18n import LANGUAGES

router = APIRouter(include_in_schema=False)
STATE_COOKIE = "gatepost_state"
YEAR = 365 * 86400


def local(path: str) -> str:
    """Return a path of this site; whatever leads elsewhere becomes the start page."""
    parts = urlsplit(path)
    good = (
        path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    )
    return path if good and "\\" not in path and "\n" not in path and "\r" not in path else "/"


def client_of(request: Request) -> tuple[str, str]:
    """Return the address of a browser, and what it calls itself."""
    return request.client.host if request.client else "", request.headers.get("user-agent", "")


def let_in(request: Request, token: str, session: Session, where: str) -> RedirectResponse:
    """Give the cookie of a new session, and lead on."""
    answer = RedirectResponse(where, 303)
    secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    life = (session.expires_at - session.created_at) // 1000
    answer.set_cookie(COOKIE, token, max_age=life, httponly=True, samesite="lax", secure=secure)
    return answer


@router.get("/sign-in")
async def form(request: Request, next: str = "/", once: str = "") -> Response:  # noqa: A002 - the field's name
    """Show the form; a one-time link asks for one click, so that no preview of a mail program uses it up."""
    users = service_of(request).users
    if once:
        return page(request, "once.html", None, once=once)
    provider = bool(service_of(request).gateway.settings.admin.oidc.issuer)
    return page(
        request, "sign_in.html", None, next=local(next), name="", error="", nobody=not await users.any(),
        provider=provider,
    )  # fmt: skip


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Sign in by password or one-time link."""
    same_origin(request)
    users = service_of(request).users
    given = await request.form()
    address, agent = client_of(request)
    where = local(str(given.get("next", "/")))
    try:
        if given.get("once"):
            token, session = await users.use_link(str(given["once"]), address, agent)
            return let_in(request, token, session, "/setup" if session.user == "setup" else "/")
        if given.get("ticket"):
            ticket, code = str(given["ticket"]), str(given.get("code", ""))
            token, session = await users.second_factor(ticket, code, address, agent)
            return let_in(request, token, session, where)
        name, password = str(given.get("name", "")), str(given.get("password", ""))
        token, session = await users.sign_in(name, password, address, agent)
    except AdminError as problem:
        return await refused(request, problem, where, str(given.get("name", "")))
    return let_in(request, token, session, where)


async def refused(request: Request, problem: AdminError, where: str, name: str = "") -> Response:
    """Show what is missing: a code, or the right password."""
    sentence = problem.text(say_of(request))
    if isinstance(problem, SecondFactor):
        return page(
            request,
            "code.html",
            None,
            status=problem.status,
            next=where,
            ticket=problem.ticket,
            sentence=sentence,
        )
    users, admin = service_of(request).users, service_of(request).gateway.settings.admin
    return page(
        request, "sign_in.html", None, status=problem.status, next=where, name=name[:64], error=sentence,
        nobody=not await users.any(), provider=bool(admin.oidc.issuer),
    )  # fmt: skip


@router.get("/sign-in/provider")
async def to_provider(request: Request, next: str = "/") -> RedirectResponse:  # noqa: A002
    """Go to the provider; only the browser that left can come back."""
    where, state = await service_of(request).provider.begin(local(next))
    answer = RedirectResponse(where, 303)
    secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
    answer.set_cookie(
        STATE_COOKIE, state, max_age=600, httponly=True, samesite="lax", secure=secure, path="/sign-in"
    )
    return answer


@router.get("/sign-in/provider/back")
async def from_provider(request: Request, code: str = "", state: str = "", error: str = "") -> Response:
    """Come back from the provider."""
    service = service_of(request)
    try:
        known = request.cookies.get(STATE_COOKIE, "")
        name, role, where = await service.provider.finish(known, state, code, error)
        token, session = await service.users.sign_in_by_provider(name, role, *client_of(request))
    except AdminError as problem:
        return await refused(request, problem, "/")
    return let_in(request, token, session, where)


@router.post("/sign-out")
async def sign_out(request: Request, visitor: Looking) -> Response:
    """End the session."""
    if visitor.session is not None:
        service_of(request).users.sign_out(visitor.session)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/setup")
async def setup(request: Request, visitor: Looking) -> Response:
    """Show the first start: make an administrator."""
    visitor.caller.need("admin")
    return page(request, "setup.html", visitor, error="", name="admin")


@router.post("/setup")
async def set_up(request: Request, visitor: Looking) -> Response:
    """Make the first administrator, and sign them in."""
    visitor.caller.need("admin")
    users, given = service_of(request).users, await request.form()
    name, password = str(given.get("name", "")), str(given.get("password", ""))
    try:
        if password != str(given.get("again", "")):
            raise Invalid(tr("The two passwords differ."))
        await users.create(name, "administrator", password, visitor.caller.name, dry_run=False)
        token, session = await users.sign_in(name, password, *client_of(request))
    except AdminError as problem:
        error = problem.text(say_of(request))
        return page(request, "setup.html", visitor, status=problem.status, error=error, name=name[:64])
    if visitor.session is not None:
        users.sign_out(visitor.session)
    return let_in(request, token, session, "/connectors/new")


@router.get("/language/{lang}")
async def language(lang: str, next: str = "/") -> Response:  # noqa: A002
    """Choose a language."""
    answer = RedirectResponse(local(next), 303)
    if lang in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, lang, max_age=YEAR, samesite="lax", httponly=True)
    return answer


@router.get("/theme/{theme}")
async def theme(theme: str, next: str = "/") -> Response:  # noqa: A002
    """Choose a theme."""
    answer = RedirectResponse(local(next), 303)
    if theme in THEMES:
        answer.set_cookie(THEME_COOKIE, theme, max_age=YEAR, samesite="lax", httponly=True)
    return answer
