"""Our own mailboxes as Maildirs, one a recipient, written so that neither a crash nor a reader sees half.

Guarantee: when `deliver` returns, the message and its name are on the disk. The name is made from the message
and the recipient alone, so a delivery that is repeated after a crash replaces its file and makes no second
one - unless a mail program has taken the first one already.
Rule: no part of a path comes from an address unchanged.
"""

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from gatepost.model.ids import to_text
from gatepost.smtp.body import Unstuffer

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_+")
_LONGEST = 120  # octets of a name that is kept readable; file systems take 255


def deliver(
    root: Path,
    address: str,
    content: Iterable[bytes],
    sender: str,
    *,
    message_id: int,
    n: int,
) -> Path:
    """Write a message (wire form, without the final dot) into the recipient's Maildir; return its path.

    Blocks on the disk: to be called in a thread. Raises `OSError`.
    """
    folder = mailbox(root, address)
    _make(folder)
    name = f"{to_text(message_id)}.{n}.gatepost"
    temporary = folder / "tmp" / name
    final = folder / "new" / name
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(trace_headers(sender, address))
            for chunk in unstuffed(content):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync(final.parent)
    return final


def mailbox(root: Path, address: str) -> Path:
    """Return the Maildir of an address: `root/domain/local`, both made harmless."""
    local, _, domain = address.rpartition("@")
    return root / safe_name(domain) / safe_name(local)


def safe_name(text: str) -> str:
    """Return a file name for part of an address: distinct, never empty, hidden or a way out of the folder."""
    text = text.lower()
    made = []
    for index, character in enumerate(text):
        if character in _PLAIN or (character == "." and index):
            made.append(character)
        else:
            made.extend(f"%{octet:02x}" for octet in character.encode("utf-8", "surrogatepass"))
    name = "".join(made)
    if len(name) <= _LONGEST:
        return name or "%"
    return f"{name[:_LONGEST]}%%{_digest(text)}"


def trace_headers(sender: str, address: str) -> bytes:
    """Return what final delivery adds (RFC 5321 section 4.4), with LF as in the file."""
    for value in (sender, address):
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise ValueError("a control character in an envelope address")
    return f"Return-Path: <{sender}>\nDelivered-To: {address}\n".encode()


def unstuffed(content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield wire form as a file holds it: without dot-stuffing, lines ended by LF, the last one ended too."""
    unstuffer = Unstuffer()
    held = b""  # a CR whose LF may come with the next chunk
    last = b"\n"
    for chunk in content:
        piece = held + unstuffer.feed(chunk)
        held = b"\r" if piece.endswith(b"\r") else b""
        piece = piece[: len(piece) - len(held)].replace(b"\r\n", b"\n")
        if piece:
            last = piece[-1:]
            yield piece
    if held:
        yield held
    if held or last != b"\n":
        yield b"\n"


def _make(folder: Path) -> None:
    if (folder / "new").is_dir() and (folder / "tmp").is_dir():
        return
    # each by itself: with `parents` the folders above would get the mode of the umask
    for missing in (folder.parent, folder, folder / "cur", folder / "new", folder / "tmp"):
        missing.mkdir(mode=0o700, parents=missing == folder.parent, exist_ok=True)
    for made in (folder, folder.parent, folder.parent.parent):
        _sync(made)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
