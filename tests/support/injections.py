"""Strings that want to be more than text, and readers that tell whether one has become it.

Each carries `zqx` and its number; whatever shows one has shown text where the mark is in text alone.
"""

import csv
import email
import email.policy
import io
import json
import re
from html.parser import HTMLParser

MARK = "zqx"
_SHAPES = (
    # markup
    "<script>{m}</script>", "<{m}>", "<img src={m} onerror={m}>", "\"><script>{m}</script>", "'><b id={m}>",
    "<svg onload={m}>", "<iframe src=javascript:{m}>", "<a href=javascript:{m}>x</a>", "<style>{m}</style>",
    "<math><mi xlink:href=javascript:{m}>", "<body onload={m}>", "<input autofocus onfocus={m}>", "<!--{m}-->",
    "-->{m}<{m}>", "</td><td>{m}", "</title><{m}>", "</textarea><{m}>", "</script><{m}>", "<![CDATA[<{m}>]]>",
    "<meta http-equiv=refresh content=0;url={m}>", "<base href=//{m}/>", "<link rel=stylesheet href=//{m}/>",
    "<form action=//{m}><button>", "<{m}/onclick=1>", "<x hx-get=/{m} hx-trigger=load>", "<scr<script>ipt>{m}",
    # quotes and attributes
    "\" onmouseover={m} x=\"", "' onmouseover={m} x='", "` onmouseover={m}", "x\" style=\"{m}", "\" autofocus {m}=\"",
    "\" hx-get=\"/{m}", "&quot; {m}=&quot;", "&lt;{m}&gt;", "&#60;{m}&#62;", "\\\"{m}=\\\"", "\\u003c{m}\\u003e",
    # templates, formats and addresses
    "{{{{ {m} }}}}", "{{% {m} %}}", "${{{m}}}", "#{{{m}}}", "%({m})s", "%s%n{m}", "{{0.__class__}}{m}", "{{{m}}}",
    "javascript:{m}", "data:text/html,<{m}>", "//{m}.example/", "/\\{m}.example", "[{m}](javascript:{m})",
    # terminals
    "\x1b[31m{m}\x1b[0m", "\x1b]0;{m}\x07", "\x1b[2J{m}", "\x9b31m{m}", "\x08\x08\x08{m}", "\x1bP{m}\x1b\\", "\x7f{m}",
    # spreadsheets
    "=cmd|'/C {m}'!A0", "=HYPERLINK(\"//{m}\")", "+{m}", "-{m}", "@{m}", "\t={m}",
    # characters that turn or hide
    "\u202e{m}\u202c", "\u2066{m}", "\u200b{m}", "\ufeff{m}", "\uff1c{m}\uff1e", "\u2028{m}", "\x00{m}", "\xc2{m}\xff",
    # long ones
    "{m}" + "A" * 400, "<{m}" + "<" * 300,
)  # fmt: skip
CORPUS = tuple(shape.format(m=f"{MARK}{number}") for number, shape in enumerate(_SHAPES))
# what may stand in a line of the protocol that the sender wrote: no NUL, no line end
WIRE = tuple(text.replace("\x00", "") for text in CORPUS)
_ADDRESSES = frozenset(
    {"href", "src", "action", "formaction", "hx-get", "hx-post", "data-live", "data-echarts"}
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]")


class _Page(HTMLParser):
    def __init__(self, *, mail: bool = False) -> None:
        super().__init__(convert_charrefs=True)
        self._styled = mail  # a mail has its style with it; a page has none of its own
        self.wrong: list[str] = []
        self.text: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag if tag in ("script", "style") else ""
        if MARK in tag or tag in ("iframe", "base", "object", "embed"):
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            text = value or ""
            own = name.startswith(("on", "srcdoc")) or MARK in name or (name == "style" and not self._styled)
            own = own or (MARK in text and name.startswith(("hx-", "id", "style", "http-equiv", "xlink")))
            elsewhere = name in _ADDRESSES and not text.startswith(("/", "#")) and text != ""
            elsewhere = elsewhere or (name in _ADDRESSES and text.startswith(("//", "/\\")))
            if (own or elsewhere) and not (tag == "img" and text.startswith("data:image/")):
                self.wrong.append(f"<{tag} {name}={text[:60]!r}>")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        if MARK in tag:
            self.wrong.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        if MARK in data:
            self.wrong.append(f"comment {data[:60]}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._inside and data.strip():
            self.wrong.append(f"text in <{self._inside}>: {data[:60]!r}")


def wrong_in_page(html: str, *, mail: bool = False) -> list[str]:
    """Return what a page has of the strings that is not text."""
    page = _Page(mail=mail)
    page.feed(html)
    page.close()
    controls = _CONTROLS.findall(html)
    return page.wrong + ([f"control characters {sorted(set(controls))}"] if controls else [])


def seen_in_page(html: str) -> set[str]:
    """Return the marks that a page shows as text."""
    page = _Page()
    page.feed(html)
    return set(re.findall(rf"{MARK}\d+", " ".join(page.text)))


def wrong_in_terminal(output: str) -> list[str]:
    """Return what would steer a terminal."""
    return sorted(set(_CONTROLS.findall(output.replace("\r\n", "\n"))))


def wrong_in_json(text: str) -> list[str]:
    """Return what is wrong with JSON, as programs and terminals meet it."""
    json.loads(text)
    return sorted(set(_CONTROLS.findall(text)))


def wrong_in_csv(text: str) -> list[str]:
    """Return the cells that a spreadsheet would take for a formula."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    width = len(rows[0])
    return [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] + [
        str(row) for row in rows if len(row) != width
    ]


def wrong_in_mail(raw: str, parts: set[str]) -> list[str]:
    """Return what a mail has of the strings that is not text; `parts` are the content types that it may have."""
    message = email.message_from_string(raw, policy=email.policy.compat32)
    wrong = []
    for part in message.walk():
        if part.get_content_type() not in parts:
            wrong.append(f"a part of type {part.get_content_type()}")
        if part.get_content_type() == "text/rfc822-headers":
            continue
        wrong += [f"header {name}" for name in part if MARK in name]
        if part.get_content_type() in ("text/html", "text/plain"):
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            text = payload.decode("utf-8", "replace")
            found = (
                wrong_in_page(text, mail=True)
                if part.get_content_subtype() == "html"
                else wrong_in_terminal(text)
            )
            wrong += [f"{part.get_content_type()}: {what}" for what in found]
    return wrong
