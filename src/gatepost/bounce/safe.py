"""Text of strangers made fit for headers, fields and parts: no line of theirs becomes a line of ours.

Rule: CR, LF and NUL never pass; what is not ASCII is encoded (RFC 2047) or, in an internationalized report,
kept as UTF-8 (RFC 6532); no line is longer than 998 octets (RFC 5322 section 2.1.1).
"""

import binascii
import re
from base64 import b64encode
from email.errors import MessageError
from email.header import decode_header

from gatepost.model.failure import clean

REPLY_LIMIT = 1024
_WORD_OCTETS = 42  # of UTF-8 in one encoded word: 42 * 4 / 3 + 12 <= 75 (RFC 2047 section 2)
_FOLD_AT = 76
_STRAY = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")


def one_line(text: str, limit: int = REPLY_LIMIT) -> str:
    """Return text as one line of harmless characters, cut to a length; lone surrogates become `?`."""
    short = text[: limit + 1].encode("utf-8", "replace").decode("utf-8")
    return clean(short, limit)


def encoded_words(text: str) -> list[str]:
    """Return RFC 2047 encoded words; no character is split between two of them."""
    words, piece = [], b""
    for character in text:
        octets = character.encode()
        if len(piece) + len(octets) > _WORD_OCTETS:
            words.append(piece)
            piece = b""
        piece += octets
    if piece:
        words.append(piece)
    return [f"=?utf-8?b?{b64encode(word).decode()}?=" for word in words]


def field(name: str, text: str, *, utf8: bool = False, limit: int = REPLY_LIMIT) -> str:
    """Return a header or status field, folded; `text` is a stranger's and may hold anything."""
    line = one_line(text, limit)
    if not utf8 and (not line.isascii() or "=?" in line):
        return f"{name}: " + "\r\n ".join(encoded_words(line)) + "\r\n"
    return fold(f"{name}: {line}")


def fold(line: str) -> str:
    """Return a field broken before spaces so that no line is long; a word without spaces is broken hard."""
    name, _, rest = line.partition(" ")
    lines = [name]
    for word in rest.split(" "):
        for piece in _pieces(word):
            # no break after the bare name, and no line that is only white space (RFC 5322 section 3.2.2)
            fits = len(lines[-1].encode()) + len(piece.encode()) < _FOLD_AT
            if fits or not piece or not lines[-1].strip() or len(lines) == 1 == len(lines[0].split()):
                lines[-1] += f" {piece}"
            else:
                lines.append(f" {piece}")
    return "\r\n".join(part.rstrip(" ") for part in lines) + "\r\n"


def _pieces(word: str) -> list[str]:
    size = 240  # characters: at most 960 octets of UTF-8
    return [word[i : i + size] for i in range(0, len(word), size)] or [""]


def subject_of(header: bytes, limit: int = 200) -> str:
    """Return the subject of a header block as readable text, for showing only."""
    return one_line(_decoded(raw_field(header, b"subject")), limit)


def message_id_of(header: bytes) -> str:
    """Return the Message-ID of a header block where it has the usual form, else ""."""
    value = raw_field(header, b"message-id").strip()
    return value if re.fullmatch(r"<[!-;=?-~]{1,240}>", value) else ""


def raw_field(header: bytes, name: bytes) -> str:
    """Return the unfolded value of the first field of a name; "" where there is none."""
    head = b"\r\n" + header[: 256 * 1024]
    start = head.lower().find(b"\r\n" + name + b":")
    if start < 0:
        return ""
    start += len(name) + 3
    end = start
    while True:
        end = head.find(b"\r\n", end)
        if end < 0:
            end = len(head)
            break
        if head[end + 2 : end + 3] not in (b" ", b"\t"):
            break
        end += 2
    value = head[start : min(end, start + 2048)].replace(b"\r\n", b"")
    return value.decode("utf-8", "replace").strip()


def _decoded(value: str) -> str:
    try:
        pieces = decode_header(value)
    except (MessageError, ValueError, binascii.Error):
        return value
    text = ""
    for piece, charset in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        try:
            text += piece.decode(charset or "utf-8", "replace")
        except (LookupError, ValueError):
            text += piece.decode("utf-8", "replace")
    return text


def unxtext(text: str) -> str:
    """Return decoded xtext (RFC 3461 section 4)."""
    raw = _XTEXT.sub(lambda m: chr(int(m[1], 16)), text)
    return one_line(raw, 500)


def address_type(address: str, *, utf8: bool) -> str:
    """Return an address with its type: `rfc822; ann@example.org`, `utf-8; ...` (RFC 6533 section 3)."""
    text = one_line(address, 400)
    if text.isascii():
        return f"rfc822; {text}"
    return f"utf-8; {text if utf8 else _escaped(text)}"


def _escaped(text: str) -> str:
    # utf-8-addr-xtext of RFC 6533 section 3
    return "".join(c if "!" <= c <= "~" and c not in "\\+=" else rf"\x{{{ord(c):02X}}}" for c in text)


def unstuff(wire: bytes) -> bytes:
    """Return a dot-stuffed body as it was written (RFC 5321 section 4.5.2)."""
    return (b"\r\n" + wire).replace(b"\r\n.", b"\r\n")[2:]


def is_clean(wire: bytes) -> bool:
    """Say whether content may be quoted whole: no NUL, no CR or LF alone (RFC 5321 section 2.3.8)."""
    return _STRAY.search(wire) is None


def clean_lines(content: bytes) -> bytes:
    """Return content with a blank for each NUL and each CR or LF that stands alone."""
    return _STRAY.sub(b" ", content)


def stuffed(data: bytes) -> bytes:
    """Return CRLF text dot-stuffed, without the final dot line: the wire form that the queue keeps."""
    return (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:]
