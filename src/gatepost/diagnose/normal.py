"""Bring the words of a mail system into one form, so that rules see what is said and not how it was typed.

Rule: what changes from message to message (addresses, IP addresses, long numbers) is replaced by a sign, so that equal
failures have equal texts and a cache of judgements stays small and exact.
"""

import re
import unicodedata

HEAD, TAIL = 3000, 1000  # characters that are looked at: a cause stands at the beginning or at the end
ADDRESS, NUMBER = "@", "0"
IP = "#"
HOST = "%"  # a name beside an address: whatever it is called, it says nothing

_QUOTES = str.maketrans(
    {"’": "'", "‘": "'", "´": "'", "`": "'", "“": '"', "”": '"', "_": " ", "\u00ad": None}
)
# three digits and perhaps an enhanced code at the beginning of a line or of a line that was joined (RFC 5321 4.2.1)
_CODE = re.compile(
    r"(?:(?<=\s)|^)#?[245]\d\d[- ](?:#?[245]\.\d{1,3}\.\d{1,3}:? ?)?|^#?[245]\.\d{1,3}\.\d{1,3}:? "
)
_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:]{1,80}@[^\s<>()\[\]\"',;:]{1,200}")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d)")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4}){1,7}(?![\w:])|(?<![\w:])::ffff:#")
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,9}\.? ?\[#\]")
_NUMBER = re.compile(r"\d{6,}")
_BLANKS = re.compile(r"\s+")


def cut(text: str, head: int = HEAD, tail: int = TAIL) -> str:
    """Return the beginning and the end of a text that is too long to be read whole."""
    return text if len(text) <= head + tail else f"{text[:head]} {text[-tail:]}"


def fold(text: str) -> str:
    """Return a text in small letters without accents, with plain quotation marks; blanks for underscores."""
    text = text.translate(_QUOTES).lower()
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn").translate(_QUOTES)


def normal(text: str) -> str:
    """Return a text in the form that rules are written for: folded, codes and volatile parts taken out, one line."""
    text = fold(cut(text))
    if "@" in text:
        text = _ADDRESS.sub(ADDRESS, text)
    text = _IPV4.sub(IP, text)
    if "::" in text or text.count(":") > 3:
        text = _IPV6.sub(IP, text)
    if "[#]" in text:
        text = _HOST.sub(HOST + "[#]", text)
    text = _CODE.sub(" ", text)
    text = _NUMBER.sub(NUMBER, text)
    return _BLANKS.sub(" ", text).strip(" .;!,")
