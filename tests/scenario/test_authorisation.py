"""Who may call what: every route of the API and every page, for every kind of caller (security of the admin centre).

Rule: the rows are written by hand and compared with the application's own routes; a new route without a row fails.
"""

import http.client
import json
from collections.abc import Iterator
from typing import Any, Self

import pytest
from tests.support.browser import Browser, signed_in
from tests.support.fake_gateway import make
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port, wait_until

from gatepost.admin.api.app import make_app
from gatepost.admin.api.documentation import PREFIX
from gatepost.admin.pages.site import PARTS

OBJECTS = """
[[accepted_domain]]
name = "contoso.example"
type = "internal-relay"

[[connector]]
name = "to-office"
domains = ["contoso.example"]
smart_hosts = ["127.0.0.1:{closed}"]
"""
SCOPES = ("read", "operate", "admin")
ROLES = {"viewer": "read", "operator": "operate", "administrator": "admin"}
KINDS = ("connectors", "domains", "sources", "policies", "channels")

# what a caller needs at least: method and path below /api/v1
API: dict[str, tuple[str, ...]] = {
    "read": (
        "GET /connectors/{name}/validations",
        "GET /queue", "GET /queue/audit", "GET /route/explain", "GET /messages", "GET /messages/{message_id}",
        "GET /trace", "GET /insights", "GET /insights/{insight}", "GET /insights/{insight}/why",
        "GET /insights/{insight}/history", "GET /reports/queued", "GET /reports/ndr", "GET /reports/connectors",
        "GET /reports/domains", "GET /reports/flow", "GET /reports/quota", "GET /reports/certificates",
        "GET /reports/tls", "GET /flow", "GET /nodes", "GET /ndr/preview", "GET /validations",
        "GET /jobs", "GET /jobs/{job}", "POST /explain", "POST /explain/file", "GET /foreign",
        "GET /foresight", "GET /events", "GET /audit", "GET /audit/looks", "GET /fixes", "GET /fixes/plan",
        "GET /domains/{name}/dry-run",
        "GET /fixes/{change}", "GET /alerts", "GET /alerts/silences", "GET /alerts/notices", "GET /alerts/policies",
        "GET /alerts/{alert}", "GET /probes", "GET /openapi.json", "GET /health", "GET /doctor", "GET /objects",
        "GET /objects/export", "GET /objects/history", *(f"GET /{kind}" for kind in KINDS),
        *(f"GET /{kind}/{{name}}" for kind in KINDS),
    ),
    "operate": (
        "POST /connectors/{name}/validate",
        "POST /queue/retry", "POST /queue/suspend", "POST /queue/resume", "POST /messages/cancel",
        "POST /messages/test", "POST /messages/cancel/stream", "POST /messages/actions/{action}",
        "POST /jobs/{job}/stop",
        "POST /jobs/{job}/undo", "POST /foreign", "DELETE /foreign/{system}",
        "GET /messages/{message_id}/content", "POST /insights/{insight}/acknowledge",
        "POST /insights/{insight}/unacknowledge", "POST /insights/{insight}/note", "POST /insights/{insight}/resolve",
        "POST /fixes/{change}/verify", "GET /messages/export",
        "POST /fixes/apply/{action}", "POST /fixes/{change}/undo", "POST /alerts/silences",
        "DELETE /alerts/silences/{silence}", "POST /alerts/{alert}/acknowledge", "POST /check", "POST /check/stream",
    ),
    "admin": (
        "POST /channels/{name}/test", "GET /users", "POST /users", "GET /users/sessions",
        "DELETE /users/sessions/{session}", "POST /users/setup", "PATCH /users/{name}", "DELETE /users/{name}",
        "DELETE /users/{name}/second-factor", "POST /users/{name}/link", "POST /reload", "GET /tokens", "POST /tokens",
        "DELETE /tokens/{name}", "POST /objects/apply", "POST /domains/{name}/recipients",
        *(f"POST /{kind}" for kind in KINDS), *(f"PATCH /{kind}/{{name}}" for kind in KINDS),
        *(f"DELETE /{kind}/{{name}}" for kind in KINDS),
    ),
}  # fmt: skip
PAGES: dict[str, tuple[str, ...]] = {
    "": (
        "GET /static/{name:path}", "GET /sign-in", "POST /sign-in", "GET /sign-in/provider",
        "GET /sign-in/provider/back", "GET /language/{lang}", "GET /theme/{theme}",
    ),
    "read": (
        "POST /sign-out", "GET /account", "POST /account/{verb}", "GET /", "GET /map", "GET /insights",
        "GET /insights/{insight}", "GET /changes/{change}", "GET /queues",
        "GET /queues/{destination}", "GET /jobs/{job}", "GET /explain", "POST /explain", "GET /messages",
        "GET /messages/{message}",
        "GET /trace", "GET /alerts", "GET /reports", "GET /audit", "GET /knowledge", "GET /knowledge/{name}",
        "GET /settings", "GET /diagnostics", "GET /certificates", "GET /nodes", "GET /ndr", "GET /validations",
        *(f"GET /{kind}" for kind in KINDS),
        *(f"GET /{kind}/{{name}}" for kind in KINDS),
    ),
    "operate": (
        "POST /insights/{insight}/{verb}", "POST /fixes/{target}/{action}/preview",
        "POST /fixes/{target}/{action}/apply",
        "POST /changes/{change}/undo", "POST /queues/{verb}", "POST /messages/act",
        "POST /jobs/{job}/{verb}", "POST /test-mail",
        "GET /messages/{message}/content",
        "POST /alerts/{verb}", "POST /check", "POST /validations",
    ),
    "admin": (
        "GET /setup", "POST /setup", "POST /settings/{verb}", *(f"GET /{kind}/new" for kind in KINDS),
        *(f"POST /{kind}/save" for kind in KINDS),
        *(f"POST /{kind}/preview" for kind in KINDS), *(f"POST /{kind}/{{name}}/delete" for kind in KINDS),
    ),
}  # fmt: skip
ENDLESS = "GET /events"  # its answer has no end: only its refusals are looked at


