"""Pictures of every page of the admin centre, taken by Debian's chromium of a gateway whose mail is really stuck.

Without arguments all pages in English and Chinese, light and dark, wide and narrow, into .cache/screenshots; `--docs`
takes the few small ones of docs/pictures instead. It tells of every page that is wider than its window, and of what the
browser complained about.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from gatepost.demo.gateway import Gateway
from gatepost.demo.run import Postman, one_time_login
from gatepost.demo.story import stage

CHROMIUM = "/usr/bin/chromium"
FOLDER = Path(".cache/screenshots")
PICTURES = Path("docs/pictures")
SETTLE_SECONDS = 25.0
PAGES = (
    "/", "/map", "/insights", "/queues", "/messages", "/trace", "/connectors", "/connectors/new",
    "/connectors/to-old-exchange", "/sources", "/domains", "/domains/fabrikam.example", "/diagnostics", "/alerts",
    "/policies", "/policies/mail-stuck", "/channels", "/reports", "/reports?report=ndr", "/reports?report=connectors",
    "/reports?report=tls", "/reports?report=quota", "/certificates", "/validations",
    "/nodes", "/ndr", "/ndr?kind=delay&language=zh-CN",
    "/audit", "/knowledge", "/knowledge/connection_refused", "/settings", "/account",
)  # fmt: skip
KEPT = (
    ("overview", "/", "en", "light"), ("overview-zh-dark", "/", "zh-CN", "dark"), ("insight", "refused", "en", "light"),
    ("map", "/map", "en", "light"), ("queues", "/queues", "en", "dark"),
    ("connector", "/connectors/new", "zh-CN", "light"), ("telephone", "/", "en", "light"),
)  # fmt: skip
WIDTHS = (1440, 320)
SMALL, TELEPHONE = ViewportSize(width=1280, height=860), ViewportSize(width=390, height=844)


@contextmanager
def running(seconds: float) -> Iterator[tuple[Gateway, str]]:
    """Run a gateway whose mail gets stuck in every known way; yields it with a one-time login."""
    with (
        tempfile.TemporaryDirectory(prefix="gatepost-pictures-") as name,
        stage(Path(name)) as scene,
        Gateway(Path(name), scene.dns_port) as gateway,
    ):
        (Path(name) / "objects.toml").write_text(scene.objects)
        gateway.json("apply", str(Path(name) / "objects.toml"))
        postman = Postman(gateway, scene.parts)
        postman.start()
        time.sleep(seconds)
        try:
            yield gateway, one_time_login(gateway)
        finally:
            postman.stop()


def places(gateway: Gateway) -> list[str]:
    """Return every page, those of one insight and one message among them."""
    insights: list[dict[str, Any]] = gateway.json("insight", "list")
    refused = [row for row in insights if row["code"] == "4.4.316"] or insights
    message = gateway.json("message", "list")["messages"][0]["id"]
    return [*PAGES, *(f"/insights/{row['number']}" for row in refused[:1]), f"/messages/{message}"]


def look(page: Page, base: str, where: str, file: Path) -> list[str]:
    """Take a picture of a page; return what is wrong with it."""
    found: list[str] = []
    page.goto(base + where, wait_until="load")
    page.wait_for_timeout(700)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wide > 0:
        found.append(f"{file.name}: {wide} px wider than the window")
    page.screenshot(path=file, full_page=True)
    return found


def choose(page: Page, base: str, lang: str, theme: str) -> None:
    """Choose language and theme."""
    page.goto(f"{base}/language/{lang}")
    page.goto(f"{base}/theme/{theme}")


def file_name(where: str) -> str:
    """Return the name of a page's picture."""
    return where.strip("/").replace("/", "-").replace("?", "-").replace("=", "-") or "overview"


def take_all(browser: Browser, base: str, login: str, wanted: list[str]) -> list[str]:
    """Take every picture; return what is wrong."""
    found: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    page.on(
        "console", lambda m: found.append(f"console: {m.text}") if m.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.goto(login)
    page.click("button")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for lang in ("en", "zh-CN"):
            for theme in ("light", "dark"):
                choose(page, base, lang, theme)
                for where in wanted:
                    file = FOLDER / f"{file_name(where)}-{lang}-{theme}-{width}.png"
                    found += look(page, base, where, file)
    context.close()
    return found


def take_kept(browser: Browser, base: str, login: str, refused: str) -> None:
    """Take the pictures of the documentation: small."""
    page = browser.new_context(viewport=SMALL).new_page()
    page.goto(login)
    page.click("button")
    for name, where, lang, theme in KEPT:
        choose(page, base, lang, theme)
        page.set_viewport_size(TELEPHONE if name == "telephone" else SMALL)
        page.goto(base + (refused if where == "refused" else where))
        page.wait_for_timeout(1500)
        page.screenshot(path=PICTURES / f"{name}.jpg", type="jpeg", quality=72)


def main() -> int:
    """Take the pictures; 1 where a page has a fault that can be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", action="store_true", help="the pictures of docs/pictures")
    parser.add_argument(
        "--settle", type=float, default=SETTLE_SECONDS, help="seconds of mail before the pictures"
    )
    parser.add_argument("pages", nargs="*", help="only these pages (/queues)")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running(options.settle) as (gateway, login), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        everything, base = places(gateway), gateway.admin_url.rstrip("/")
        if options.docs:
            take_kept(browser, base, login, everything[-2])
            return 0
        found = take_all(browser, base, login, options.pages or everything)
        browser.close()
    print("\n".join(dict.fromkeys(found)) or f"Nothing to complain about; the pictures are in {FOLDER}.")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
