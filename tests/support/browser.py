"""A browser without scripts: cookies, forms with the session's word, no redirect followed by itself."""

import http.client
import re
from urllib.parse import urlencode

from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port


class Browser:
    """Keeps cookies and the session's word; follows no redirect by itself."""

    def __init__(self, port: int, language: str = "en") -> None:
        self.port = port
        self.cookies: dict[str, str] = {}
        self.language = language
        self.csrf = ""

    def ask(
        self, method: str, path: str, form: dict[str, str] | None = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {
            "Accept": "text/html",
            "Accept-Language": self.language,
            "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()),
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        body = None
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode({"csrf": self.csrf, **form})
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        text = (
            answer.read().decode().replace("<wbr>", "")
        )  # where a line may break is no part of what it says
        connection.close()
        for value in answer.headers.get_all("set-cookie") or []:
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        found = re.search(r'<meta name="csrf" content="([^"]+)"', text)
        if found:
            self.csrf = found[1]
        return answer.status, text, {k.lower(): v for k, v in answer.headers.items()}

    def get(self, path: str) -> str:
        status, text, _ = self.ask("GET", path)
        assert status == 200, (path, status, text[:300])
        return text


def signed_in(gateway: GatewayProcess, role: str = "administrator", name: str = "") -> Browser:
    name = name or f"{role}-{free_port()}"
    made = gateway.json("user", "create", name, "--role", role)
    browser = Browser(gateway.admin_port)
    token = made["link"].partition("once=")[2]
    status, _, headers = browser.ask("POST", "/sign-in", {"once": token})
    assert (status, headers["location"]) == (303, "/")
    browser.get("/")
    return browser
