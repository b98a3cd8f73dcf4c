"""The admin centre over real HTTP: who gets in, what a form must carry, what is shown (R15, R17, R19, B4, B10)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.support.browser import Browser, signed_in
from tests.support.gateway import GatewayProcess
from tests.support.office import OFFICE, PARTNER
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
OBJECTS = OFFICE + PARTNER
PAGES = (
    "/", "/insights", "/queues", "/messages", "/trace", "/connectors", "/connectors/to-office", "/sources",
    "/domains", "/domains/contoso.example", "/explain", "/diagnostics", "/alerts", "/policies",
    "/policies/mail-stuck", "/channels", "/reports", "/reports?report=ndr", "/reports?report=connectors",
    "/reports?report=domains", "/audit", "/knowledge", "/knowledge/connection_refused", "/settings",
    "/certificates", "/nodes", "/ndr", "/validations", "/reports?report=tls", "/reports?report=quota",
)  # fmt: skip


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with (
        FaultServer(rcpt=f"450 4.2.0 {EVIL}") as evil,
        GatewayProcess(tmp_path_factory.mktemp("centre"), delivery='retry = ["1h"]') as process,
    ):
        process.apply(OBJECTS.format(closed=free_port(), partner=evil.port))
        process.send("ann@contoso.example", "bob@contoso.example", subject=EVIL)
        process.send("ann@contoso.example", '"<script>"@partner.example')
        process.error("to-office")
        process.error("to-partner")
        yield process


def test_nobody_sees_a_page_without_signing_in(gateway: GatewayProcess) -> None:
    """Rule 28: default deny."""
    browser = Browser(gateway.admin_port)
    for path in (*PAGES, "/changes/x", "/messages/x"):
        status, _, headers = browser.ask("GET", path)
        assert status == 303, path
        assert headers["location"].startswith("/sign-in")
    assert browser.ask("GET", "/api/v1/queue")[0] == 401


def test_every_page_is_shown_in_both_languages_and_says_what_is_stuck(gateway: GatewayProcess) -> None:
    """R19, B10."""
    browser = signed_in(gateway)
    for path in PAGES:
        assert "Gatepost" in browser.get(path)
    assert "4.4.316" in browser.get("/queues")
    browser.ask("GET", "/language/zh-CN")
    assert "见解" in browser.get("/insights")
    assert "队列" in browser.get("/queues")


def test_nothing_that_came_from_outside_is_markup_on_any_page(gateway: GatewayProcess) -> None:
    """Rule 22: replies, addresses and subjects stay text."""
    browser = signed_in(gateway)
    rows = gateway.json("insight", "list")
    numbers = [row["id"] for row in gateway.json("message", "list")["messages"]]
    paths = [*PAGES, *(f"/insights/{row['number']}" for row in rows), *(f"/messages/{n}" for n in numbers)]
    assert len(rows) >= 2
    shown = ""
    for path in paths:
        text = browser.get(path)
        shown += text
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path
    assert "&lt;script&gt;" in shown


def test_a_page_forbids_inline_scripts_frames_and_other_origins(gateway: GatewayProcess) -> None:
    _, text, headers = signed_in(gateway).ask("GET", "/")
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert re.search(r"<script>|<style|\son\w+=|\sstyle=|javascript:", text) is None


def test_a_change_needs_the_word_of_the_session_and_our_own_origin(gateway: GatewayProcess) -> None:
    """Rule 23."""
    browser = signed_in(gateway)
    number = gateway.json("insight", "list")[0]["number"]
    word, browser.csrf = browser.csrf, "wrong"
    assert browser.ask("POST", f"/insights/{number}/acknowledge", {})[0] == 403
    browser.csrf = word
    evil = browser.ask("POST", f"/insights/{number}/acknowledge", {}, Origin="https://evil.example")
    assert evil[0] == 403
    assert not gateway.json("insight", "show", number)["acknowledged_by"]
    assert browser.ask("POST", f"/insights/{number}/acknowledge", {})[0] == 303
    assert gateway.json("insight", "show", number)["acknowledged_by"]
    token = {"Content-Type": "application/json", "X_CSRF_Token": "wrong"}
    assert browser.ask("POST", "/api/v1/queue/retry", None, **token)[0] == 403


def test_a_viewer_looks_and_changes_nothing(gateway: GatewayProcess) -> None:
    """Roles: viewer, operator, administrator."""
    viewer = signed_in(gateway, "viewer")
    number = gateway.json("insight", "list")[0]["number"]
    for path in PAGES:
        viewer.get(path)
    assert viewer.ask("POST", f"/insights/{number}/acknowledge", {})[0] == 403
    assert viewer.ask("POST", "/queues/retry", {"destination": "x"})[0] == 403
    assert viewer.ask("POST", f"/fixes/{number}/disable_connector/apply", {})[0] == 403
    message = gateway.json("message", "list")["messages"][0]["id"]
    assert viewer.ask("GET", f"/messages/{message}/content")[0] == 403
    operator = signed_in(gateway, "operator")
    assert operator.ask("POST", f"/fixes/{number}/disable_connector/apply", {})[0] == 403
    for _ in range(2):
        assert operator.ask("GET", f"/messages/{message}/content")[0] == 200
    assert [e for e in gateway.log() if e["event"] == "message.read"]
    looks = wait_until(lambda: gateway.json("audit", "list", "--kind", "look"), what="the look in the audit")
    assert {(look["what"], look["subject"]) for look in looks} == {("content", message)}
    assert len(looks) <= 2, "one look a quarter of an hour, which may have begun in between"
    assert f'href="/messages/{message}"' in viewer.get("/audit")
    assert message in gateway.run("audit", "list").stdout


def test_a_link_works_once_and_a_session_can_be_revoked(gateway: GatewayProcess) -> None:
    made = gateway.json("user", "create", "once")
    token = made["link"].partition("once=")[2]
    first, second = Browser(gateway.admin_port), Browser(gateway.admin_port)
    assert first.ask("POST", "/sign-in", {"once": token})[0] == 303
    assert second.ask("POST", "/sign-in", {"once": token})[0] == 401
    (session,) = [s for s in gateway.json("user", "sessions") if s["user"] == "once"]
    gateway.json("user", "sign-out", session["id"])
    assert first.ask("GET", "/")[0] == 303


def test_whoever_guesses_a_password_waits(gateway: GatewayProcess) -> None:
    """Rule 18, 28: throttled, and an unknown name answers alike."""
    gateway.run("user", "create", "guessed", "--password-file", "-", text="correct horse\n")
    browser = Browser(gateway.admin_port)
    assert browser.ask("POST", "/sign-in", {"name": "nobody", "password": "x"})[0] == 401

    def refused() -> str:
        """Guess until that has to wait, then give the right password; "" where the wait was over by then."""
        wait_until(lambda: browser.ask("POST", "/sign-in", {"name": "nobody", "password": "x"})[0] == 429)
        status, text, _ = browser.ask("POST", "/sign-in", {"name": "guessed", "password": "correct horse"})
        return text if status == 429 else ""

    # each failure makes the wait longer, so that a busy machine comes to it in time
    assert "wait" in wait_until(refused, 60, what="a right password that has to wait")


def test_a_sign_in_leads_only_to_this_site(gateway: GatewayProcess) -> None:
    gateway.json("user", "create", "back")
    for evil in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
        made = gateway.json("user", "link", "back")
        token = made["url"].partition("once=")[2]
        browser = Browser(gateway.admin_port)
        _, _, headers = browser.ask("POST", "/sign-in", {"once": token, "next": evil})
        assert headers["location"] == "/"
        assert browser.ask("GET", f"/language/en?{urlencode({'next': evil})}")[2]["location"] == "/"


def test_a_fix_is_previewed_applied_verified_and_undone_by_clicks(tmp_path: Path) -> None:
    """R14, R17, B4."""
    with GatewayProcess(tmp_path, delivery='retry = ["1h"]') as gateway:
        gateway.apply(OBJECTS.format(closed=free_port(), partner=free_port()))
        gateway.send("ann@contoso.example", "bob@contoso.example")
        gateway.error("to-office")
        browser = signed_in(gateway)
        (row,) = wait_until(lambda: gateway.json("insight", "list"), what="the insight")
        where = f"/fixes/{row['number']}/fix_now"
        status, text, _ = browser.ask("POST", f"{where}/preview", {}, HX_Request="true")
        assert status == 200
        assert "authoritative" in text
        assert "bob@contoso.example" in text
        assert browser.ask("POST", f"{where}/apply", {"reason": "moved"})[0] == 422
        status, _, headers = browser.ask("POST", f"{where}/apply", {"reason": "moved", "typed": "1"})
        assert status == 303
        change = headers["location"]
        wait_until(lambda: 'data-state="verified"' in browser.get(change), what="the verdict")
        assert browser.ask("POST", f"{change}/undo", {})[0] == 303
        assert 'data-state="undone"' in browser.get(change)
        (connector,) = [c for c in gateway.json("connector", "list") if c["name"] == "to-office"]
        assert connector["enabled"]


def test_the_first_start_leads_from_a_link_to_an_administrator(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path) as gateway:
        browser = Browser(gateway.admin_port)
        assert "gatepost user setup" in browser.get("/sign-in")
        url = json.loads(gateway.run("user", "setup", "--json").stdout)["url"]
        _, _, headers = browser.ask("POST", "/sign-in", {"once": url.partition("once=")[2]})
        assert headers["location"] == "/setup"
        text = browser.get("/setup")
        browser.csrf = re.search(r'name="csrf" value="([^"]+)"', text)[1]  # type: ignore[index]
        wrong = {"name": "admin", "password": "correct horse", "again": "other horse"}
        assert browser.ask("POST", "/setup", wrong)[0] == 422
        right = {"name": "admin", "password": "correct horse", "again": "correct horse"}
        assert browser.ask("POST", "/setup", right)[0] == 303
        assert "Overview" in browser.get("/")
        assert gateway.json("user", "list")[0]["role"] == "administrator"


def test_a_connector_is_added_changed_checked_and_deleted_by_forms(gateway: GatewayProcess) -> None:
    """R15, B9."""
    browser = signed_in(gateway)
    form = {
        "name": "by-form",
        "to": "partner",
        "domains": "a.example, b.example",
        "smart_hosts": "",
        "tls": "opportunistic",
    }
    status, text, _ = browser.ask("POST", "/connectors/save", form)
    assert status == 422
    assert "smart host" in text
    form |= {"smart_hosts": f"127.0.0.1:{free_port()}", "enabled": "on", "port": "25"}
    status, _, headers = browser.ask("POST", "/connectors/save", form)
    assert (status, headers["location"]) == (303, "/connectors/by-form")
    made = gateway.json("connector", "show", "by-form")
    assert (made["to"], made["domains"], made["enabled"]) == ("partner", ["a.example", "b.example"], True)
    assert "b.example" in browser.get("/connectors/by-form")
    changed = {**form, "old": "by-form", "comment": EVIL}
    del changed["enabled"]
    assert browser.ask("POST", "/connectors/save", changed)[0] == 303
    made = gateway.json("connector", "show", "by-form")
    assert (made["enabled"], made["comment"]) == (False, EVIL)
    assert "<script>alert" not in browser.get("/connectors/by-form") + browser.get(
        "/connectors"
    ) + browser.get("/audit")
    status, text, _ = browser.ask("POST", "/check", {"connector": "by-form"}, HX_Request="true")
    assert status == 200
    assert 'data-verdict="fail"' in text
    assert "4.4.316" in text
    assert browser.ask("POST", "/connectors/by-form/delete", {})[0] == 303
    assert gateway.run("connector", "show", "by-form").returncode == 1


def test_a_policy_that_is_built_in_is_changed_by_its_form(gateway: GatewayProcess) -> None:
    """R18."""
    browser = signed_in(gateway)
    assert "2000" in browser.get("/policies/messages-delayed")
    form = {
        "old": "messages-delayed",
        "on": "queue",
        "messages": "200",
        "older_than": "1h",
        "severity": "high",
        "enabled": "on",
    }
    assert browser.ask("POST", "/policies/save", form)[0] == 303
    assert gateway.json("policy", "show", "messages-delayed")["messages"] == 200


def test_a_silence_and_a_user_are_made_by_forms(gateway: GatewayProcess) -> None:
    browser = signed_in(gateway)
    form = {"connector": "to-office", "until": "1h", "reason": EVIL}
    assert browser.ask("POST", "/alerts/silence", form)[0] == 303
    assert "<script>alert" not in browser.get("/alerts")
    assert gateway.json("alert", "silences")[0]["reason"] == EVIL
    status, text, _ = browser.ask("POST", "/settings/user", {"name": "made-by-form", "role": "operator"})
    assert status == 200
    assert "once=" in text
    status, text, _ = browser.ask("POST", "/settings/token", {"name": "t1", "scope": "read", "expires": "1d"})
    assert "gp_" in text
