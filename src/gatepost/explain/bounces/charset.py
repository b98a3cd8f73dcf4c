"""Bytes of a mail as text: transfer encodings, character sets, encoded words and HTML, each within limits.

Rule: nothing here raises on any input, and every step is linear in what it reads.
"""

import binascii
import html
import re

MAX_TEXT = 256 * 1024  # octets of one part, or characters of HTML, that are looked at

# what mail declares, and the codec that reads it; nothing else is looked up, since some codecs are traps
_CODECS = {
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "utf-7": "utf-7",
    "utf-16": "utf-16",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "x-gbk": "gb18030",
    "hz-gb-2312": "hz",
    "big5": "big5",
    "big5-hkscs": "big5hkscs",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-2022-jp-1": "iso2022_jp_1",
    "iso-2022-jp-ms": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "cp932": "cp932",
    "euc-jp": "euc_jp",
    "x-euc-jp": "euc_jp",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
    "iso-2022-kr": "iso2022_kr",
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
    "tis-620": "tis_620",
    "iso-8859-8-i": "iso8859_8",
    "cp1252": "cp1252",
}
for _number in range(1, 17):
    if _number != 12:  # never published
        _CODECS[f"iso-8859-{_number}"] = _CODECS[f"iso8859-{_number}"] = f"iso8859_{_number}"
for _number in range(1250, 1259):
    _CODECS[f"windows-{_number}"] = f"cp{_number}"

_WORD = re.compile(r"=\?([^?\s]{1,40})\?([bBqQ])\?([^?\s]{0,2000})\?=(?:\s+(?==\?))?")
_BREAKING = frozenset(
    (
        "br",
        "p",
        "div",
        "tr",
        "li",
        "ul",
        "ol",
        "table",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "hr",
        "pre",
        "blockquote",
    )
)
_SILENT = frozenset(("script", "style", "head", "title"))


def decode(raw: bytes, charset: str = "", encoding: str = "") -> str:
    """Return the text of a part; `encoding` is its Content-Transfer-Encoding (RFC 2045 section 6)."""
    return to_text(untransfer(raw[: 2 * MAX_TEXT], encoding)[:MAX_TEXT], charset)


def untransfer(raw: bytes, encoding: str) -> bytes:
    """Return the octets behind base64 or quoted-printable; what is broken is read as far as it goes."""
    name = encoding.strip().lower()
    if name == "quoted-printable":
        return binascii.a2b_qp(raw)
    if name == "base64":
        wanted = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
        return binascii.a2b_base64(wanted[: len(wanted) // 4 * 4] + _padded(wanted[len(wanted) // 4 * 4 :]))
    return raw


def _padded(rest: bytes) -> bytes:
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def to_text(raw: bytes, charset: str = "") -> str:
    """Return octets as text: as declared where that works, else UTF-8, else as it seems to be."""
    if b"\x1b$" in raw or b"\x1b(J" in raw:  # JIS escapes, declared or not
        return raw.decode("iso2022_jp_ext", "replace")
    codec = _CODECS.get(charset.strip().strip("\"'").lower(), "utf-8")
    for name in dict.fromkeys((codec, "utf-8")):
        try:
            return raw.decode(name)
        except (UnicodeError, ValueError):
            continue
    return raw.decode(codec if codec != "utf-8" else "cp1252", "replace")


def header_text(value: str) -> str:
    """Return a header's value with its encoded words read (RFC 2047), cut to 4,000 characters."""
    value = value[:4000]
    return _WORD.sub(_word, value) if "=?" in value else value


def _word(match: re.Match[str]) -> str:
    charset, kind, text = match.group(1), match.group(2).lower(), match.group(3)
    raw = text.encode("utf-8", "replace")
    octets = binascii.a2b_qp(raw, header=True) if kind == "q" else untransfer(raw, "base64")
    return to_text(octets, charset.partition("*")[0])


def html_text(source: str) -> str:
    """Return what a page of HTML says, one line per block; tags, scripts and styles are dropped."""
    source, out, at = source[:MAX_TEXT], [], 0
    while True:
        start = source.find("<", at)
        if start < 0:
            out.append(source[at:])
            break
        out.append(source[at:start])
        at = _after_tag(source, start, out)
    text = html.unescape("".join(out)).replace("\xa0", " ")
    return "\n".join(line.strip() for line in text.split("\n"))


def _after_tag(source: str, start: int, out: list[str]) -> int:
    """Return where to go on after the tag at `start`; adds the line break that it means."""
    if source.startswith("<!--", start):
        end = source.find("-->", start)
        return len(source) if end < 0 else end + 3
    end = source.find(">", start)
    if end < 0:
        out.append(source[start:])
        return len(source)
    name = source[start + 1 : start + 20].lstrip("/").split(">")[0].split(None, 1)
    tag = name[0].rstrip("/").lower() if name else ""
    if tag in _BREAKING:
        out.append("\n")
    elif tag in ("td", "th"):
        out.append(" ")
    elif tag in _SILENT and source[start + 1 : start + 2] != "/":
        return _after_element(source, end, tag)
    return end + 1


def _after_element(source: str, start: int, tag: str) -> int:
    for closing in (f"</{tag}", f"</{tag.upper()}"):
        end = source.find(closing, start)
        if end >= 0:
            return end
    return len(source)
