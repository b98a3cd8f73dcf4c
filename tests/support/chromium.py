"""Headless Chromium (Debian's) that remembers every console error and every violation of the content policy.

with chromium() as browser:
    visitor = browser.visit(gateway)
    visitor.sign_in(gateway)
    ...
    assert visitor.troubles == []
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright
from tests.support.gateway import GatewayProcess
from tests.support.peers import free_port

# Told by the page itself: not every violation is written to the console.
VIOLATIONS = """
addEventListener("securitypolicyviolation", (e) =>
  console.error(`CSP ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`));
"""
PATIENCE = 30_000  # ms; a condition that a crowded machine meets late is met all the same


class Visitor:
    """One person's browser window at one gateway."""

    def __init__(self, context: BrowserContext, gateway: GatewayProcess) -> None:
        self.base = f"http://127.0.0.1:{gateway.admin_port}"
        self.context = context
        self.troubles: list[str] = []
        context.set_default_timeout(PATIENCE)
        context.add_init_script(VIOLATIONS)
        self.page: Page = context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.troubles.append(f"error {error}"))
        self.page.on("requestfailed", self._failed)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"{message.type} at {self.page.url}: {message.text}")

    def _failed(self, request: Request) -> None:
        # leaving a page ends its stream of events and what it was still asking for
        if request.failure != "net::ERR_ABORTED":
            self.troubles.append(f"{request.url}: {request.failure}")

    def open(self, path: str) -> Page:
        """Open a page of the gateway and return it."""
        answer = self.page.goto(self.base + path, wait_until="load")
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"
        return self.page

    def click(self, selector: str) -> None:
        """Click the first thing that a selector means, once it can be clicked."""
        self.page.locator(selector).first.click()

    def wait_for(self, selector: str, seconds: float = PATIENCE / 1000) -> None:
        """Wait until a selector means something that can be seen."""
        self.page.locator(selector).first.wait_for(state="visible", timeout=seconds * 1000)

    def sign_in(self, gateway: GatewayProcess, role: str = "administrator") -> str:
        """Sign in by a one-time link, as a user of a role; return the user's name."""
        name = f"{role}-{free_port()}"
        link = gateway.json("user", "create", name, "--role", role)["link"]
        self.page.goto(link)
        self.click("form[action='/sign-in'] button")
        self.page.wait_for_url(self.base + "/")
        return name


class Chromium:
    """A running browser; `visit` opens a window that shares nothing with the others."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def visit(
        self, gateway: GatewayProcess, language: str = "en", theme: str = "light", width: int = 1280
    ) -> Visitor:
        """Open a window of a language, a theme and a width."""
        context = self._browser.new_context(
            locale=language,
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": width, "height": 900},
        )
        return Visitor(context, gateway)


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Run the browser of the system; none is ever downloaded."""
    path = shutil.which("chromium")
    assert path is not None, "chromium is not installed: scripts/test installs it where it may"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield Chromium(browser)
        finally:
            browser.close()
