"""Templates to pages: what every page knows (who, language, theme, navigation) and how values are shown.

Rule 1: everything is escaped by the template engine; nothing here marks remote text as safe.
Rule 2: no inline script or style, no eval: the content security policy says so to the browser.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gatepost import __version__
from gatepost.admin.answers.system import SCOPES
from gatepost.admin.auth import Caller
from gatepost.admin.pages import words
from gatepost.admin.users import Session
from gatepost.i18n import LANGUAGES, accepted, tr, translator
from gatepost.model.failure import clean

HERE = Path(__file__).parent
LANGUAGE_COOKIE = "gatepost_language"
THEME_COOKIE = "gatepost_theme"
THEMES = ("auto", "light", "dark")
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}

# groups of (address, title, icon, the key that goes there after g)
NAVIGATION: tuple[tuple[str, tuple[tuple[str, str, str, str], ...]], ...] = (
    ("", (
        ("/", tr("Overview"), "home", "o"),
        ("/insights", tr("Insights"), "bulb", "i"),
        ("/map", tr("Mail flow map"), "route", "f"),
    )),
    (tr("Mail"), (
        ("/queues", tr("Queues"), "stack-2", "q"),
        ("/messages", tr("Queued messages"), "mail", "m"),
        ("/trace", tr("Message trace"), "search", "t"),
    )),
    (tr("Mail flow"), (
        ("/connectors", tr("Connectors"), "plug", "c"),
        ("/sources", tr("Sources"), "inbox", "s"),
        ("/domains", tr("Accepted domains"), "world", "d"),
        ("/diagnostics", tr("Diagnostics"), "stethoscope", "x"),
        ("/explain", tr("Explain"), "help", "h"),
    )),
    (tr("Watch"), (
        ("/alerts", tr("Alerts"), "bell", "a"),
        ("/reports", tr("Reports"), "chart-bar", "r"),
        ("/certificates", tr("Certificates"), "shield-check", "v"),
        ("/audit", tr("Audit log"), "history", "l"),
        ("/knowledge", tr("Knowledge base"), "book", "k"),
        ("/nodes", tr("Nodes"), "server", "n"),
        ("/settings", tr("Settings"), "settings", "e"),
    )),
)  # fmt: skip
JSON_OF_START = "/overview"
JSON_DOOR = "gatepost.json"  # in the scope of a request whose address ended in .json


# what the gateway calls states, outcomes and the like: words that templates translate when they show them
WORDS = (
    tr("ready"), tr("active"), tr("retry"), tr("suspended"), tr("queued"), tr("delivered"), tr("returned"),
    tr("cancelled"), tr("failed"), tr("deferred"), tr("accepted"), tr("mixed"), tr("new"), tr("ongoing"),
    tr("escalating"), tr("resolved"), tr("regressed"), tr("open"), tr("all"), tr("low"), tr("medium"), tr("high"),
    tr("critical"), tr("firing"), tr("acknowledged"), tr("pending"), tr("applied"), tr("verified"), tr("failing"),
    tr("undone"), tr("pass"), tr("warning"), tr("fail"), tr("unknown"), tr("skipped"), tr("delayed"), tr("moved"),
    tr("expired"), tr("relayed"), tr("waiting"), tr("sent"), tr("running"), tr("done"), tr("viewer"), tr("operator"), tr("administrator"), tr("stopped"), tr("undoing"), tr("healthy"), tr("error"),
    tr("organisation"), tr("domain"), tr("connector"), tr("source"), tr("client"), tr("sender"), tr("fine"), tr("warned"),
    tr("limited"), tr("received"), tr("sent"), tr("in clear"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page: over the control socket there is no session."""

    caller: Caller
    session: Session | None

    def may(self, scope: str) -> bool:
        """Tell whether they may do something of a scope."""
        return SCOPES.index(self.caller.scope) >= SCOPES.index(scope)


@cache
def environment(lang: str) -> Environment:
    """Return the template engine of a language."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"_": translator(lang), "lang": lang, "version": __version__, "asset": asset}
    made.filters |= {
        "size": size,
        "clean": clean,
        "query": query,
        "short": short,
        "shown": shown,
        "curl": curl,
        **{name: _called(known, lang, spaced=name in words.NAMES) for name, known in words.ALL.items()},
    }
    return made


def _called(known: Mapping[str, str], lang: str, *, spaced: bool) -> Callable[[object], str]:
    """Return what translates a name of a program: `{{ "smart_hosts" | field }}`."""
    say = translator(lang)

    def called(name: object) -> str:
        text = str(name)
        if text in known:
            return say(known[text])
        return text.replace("_", " ") if spaced else text

    return called


@cache
def asset(name: str) -> str:
    """Return the address of a static file, with what changes when the file does."""
    from gatepost.admin.pages.static_files import fingerprint  # noqa: PLC0415 - they need each other

    return f"/static/{name}?v={fingerprint(name)}"


def language_of(request: Request) -> str:
    """Return the language of a visitor: what they chose, else what their browser prefers."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else accepted(request.headers.get("accept-language", ""))


def theme_of(request: Request) -> str:
    """Return the theme that a visitor chose."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"


def page(
    request: Request, template: str, visitor: Visitor | None, *, status: int = 200, **values: Any
) -> Response:
    """Return a page, only its part where a script asks for it (`HX-Request`), or what it shows as JSON."""
    if request.scope.get(JSON_DOOR):
        return JSONResponse(jsonable_encoder(values), status, headers=HEADERS)
    lang = language_of(request)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    known: Mapping[str, Any] = {
        "request": request,
        "path": request.url.path,
        "here": here,
        "as_json": f"{JSON_OF_START if request.url.path == '/' else request.url.path}.json"
        + (f"?{request.url.query}" if request.url.query else ""),
        "origin": str(request.base_url).rstrip("/"),
        "visitor": visitor,
        "csrf": visitor.session.csrf if visitor is not None and visitor.session is not None else "",
        "theme": theme_of(request),
        "navigation": NAVIGATION,
        "partial": "hx-request" in request.headers and "hx-boosted" not in request.headers,
        "hostname": request.app.state.service.gateway.settings.hostname,
    }
    body = environment(lang).get_template(template).render({**known, **values})
    return HTMLResponse(body, status, headers=HEADERS)


def say_of(request: Request) -> Any:
    """Return the translator of a visitor."""
    return translator(language_of(request))


def size(octets: object) -> str:
    """Return a number of octets for people."""
    number = float(str(octets or 0))
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return ""


def query(values: Mapping[str, object]) -> str:
    """Return a query string without what is empty."""
    return urlencode({key: str(value) for key, value in values.items() if value not in ("", None, False)})


def short(text: object, length: int = 80) -> str:
    """Return remote text made harmless, cut to a length."""
    return clean(str(text or ""), length)


def shown(value: object) -> str:
    """Return a value of an object as text."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, list | tuple):
        return clean(", ".join(str(entry) for entry in value), 2000) or "-"
    return clean(str(value), 2000)


def curl(http: str, origin: str) -> str:
    """Return a request of the API (`POST /api/v1/queue/retry {"destination": "x"}`) as a command to run."""
    verb, _, rest = http.partition(" ")
    where, _, body = rest.partition(" ")
    words = ['curl -H "Authorization: Bearer $GATEPOST_TOKEN"']
    if verb != "GET":
        words.append(f"-X {verb}")
    if body:
        words.append(f"-H 'Content-Type: application/json' -d {quote(body)}")
    return " ".join([*words, quote(origin + where)])
