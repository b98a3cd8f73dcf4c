"""The API: who may ask what, and how a no looks (RFC 9457)."""

import json
from functools import cache

import pytest
from tests.support.asgi import call
from tests.support.fake_gateway import FIRST, make

from gatepost.admin.api.app import MAX_BODY, TRUSTED, make_app
from gatepost.model.ids import to_text
from gatepost.telemetry.metrics import QueueSample

LOCAL = {TRUSTED: True}


@cache
def app_of(service):
    return make_app(service)


def ask(service, method, target, body=None, *, headers=None, client="127.0.0.1", extra=None):
    data = json.dumps(body).encode() if body is not None else b""
    head = {"content-type": "application/json"} | (headers or {})
    return call(app_of(service), method, target, data, head, client=client, extra=extra)


def token(service, scope):
    answer = ask(service, "POST", "/api/v1/tokens", {"name": scope, "scope": scope}, extra=LOCAL)
    return {"authorization": f"Bearer {answer.json['token']}"}


ROUTES = [
    ("GET", "/api/v1/queue", None, "read"),
    ("GET", "/api/v1/messages", None, "read"),
    ("GET", f"/api/v1/messages/{to_text(FIRST)}", None, "read"),
    ("GET", "/api/v1/trace", None, "read"),
    ("GET", "/api/v1/connectors", None, "read"),
    ("GET", "/api/v1/domains/contoso.example", None, "read"),
    ("GET", "/api/v1/objects", None, "read"),
    ("GET", "/api/v1/objects/export", None, "read"),
    ("GET", "/api/v1/objects/history", None, "read"),
    ("GET", "/api/v1/route/explain?address=ann@contoso.example", None, "read"),
    ("GET", "/api/v1/health", None, "read"),
    ("GET", "/api/v1/queue/audit", None, "read"),
    ("GET", "/api/v1/openapi.json", None, "read"),
    ("POST", "/api/v1/queue/retry", {"dry_run": True}, "operate"),
    ("POST", "/api/v1/queue/resume", {}, "operate"),
    ("POST", "/api/v1/queue/suspend", {"all": True, "dry_run": True}, "operate"),
    ("POST", "/api/v1/messages/cancel", {"connector": "to-office", "dry_run": True}, "operate"),
    ("POST", "/api/v1/messages/cancel/stream", {"connector": "to-office", "dry_run": True}, "operate"),
    ("GET", f"/api/v1/messages/{to_text(FIRST)}/content", None, "operate"),
    ("POST", "/api/v1/objects/apply", {"objects": {}}, "admin"),
    ("PATCH", "/api/v1/connectors/to-office?dry_run=true", {"port": 26}, "admin"),
    ("DELETE", "/api/v1/sources/cloud?dry_run=true", None, "admin"),
    ("POST", "/api/v1/domains/contoso.example/recipients", {"dry_run": True}, "admin"),
    ("GET", "/api/v1/tokens", None, "admin"),
    ("POST", "/api/v1/reload", {}, "admin"),
]
RANK = ["read", "operate", "admin"]


@pytest.mark.parametrize(("method", "target", "body", "scope"), ROUTES)
def test_every_request_needs_a_token_of_its_scope(method, target, body, scope):
    """Security rule 28: default deny."""
    _, service = make()
    assert ask(service, method, target, body).status == 401
    below = RANK.index(scope) - 1
    if below >= 0:
        assert ask(service, method, target, body, headers=token(service, RANK[below])).status == 403
    assert ask(service, method, target, body, headers=token(service, scope)).status == 200
    assert ask(service, method, target, body, extra=LOCAL).status == 200


def test_no_route_of_the_api_was_forgotten():
    """Every path that OpenAPI names answers 401 to a stranger."""
    _, service = make()
    paths = make_app(service).openapi()["paths"]
    for path, verbs in paths.items():
        if path.startswith("/api/"):
            target = path.replace("{kind}", "connectors").replace("{name}", "x").replace("{message_id}", "x")
            for verb in verbs:
                assert ask(service, verb.upper(), target, {}).status == 401, (verb, path)
                assert ask(service, verb.upper(), target, {}, extra={TRUSTED: "yes"}).status == 401


