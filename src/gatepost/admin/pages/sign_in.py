"""Signing in and out, the first start, language and theme."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from gatepost.admin.api.app import same_origin, service_of
from gatepost.admin.api.documentation import COOKIE
from gatepost.admin.errors import AdminError, Invalid, tr
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, page, say_of
from gatepost.admin.users import Session
from gatepost.i18n import LANGUAGES

router = APIRouter(include_in_schema=False)
YEAR = 365 * 86400


def local(path: str) -> str:
    """Return a path of this site; whatever leads elsewhere becomes the start page."""
    parts = urlsplit(path)
    good = (
        path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    )
    return path if good and "\\" not in path and "\n" not in path and "\r" not in path else "/"


def _client(request: Request) -> tuple[str, str]:
    return request.client.host if request.client else "", request.headers.get("user-agent", "")


def _let_in(request: Request, token: str, session: Session, where: str) -> RedirectResponse:
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
    return page(
        request, "sign_in.html", None, next=local(next), name="", error="", nobody=not await users.any()
    )


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Sign in by password or one-time link."""
    same_origin(request)
    users = service_of(request).users
    given = await request.form()
    address, agent = _client(request)
    where = local(str(given.get("next", "/")))
    try:
        if given.get("once"):
            token, session = users.use_link(str(given["once"]), address, agent)
            return _let_in(request, token, session, "/setup" if session.user == "setup" else "/")
        name, password = str(given.get("name", "")), str(given.get("password", ""))
        token, session = await users.sign_in(name, password, address, agent)
    except AdminError as problem:
        return page(
            request, "sign_in.html", None, status=problem.status, next=where, name=str(given.get("name", ""))[:64],
            error=problem.text(say_of(request)), nobody=not await users.any(),
        )  # fmt: skip
    return _let_in(request, token, session, where)


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
        token, session = await users.sign_in(name, password, *_client(request))
    except AdminError as problem:
        error = problem.text(say_of(request))
        return page(request, "setup.html", visitor, status=problem.status, error=error, name=name[:64])
    if visitor.session is not None:
        users.sign_out(visitor.session)
    return _let_in(request, token, session, "/connectors/new")


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