def rows(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(scope, row) for scope, found in table.items() for row in found]


def test_every_route_of_the_application_has_a_row() -> None:
    _, service = make()
    paths = make_app(service).openapi()["paths"]
    known = {f"{m.upper()} {path}" for path, found in paths.items() for m in found if path.startswith(PREFIX)}
    assert known == {row.replace(" ", f" {PREFIX}", 1) for _, row in rows(API)}
    pages = {f"{m} {r.path}" for part in PARTS for r in part.router.routes for m in r.methods or ()}  # type: ignore[attr-defined]
    assert pages == {row for _, row in rows(PAGES)}
    for path, found in paths.items():
        for method, operation in found.items():
            if path.startswith(PREFIX):
                row = f"{method.upper()} {path.removeprefix(PREFIX)}"
                assert row in API[operation["x-required-scope"]], "the document says another scope"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with GatewayProcess(
        tmp_path_factory.mktemp("callers"), delivery='retry = ["1h"]', dns_timeout="200ms"
    ) as process:
        process.apply(OBJECTS.format(closed=free_port()))
        process.send("ann@contoso.example", "bob@contoso.example")
        process.error("to-office")
        yield process


@pytest.fixture(scope="module")
def known(gateway: GatewayProcess) -> dict[str, str]:
    """What stands for the parts of a path that are in braces: what exists where that does no harm."""
    message = gateway.ask("messages")["messages"][0]["id"]
    insight = str(wait_until(lambda: gateway.ask("insights"), what="the insight")[0]["number"])
    return {
        "{message_id}": message, "{message}": message, "{insight}": insight, "{target}": insight,
        "{action}": "retry", "{verb}": "nothing", "{name:path}": "app.css", "{lang}": "en", "{theme}": "dark",
    }  # fmt: skip


def filled(row: str, known: dict[str, str]) -> tuple[str, str]:
    method, _, path = row.partition(" ")
    for name, value in known.items():
        path = path.replace(name, value)
    while "{" in path:
        path = path[: path.index("{")] + "nobody" + path[path.index("}") + 1 :]
    return method, path


def token(gateway: GatewayProcess, scope: str, name: str, *more: str) -> str:
    return str(gateway.json("token", "create", name, "--scope", scope, *more)["token"])


