"""Ways into the admin centre: second factor, recovery codes, one's own organisation, TLS."""

import http.client
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tests.support.browser import Browser, signed_in
from tests.support.certificates import Authority
from tests.support.gateway import GatewayProcess
from tests.support.peers import answers, free_port, wait_until

from gatepost.admin import totp

PASSWORD = "correct horse battery"
PROVIDER = """
[admin.oidc]
issuer = "http://127.0.0.1:{port}"
client_id = "gatepost"
client_secret = "secret"
roles = {{ "mail-team" = "operator" }}
"""
ANN = '{"sub": "ann", "email": "ann@contoso.example", "groups": ["mail-team"]}'
EVE = '{"sub": "eve", "email": "eve@contoso.example", "groups": ["sales"]}'


@pytest.fixture(scope="module")
def provider() -> Iterator[int]:
    """An OpenID Connect provider of its own, on loopback."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--user-claims", ANN, "--user-claims", EVE],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(
            lambda: http_status(port, "/.well-known/openid-configuration") == 200, 30, what="the provider"
        )
        yield port
    finally:
        process.kill()
        process.wait(10)


def http_status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, provider: int) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("ways-in"), more=PROVIDER.format(port=provider))
    with process:
        yield process


def post(browser: Browser, path: str, form: dict[str, str]) -> tuple[int, str]:
    """Send a form; the tests share an address, so who has to wait does, and tries again."""

    def answered() -> tuple[int, str] | None:
        status, text, _ = browser.ask("POST", path, form)
        return None if status == 429 else (status, text)

    found = wait_until(answered, 60, 0.5, f"the end of the wait at {path}")
    assert found is not None
    return found


def code_now(secret: str, later: int = 0) -> str:
    return totp.code_at(secret, int(time.time()) // totp.PERIOD + later)


def with_second_factor(gateway: GatewayProcess, name: str) -> tuple[str, list[str]]:
    """Make a user with password and second factor; return the secret and the recovery codes."""
    gateway.run("user", "create", name, "--role", "operator", "--password-file", "-", text=PASSWORD + "\n")
    browser = Browser(gateway.admin_port)
    assert post(browser, "/sign-in", {"name": name, "password": PASSWORD})[0] == 303
    browser.get("/account")
    _, text, _ = browser.ask("POST", "/account/second-factor", {})
    found = re.search(r'<code id="secret">([A-Z2-7]{32})</code>', text)
    assert found is not None
    assert 'src="data:image/svg+xml' in text
    assert post(browser, "/account/confirm", {"code": "000000"})[0] == 422
    status, text = post(browser, "/account/confirm", {"code": code_now(found[1])})
    assert status == 200
    codes = re.findall(r"<code>([a-z2-9]{5}-[a-z2-9]{5})</code>", text)
    assert len(codes) == totp.RECOVERY_CODES
    return found[1], codes


def ticket_of(text: str) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', text)
    assert found is not None, text[:500]
    return found[1]


def test_who_has_a_second_factor_needs_a_code_that_works_once(gateway: GatewayProcess) -> None:
    secret, _ = with_second_factor(gateway, "two-steps")
    browser = Browser(gateway.admin_port)
    status, text = post(browser, "/sign-in", {"name": "two-steps", "password": PASSWORD})
    assert status == 401
    assert browser.ask("GET", "/")[0] == 303
    ticket = ticket_of(text)
    assert post(browser, "/sign-in", {"ticket": ticket, "code": "123"})[0] == 401
    code = code_now(secret, 1)
    assert post(browser, "/sign-in", {"ticket": ticket, "code": code})[0] == 303
    assert browser.get("/account")
    again = Browser(gateway.admin_port)
    text = post(again, "/sign-in", {"name": "two-steps", "password": PASSWORD})[1]
    status, text = post(again, "/sign-in", {"ticket": ticket_of(text), "code": code})
    assert status == 401
    assert "used already" in text
    assert post(again, "/sign-in", {"ticket": ticket, "code": code})[0] == 401


def test_a_recovery_code_works_once_and_an_administrator_takes_a_lost_factor_away(
    gateway: GatewayProcess,
) -> None:
    _, codes = with_second_factor(gateway, "lost-phone")
    for code, expected in ((codes[3].upper().replace("-", " "), 303), (codes[3], 401)):
        browser = Browser(gateway.admin_port)
        text = post(browser, "/sign-in", {"name": "lost-phone", "password": PASSWORD})[1]
        status, _ = post(browser, "/sign-in", {"ticket": ticket_of(text), "code": code})
        assert status == expected
    link = gateway.json("user", "link", "lost-phone")["url"].partition("once=")[2]
    assert Browser(gateway.admin_port).ask("POST", "/sign-in", {"once": link})[0] == 401
    assert gateway.json("user", "reset-second-factor", "lost-phone", "--dry-run")["dry_run"] is True
    assert gateway.run("user", "reset-second-factor", "lost-phone").returncode == 0
    assert gateway.run("user", "reset-second-factor", "lost-phone").returncode == 1
    plain = Browser(gateway.admin_port)
    assert post(plain, "/sign-in", {"name": "lost-phone", "password": PASSWORD})[0] == 303


def test_neither_secret_nor_hash_is_in_any_answer_or_in_the_store_as_it_is(gateway: GatewayProcess) -> None:
    secret, codes = with_second_factor(gateway, "quiet")
    shown = gateway.run("user", "list", "--json").stdout + str(gateway.ask("objects/history?limit=50"))
    assert '"second_factor": true' in shown
    for word in (secret, "$argon2", "totp", "recovery"):
        assert word not in shown
    kept = b"".join(file.read_bytes() for file in gateway.data_dir.glob("gatepost.db*"))
    assert secret.encode() not in kept
    assert codes[0].encode() not in kept
    assert b"$argon2id$" in kept


def test_ones_own_password_is_changed_with_the_old_one_and_signs_out_everywhere(
    gateway: GatewayProcess,
) -> None:
    gateway.run("user", "create", "changes", "--password-file", "-", text=PASSWORD + "\n")
    browser = Browser(gateway.admin_port)

    def sign_in(password: str) -> int:
        return post(browser, "/sign-in", {"name": "changes", "password": password})[0]

    assert sign_in(PASSWORD) == 303
    browser.get("/account")
    new = {"password": "staple battery", "again": "staple battery"}
    assert post(browser, "/account/password", {"old": "wrong password", **new})[0] == 422
    assert post(browser, "/account/password", {"old": PASSWORD, **new, "again": "x"})[0] == 422
    assert post(browser, "/account/password", {"old": PASSWORD, **new})[0] == 303
    assert browser.ask("GET", "/account")[0] == 303
    assert sign_in(PASSWORD) == 401
    assert sign_in("staple battery") == 303


def by_provider(gateway: GatewayProcess, who: str) -> tuple[Browser, str]:
    """Go to the provider and say yes there; return the browser and the way back."""
    browser = Browser(gateway.admin_port)
    status, _, headers = browser.ask("GET", "/sign-in/provider?next=/queues")
    assert status == 303
    parts = urlsplit(headers["location"])
    assert parse_qs(parts.query)["code_challenge_method"] == ["S256"]
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", f"{parts.path}?{parts.query}", urlencode({"sub": who}), form)
    answer = connection.getresponse()
    assert answer.status == 302, answer.read()
    connection.close()
    back = urlsplit(answer.headers["location"])
    return browser, f"{back.path}?{back.query}"


def test_the_provider_of_an_organisation_says_who_and_our_settings_what_they_may(
    gateway: GatewayProcess,
) -> None:
    browser, back = by_provider(gateway, "ann")
    status, _, headers = browser.ask("GET", back)
    assert (status, headers["location"]) == (303, "/queues")
    browser.get("/queues")
    (session,) = [s for s in gateway.json("user", "sessions") if s["user"] == "ann@contoso.example"]
    assert session["role"] == "operator"
    assert browser.ask("POST", "/settings/token", {"name": "x"})[0] == 403
    assert Browser(gateway.admin_port).ask("GET", back)[0] == 401
    browser, back = by_provider(gateway, "eve")
    status, text, _ = browser.ask("GET", back)
    assert status == 401
    assert "no role" in text


def test_a_sign_in_of_another_browser_or_of_made_up_words_is_refused(gateway: GatewayProcess) -> None:
    """No code, state or cookie of somebody else signs anybody in."""
    _, back = by_provider(gateway, "ann")
    other = Browser(gateway.admin_port)
    other.ask("GET", "/sign-in/provider")
    assert other.ask("GET", back)[0] == 401
    mine, back = by_provider(gateway, "ann")
    assert mine.ask("GET", re.sub(r"code=[^&]+", "code=wrong", back))[0] in (401, 503)
    assert mine.ask("GET", back)[0] == 401
    assert mine.ask("GET", "/queues")[0] == 303


def test_beyond_this_machine_the_admin_centre_speaks_tls(tmp_path: Path) -> None:
    """It refuses to start without, with a sentence that says what to do; with it, cookies are for TLS alone."""
    certificate, key = Authority("our own CA").issue("127.0.0.1").write(tmp_path)
    gateway = GatewayProcess(tmp_path / "gateway")
    plain = gateway.config.read_text()
    gateway.config.write_text(
        plain.replace(f'"127.0.0.1:{gateway.admin_port}"', f'"0.0.0.0:{gateway.admin_port}"')
    )
    refused = gateway.run("serve")
    assert refused.returncode == 2
    assert "admin.tls_certificate" in refused.stderr
    named = f'[admin]\ntls_certificate = "{certificate}"\ntls_key = "{key}"'
    gateway.config.write_text(plain.replace("[admin]", named))
    with gateway:
        link = gateway.json("user", "setup")["url"]
        assert link.startswith("https://")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", gateway.admin_port, timeout=20, context=context)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/sign-in", urlencode({"once": link.partition("once=")[2]}), form)
        answer = connection.getresponse()
        connection.close()
        assert answer.status == 303
        assert "Secure" in answer.headers["set-cookie"]
        assert "HttpOnly" in answer.headers["set-cookie"]
        assert "SameSite=lax" in answer.headers["set-cookie"]
        assert not answers(gateway.admin_port)


def test_an_open_session_is_ended_by_its_owner_and_by_nobody_elses_form(gateway: GatewayProcess) -> None:
    mine, other = signed_in(gateway, "viewer"), signed_in(gateway, "viewer")
    sessions = gateway.json("user", "sessions")
    mine.get("/account")
    page = other.get("/account")
    (own,) = re.findall(r'name="id" value="([0-9a-f]{12})"', page)
    assert own in {s["id"] for s in sessions}
    mine.ask("POST", "/account/sign-out", {"id": own})
    other.get("/account")
    assert other.ask("POST", "/account/sign-out", {"id": own})[0] == 303
    assert other.ask("GET", "/account")[0] == 303


def test_codes_that_are_guessed_make_their_user_wait(gateway: GatewayProcess) -> None:
    with_second_factor(gateway, "guessed-codes")
    browser = Browser(gateway.admin_port)
    text = post(browser, "/sign-in", {"name": "guessed-codes", "password": PASSWORD})[1]
    ticket = ticket_of(text)
    statuses = {browser.ask("POST", "/sign-in", {"ticket": ticket, "code": "000000"})[0] for _ in range(8)}
    assert statuses == {401, 429}
