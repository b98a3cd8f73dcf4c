"""Every answer of the API is what its OpenAPI document says: every call, against a gateway with data of every kind."""

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from tests.support.browser import signed_in
from tests.support.described import Described
from tests.support.gateway import GatewayProcess
from tests.support.office import OFFICE, PARTNER
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

from gatepost.admin import totp

API = "/api/v1"
OBJECTS = (
    OFFICE
    + PARTNER
    + """
[[alert_policy]]
name = "at-once"
channels = ["log"]

[[notification_channel]]
name = "log"
kind = "webhook"
url = "http://127.0.0.1:{closed}/notices"
"""
)
LOG = (
    "Nov 27 08:00:00 mx postfix/smtp[1]: 4QaBcD: to=<eve@far.example>, relay=none, delay=1, status=deferred "
    "(connect to far.example[192.0.2.9]:25: Connection refused)\n"
)


class Asker:
    """Asks with a token, and compares every answer with the document."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.taken: set[str] = set()
        self.tokens = {
            scope: gateway.json("token", "create", f"by-{scope}", "--scope", scope)["token"]
            for scope in ("read", "admin")
        }
        status, _, body = self.raw("GET", f"{API}/openapi.json", None, "admin")
        assert status == 200
        self.document = Described(json.loads(body))

    def raw(
        self, method: str, target: str, body: object, token: str, accept: str = "application/json"
    ) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.admin_port, timeout=120)
        headers = {"Content-Type": "application/json", "Accept": accept}
        if token:
            headers["Authorization"] = f"Bearer {self.tokens[token]}"
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
        elif body is not None:
            body = json.dumps(body).encode()
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            kind = answer.headers.get("content-type", "").partition(";")[0]
            return answer.status, kind, answer.read()
        finally:
            connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        status: int = 200,
        token: str = "admin",
        **values: Any,
    ) -> Any:
        """Make a call by its path in the document; what the path does not name goes into the query."""
        named = re.findall(r"{(\w+)}", path)
        target = API + path
        for name in named:
            target = target.replace(f"{{{name}}}", quote(str(values.pop(name)), safe=""))
        query = f"?{urlencode(values)}" if values else ""
        found, kind, content = self.raw(method, target + query, body, token)
        assert found == status, (method, target, found, content[:500])
        return self.document.check(method, API + path, found, kind, content)

    def walk(self, step: str) -> None:
        """Take a step, once."""
        if step not in self.taken:
            STEPS[step](self)
            self.taken.add(step)

    def some(self, path: str, **values: Any) -> list[Any]:
        """Wait for a list that has something in it (an empty one would prove nothing), and return it."""

        def rows() -> list[Any]:
            found = self.ask("GET", path, **values)
            return list(found if isinstance(found, list) else found.get("messages", found.get("rows")))

        return wait_until(rows, what=f"something in {path}")


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    refuses = {"nobody@partner.example": "550 5.1.1 No such user"}
    with FaultServer(rcpt=refuses) as partner:
        gateway = GatewayProcess(
            tmp_path_factory.mktemp("answers"),
            delivery='retry = ["1h"]\nconnect_timeout = "1s"\ndelay_notice = "off"',
            dns_timeout="200ms",
        )
        with gateway:
            gateway.apply(OBJECTS.format(closed=free_port(), partner=partner.port))
            gateway.send("eve@partner.example", "bob@contoso.example")
            gateway.send("eve@partner.example", "ann@partner.example")
            gateway.send("eve@partner.example", "nobody@partner.example")
            gateway.error("to-office")
            wait_until(lambda: gateway.ask("reports/ndr")["rows"], what="what was returned")
            wait_until(lambda: gateway.ask("alerts"), 30, 0.2, "an alert")
            wait_until(lambda: gateway.ask("alerts/notices"), 30, 0.2, "a notice")
            yield Asker(gateway)


def looking(asker: Asker) -> None:
    """Lists, and what they lead to."""
    row = asker.some("/queue")[0]
    message = asker.some("/messages")[0]
    asker.ask("GET", "/messages/{message_id}", message_id=message["id"])
    for traced in asker.some("/trace"):
        asker.ask("GET", "/messages/{message_id}", message_id=traced["id"])
    assert b"Subject" in asker.ask("GET", "/messages/{message_id}/content", message_id=message["id"])
    assert b"From " in asker.ask("GET", "/messages/export")
    insight = asker.some("/insights", state="all")[0]["id"]
    for more in ("", "/why", "/history"):
        asker.ask("GET", "/insights/{insight}" + more, insight=insight)
    asker.ask("GET", "/fixes/plan", target=insight)
    alert = asker.some("/alerts", all="true")[0]["id"]
    asker.ask("GET", "/alerts/{alert}", alert=alert)
    assert {look["what"] for look in asker.some("/audit/looks")} == {"content", "export"}
    for kind in ("change", "look"):
        assert {entry["kind"] for entry in asker.some("/audit", kind=kind)} == {kind}
    for path in ("/audit", "/alerts/notices", "/alerts/policies", "/objects/history", "/tokens", "/reports/queued",
                 "/reports/ndr", "/reports/connectors", "/reports/flow", "/reports/domains", "/flow"):  # fmt: skip
        asker.some(path)
    for path in ("/queue/audit", "/health", "/doctor", "/objects", "/objects/export", "/foresight", "/openapi.json",
                 "/reports/quota", "/reports/certificates", "/reports/tls", "/nodes", "/ndr/preview",
                 "/validations"):  # fmt: skip
        asker.ask("GET", path)
    asker.ask("GET", "/route/explain", address="ann@contoso.example")
    asker.ask("GET", "/domains/{name}/dry-run", name="contoso.example")
    assert asker.some("/messages", destination=row["id"])


def monitoring(asker: Asker) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        status, kind, body = asker.raw("GET", path, None, "")
        asker.document.check("GET", path, status, kind, body)


OBJECT = {
    "connectors": ({"name": "new", "domains": ["new.example"], "use_mx": True}, {"port": 26}),
    "domains": ({"name": "new.example"}, {"type": "internal-relay"}),
    "sources": (
        {"name": "new", "networks": ["192.0.2.0/24"], "logins": {"ann": "secret"}},
        {"may_relay": True},
    ),
    "policies": ({"name": "new", "share": "20%", "older_than": "1h"}, {"quiet": "22:00-07:00 Asia/Shanghai"}),
    "channels": ({"name": "new", "to": ["ann@contoso.example"]}, {"language": "zh-CN"}),
}


def kind_of_object(asker: Asker, kind: str) -> None:
    """Each kind is added, shown, changed and deleted; a second one of the name is a conflict."""
    new, change = OBJECT[kind]
    one = f"/{kind}/{{name}}"
    assert asker.ask("POST", f"/{kind}", new, dry_run="true")["dry_run"]
    assert asker.ask("POST", f"/{kind}", new)["counts"]["add"] == 1
    asker.ask("POST", f"/{kind}", new, status=409)
    asker.some(f"/{kind}")
    asker.ask("GET", one, name=new["name"])
    assert asker.ask("PATCH", one, change, name=new["name"])["changes"]
    asker.ask("PATCH", one, {"no-such": 1}, name=new["name"], status=422)
    assert asker.ask("DELETE", one, name=new["name"])["counts"]["remove"] == 1
    asker.ask("GET", one, name=new["name"], status=404)


def all_objects_at_once(asker: Asker) -> None:
    asker.ask(
        "POST", "/objects/apply", {"objects": asker.ask("GET", "/objects/export") and {}, "dry_run": True}
    )
    add = {"add": ["new@contoso.example"]}
    assert asker.ask("POST", "/domains/{name}/recipients", add, name="contoso.example")["changes"]


def steering_the_queue(asker: Asker) -> None:
    office = {"connector": "to-office"}
    assert asker.ask("POST", "/queue/suspend", {**office, "reason": "test", "until": "1h"})["rows"]
    assert asker.ask("POST", "/queue/resume", office)["rows"]
    assert asker.ask("POST", "/queue/retry", office)["rows"]
    assert asker.ask("POST", "/messages/test", {"recipient": "ann@partner.example"})["id"]


def acting_on_messages(asker: Asker) -> None:
    for action, more in (("suspend", {"until": "1h"}), ("resume", {}), ("retry", {})):
        wanted = {"connector": "to-office", "wait": 20, **more}
        job = asker.ask("POST", "/messages/actions/{action}", wanted, action=action)
        assert job["state"] == "done"
        asker.ask("GET", "/jobs/{job}", job=job["id"])
    held = asker.ask(
        "POST", "/messages/actions/{action}", {"connector": "to-office", "wait": 20}, action="suspend"
    )
    assert asker.ask("POST", "/jobs/{job}/undo", job=held["id"])["undone_at"]
    asker.ask("POST", "/jobs/{job}/stop", job=held["id"], status=409)
    assert asker.some("/jobs")
    wanted = {"connector": "to-office", "dry_run": True}
    assert asker.ask("POST", "/messages/cancel", wanted)["messages"]
    assert "result" in asker.ask("POST", "/messages/cancel/stream", wanted)[-1]


def insights(asker: Asker) -> None:
    insight = asker.some("/insights", connector="to-office")[0]["id"]
    for verb, body in (("acknowledge", {}), ("unacknowledge", {}), ("note", {"text": "seen"})):
        assert asker.ask("POST", f"/insights/{{insight}}/{verb}", body, insight=insight)["id"] == insight
    asker.ask("POST", "/insights/{insight}/resolve", {"dry_run": True}, insight=insight)


def fixes(asker: Asker) -> None:
    apply = "/fixes/apply/{action}"
    preview = {"dry_run": True, "probe": True}
    shown = asker.ask("POST", apply, preview, action="enable_connector", target="to-partner")
    assert shown["preview"]
    fix = asker.ask("POST", apply, {"reason": "test"}, action="disable_connector", target="to-office")["fix"]
    asker.some("/fixes")
    asker.ask("GET", "/fixes/{change}", change=fix["id"])
    asker.ask("POST", "/fixes/{change}/verify", change=fix["id"])
    assert asker.ask("POST", "/fixes/{change}/undo", change=fix["id"])["fix"]["state"] == "undone"
    asker.ask("POST", "/fixes/{change}/undo", change=fix["id"], status=409)


def alerts(asker: Asker) -> None:
    asker.ask("POST", "/alerts/{alert}/acknowledge", alert=asker.some("/alerts")[0]["id"])
    silence = asker.ask("POST", "/alerts/silences", {"until": "1h", "reason": "test", "policy": "none"})
    asker.some("/alerts/silences")
    assert asker.ask("DELETE", "/alerts/silences/{silence}", silence=silence["id"]) == {"ended": 1}
    assert asker.ask("POST", "/channels/{name}/test", name="log")["ok"] is False


def checks(asker: Asker) -> None:
    assert asker.ask("POST", "/check", {"connector": "to-partner", "recipient": "ann@partner.example"})["ok"]
    assert asker.ask("POST", "/check", {"connector": "to-office"})["last_error"]
    stages = asker.ask("POST", "/check/stream", {"smart_host": f"127.0.0.1:{free_port()}"})
    assert "stage" in stages[0]
    assert "result" in stages[-1]
    asker.some("/probes", connector="to-partner")
    wanted = {"recipients": ["ann@partner.example"], "message": True}
    assert asker.ask("POST", "/connectors/{name}/validate", wanted, name="to-partner")["tasks"]
    asker.some("/connectors/{name}/validations", name="to-partner")


def foreign_evidence(asker: Asker) -> None:
    assert asker.ask("POST", "/explain", {"text": LOG})["answers"]
    assert asker.ask("POST", "/explain", {"text": LOG * 2, "keep_as": "old"})["kept"]
    assert asker.ask("POST", "/explain/file", LOG.encode() * 3)["summary"]["insights"]
    told = {
        "system": "mx",
        "insights": [{"destination": "far.example", "class": "connection_refused", "stuck": 3}],
    }
    assert asker.ask("POST", "/foreign", told)["insights"] == 1
    system = asker.some("/foreign")[0]["system"]
    assert asker.ask("DELETE", "/foreign/{system}", system=system)["forgotten"] == 1


def people(asker: Asker) -> None:
    asker.ask("POST", "/users", {"name": "ann"}, dry_run="true")
    asker.ask("POST", "/users", {"name": "ann", "password": "correct horse"})
    asker.ask("POST", "/users", {"name": "ann"}, status=409)
    asker.some("/users")
    asker.ask("POST", "/users/setup")
    asker.ask("POST", "/users/{name}/link", name="ann")
    asker.ask("PATCH", "/users/{name}", {"role": "operator"}, name="ann")
    browser = signed_in(asker.gateway, "operator", "two-steps")
    _, text, _ = browser.ask("POST", "/account/second-factor", {})
    secret = re.search(r'id="secret">([A-Z2-7]+)<', text)
    assert secret is not None
    code = totp.code_at(secret[1], int(time.time()) // totp.PERIOD)
    assert browser.ask("POST", "/account/confirm", {"code": code})[0] == 200
    session = asker.some("/users/sessions", user="two-steps")[0]["id"]
    assert asker.ask("DELETE", "/users/{name}/second-factor", name="two-steps")["second_factor"] is False
    assert asker.ask("DELETE", "/users/sessions/{session}", session=session) == {"ended": 1}
    assert asker.ask("DELETE", "/users/{name}", name="ann")["deleted"] == 1


def tokens_and_settings(asker: Asker) -> None:
    asker.ask("POST", "/tokens", {"name": "other"} | {"dry_run": True})
    assert asker.ask("POST", "/tokens", {"name": "other", "expires": "1h"})["token"]
    assert asker.ask("DELETE", "/tokens/{name}", name="other")["deleted"] == 1
    assert asker.ask("POST", "/reload", {})["reloaded"]


def events(asker: Asker) -> None:
    """What waits comes at once, what somebody changes when they do, an insight when it does."""
    connection = http.client.HTTPConnection("127.0.0.1", asker.gateway.admin_port, timeout=120)
    token = asker.tokens["read"]
    connection.request("GET", f"{API}/events", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    seen = answer.read1()
    insight = asker.some("/insights", connector="to-office")[0]["id"]
    asker.ask("POST", "/insights/{insight}/note", {"text": "told"}, insight=insight)
    while not all(kind in seen for kind in (b"event: queue", b"event: changed", b"event: insight")):
        seen += answer.read1()
    connection.close()
    told = asker.document.check("GET", f"{API}/events", 200, "text/event-stream", seen)
    assert {kind for event in told for kind in event} >= {"queue", "changed", "insight"}
    step = asker.raw(
        "POST", f"{API}/check/stream", {"connector": "to-partner"}, "admin", accept="text/event-stream"
    )
    assert "result" in asker.document.check("POST", f"{API}/check/stream", *step)[-1]


STEPS: dict[str, Callable[[Asker], None]] = {
    "looking": looking,
    "monitoring": monitoring,
    **{kind: partial(kind_of_object, kind=kind) for kind in OBJECT},
    "all objects": all_objects_at_once,
    "queue": steering_the_queue,
    "messages": acting_on_messages,
    "insights": insights,
    "events": events,
    "fixes": fixes,
    "alerts": alerts,
    "checks": checks,
    "foreign": foreign_evidence,
    "people": people,
    "tokens": tokens_and_settings,
}


@pytest.mark.parametrize("step", STEPS)
def test_every_answer_is_as_described(asker: Asker, step: str) -> None:
    asker.walk(step)


def test_no_call_is_left_out(asker: Asker) -> None:
    """A new call needs a line above; no job here is long enough to be stopped."""
    for step in STEPS:
        asker.walk(step)
    assert asker.document.unseen() == {("POST", f"{API}/jobs/{{job}}/stop")}


NOES = (
    ("GET", "/queue", None, "", {}, 401),
    ("POST", "/queue/retry", {}, "read", {}, 403),
    ("GET", "/messages/{message_id}", None, "admin", {"message_id": "0000000000000"}, 404),
    ("GET", "/messages/{message_id}", None, "admin", {"message_id": "nonsense"}, 422),
    ("GET", "/queue", None, "admin", {"filter": "no:such"}, 422),
    ("POST", "/objects/apply", {"objects": {"connector": [{"name": "x"}]}}, "admin", {}, 422),
    ("POST", "/queue/retry", b"\xff", "admin", {}, 422),
    ("POST", "/objects/apply", {"objects": {}, "revision": 0}, "admin", {}, 409),
)


@pytest.mark.parametrize(("method", "path", "body", "token", "values", "status"), NOES)
def test_every_no_is_a_described_problem(
    asker: Asker, method: str, path: str, body: object, token: str, values: dict[str, str], status: int
) -> None:
    problem = asker.ask(method, path, body, token=token, status=status, **values)
    assert problem["status"] == status
    assert problem["detail"]


def test_every_field_is_described(asker: Asker) -> None:
    """Every good answer in JSON names its fields, and every shape and every call says what it is."""
    for path, methods in asker.document.paths.items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            for kind, content in operation["responses"]["200"]["content"].items():
                if kind == "application/json":
                    shape = content["schema"].get("items", content["schema"])
                    assert "$ref" in shape or path.endswith("openapi.json"), (method, path, content)
            for parameter in operation.get("parameters", ()):
                assert parameter["description"], (method, path, parameter)
    for name, shape in asker.document.components["schemas"].items():
        assert shape["description"], name
        assert [
            field for field, value in shape.get("properties", {}).items() if not value["description"]
        ] == []