class Api:
    """One connection, on which every call of the API is made."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=30)

    def status(self, method: str, path: str, headers: dict[str, str]) -> int:
        body = "{}" if method in ("POST", "PATCH") else None
        self._connection.request(method, PREFIX + path, body, {"Content-Type": "application/json", **headers})
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._connection.close()


def wrong_answers(
    gateway: GatewayProcess, known: dict[str, str], headers: dict[str, str], has: str
) -> list[Any]:
    """Return the calls that a caller of a scope ("": nobody) is not answered as the rows say."""
    found = []
    with Api(gateway) as api:
        for needs, row in rows(API):
            allowed = has != "" and SCOPES.index(has) >= SCOPES.index(needs)
            if row == ENDLESS and allowed:
                continue
            status = api.status(*filled(row, known), headers)
            right = status not in (401, 403) and status < 500 if allowed else status == (403 if has else 401)
            if not right:
                found.append((row, needs, status))
    return found


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_opens_what_its_scope_says_and_nothing_else(
    scope: str, gateway: GatewayProcess, known: dict[str, str]
) -> None:
    headers = {"Authorization": f"Bearer {token(gateway, scope, f'of-{scope}')}"}
    assert wrong_answers(gateway, known, headers, scope) == []


def test_nothing_opens_without_a_token_or_with_one_that_is_over(
    gateway: GatewayProcess, known: dict[str, str]
) -> None:
    expired = token(gateway, "admin", "expired", "--expires", "1s")
    revoked = token(gateway, "admin", "revoked")
    gateway.json("token", "delete", "revoked")
    with Api(gateway) as api:
        old = {"Authorization": f"Bearer {expired}"}
        wait_until(lambda: api.status("GET", "/queue", old) == 401, what="the end of the token")
    for text in ("", f"Bearer {expired}", f"Bearer {revoked}", "Bearer gp_unknown", "Basic YWRtaW46YWRtaW4="):
        headers = {"Authorization": text} if text else {}
        assert wrong_answers(gateway, known, headers, "") == [], text


@pytest.mark.parametrize("role", ROLES)
def test_a_session_opens_the_api_as_far_as_its_role(
    role: str, gateway: GatewayProcess, known: dict[str, str]
) -> None:
    browser = signed_in(gateway, role)
    headers = {
        "Cookie": f"gatepost_session={browser.cookies['gatepost_session']}",
        "X-CSRF-Token": browser.csrf,
    }
    assert wrong_answers(gateway, known, headers, ROLES[role]) == []
    changes = [row for _, row in rows(API) if not row.startswith("GET ")]
    with Api(gateway) as api:
        for more in ({"X-CSRF-Token": "wrong"}, {"Origin": "https://evil.example"}):
            statuses = {api.status(*filled(row, known), {**headers, **more}) for row in changes}
            assert statuses == {403}, more


@pytest.mark.parametrize("role", ["", *ROLES])
def test_a_page_and_its_data_open_as_far_as_the_role(
    role: str, gateway: GatewayProcess, known: dict[str, str]
) -> None:
    browser = signed_in(gateway, role) if role else Browser(gateway.admin_port)
    wrong = []
    for needs, row in rows(PAGES):
        method, path = filled(row, known)
        if path == "/sign-out" and role:
            continue  # it works, and would end what is being tested
        targets = [path, f"{path.rstrip('/') or '/overview'}.json"] if method == "GET" and needs else [path]
        for target in targets:
            status, _, headers = browser.ask(method, target, {} if method == "POST" else None)
            asked = headers.get("location", "").startswith("/sign-in")
            if not needs:
                right = status != 403 and status < 500
            elif not role:
                right = (status == 303 and asked) if target == path else status == 401
            elif SCOPES.index(ROLES[role]) >= SCOPES.index(needs):
                right = status not in (401, 403) and status < 500 and not asked
            else:
                right = status == 403
            if not right:
                wrong.append((method, target, needs, status))
    assert wrong == []


def test_an_administrators_token_does_not_sign_in_to_pages(gateway: GatewayProcess) -> None:
    """A token is for programs: what a page offers needs the session's own word."""
    head = {"Authorization": f"Bearer {token(gateway, 'admin', 'for-programs')}"}
    status, _, headers = Browser(gateway.admin_port).ask("GET", "/settings", None, **head)
    assert (status, headers["location"].partition("?")[0]) == (303, "/sign-in")


def test_the_document_itself_is_for_those_who_may_read(gateway: GatewayProcess) -> None:
    document = gateway.ask("openapi.json")
    assert json.dumps(document).count('"x-required-scope"') == len(rows(API))