@pytest.mark.parametrize("page", ["/healthz", "/readyz", "/metrics"])
def test_monitoring_is_open_to_this_machine_only(page):
    _, service = make()
    assert ask(service, "GET", page).status == 200
    assert ask(service, "GET", page, client="192.0.2.1").status == 401
    assert ask(service, "GET", page, client="192.0.2.1", headers=token(service, "read")).status == 200


def test_a_gateway_that_is_not_ready_says_503():
    gateway, service = make()
    gateway.why = "disk is low"
    gateway.store.ok = False
    assert ask(service, "GET", "/readyz").status == 503
    assert ask(service, "GET", "/healthz").status == 503


def test_a_no_is_a_problem_with_a_sentence():
    _, service = make()
    answer = ask(service, "GET", "/api/v1/connectors/nope", extra=LOCAL)
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json == {
        "type": "urn:gatepost:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no connector nope.",
    }


def test_bad_objects_name_every_problem():
    _, service = make()
    answer = ask(service, "POST", "/api/v1/connectors", {"name": "x", "port": 0}, extra=LOCAL)
    assert answer.status == 422
    assert {p["where"].rpartition(".")[2] for p in answer.json["problems"]} >= {
        "port",
        "domains",
        "smart_hosts",
    }


def test_a_mistake_of_the_gateway_shows_no_details():
    gateway, service = make()
    gateway.route = lambda address: 1 / 0
    answer = ask(service, "GET", "/api/v1/route/explain?address=a@b.example", extra=LOCAL)
    assert answer.status == 500
    assert answer.json["type"] == "urn:gatepost:problem:mistake"
    assert "division" not in answer.body.decode()


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/api/v1/messages?limit=0", None),
        ("GET", "/api/v1/messages?after=x-y", None),
        ("GET", "/api/v1/messages?state=lost", None),
        ("GET", "/api/v1/messages?older_than=soon", None),
        ("GET", "/api/v1/messages/%2e%2e", None),
        ("GET", "/api/v1/trace?since=soon", None),
        ("GET", "/api/v1/trace?before=x", None),
        ("GET", "/api/v1/people", None),
        ("POST", "/api/v1/queue/suspend", {"connector": "a", "until": "soon"}),
        ("POST", "/api/v1/queue/suspend", {"connector": 7}),
        ("POST", "/api/v1/messages/cancel", {"ids": ["x"]}),
        ("POST", "/api/v1/messages/cancel", [1]),
        ("POST", "/api/v1/objects/apply", {"objects": {"connector": "x"}}),
        ("POST", "/api/v1/tokens", {"name": "../x"}),
        ("POST", "/api/v1/tokens", {"name": "x", "scope": "god"}),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(method, target, body):
    _, service = make()
    answer = ask(service, method, target, body, extra=LOCAL)
    assert answer.status in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["detail"]


def test_a_huge_request_is_refused_before_it_is_read():
    _, service = make()
    answer = ask(
        service, "POST", "/api/v1/reload", headers={"content-length": str(MAX_BODY + 1)}, extra=LOCAL
    )
    assert answer.status == 413


def test_an_export_is_a_file_that_no_browser_runs():
    """Security rule 22."""
    gateway, service = make()
    answer = ask(service, "GET", f"/api/v1/messages/{to_text(FIRST)}/content", extra=LOCAL)
    assert gateway.done == [("message.read", {"message_id": to_text(FIRST), "by": "administrator"})]
    assert answer.body == b"Subject: hi\r\n\r\n.dots\r\n"
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-disposition"] == f'attachment; filename="{to_text(FIRST)}.eml"'
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_metrics_are_of_the_gateway():
    gateway, service = make()
    gateway.metrics.delivered("to-office")
    answer = ask(service, "GET", "/metrics")
    assert b'gatepost_delivered_total{connector="to-office"} 1.0' in answer.body


def test_metrics_say_what_is_queued_at_the_moment_of_the_question():
    gateway, service = make()
    waiting = [QueueSample("to-office", "retry", 2)]
    gateway.metrics.watch_queue(lambda: waiting)
    assert b'gatepost_queued{connector="to-office",state="retry"} 2.0' in ask(service, "GET", "/metrics").body
    waiting[:] = [QueueSample("to-office", "ready", 1)]
    assert b'gatepost_queued{connector="to-office",state="ready"} 1.0' in ask(service, "GET", "/metrics").body
