"""Secrets that must be kept and sent again (passwords of connectors): encrypted, the key outside the store.

Rule: the key file is made once, readable by its owner alone; a store without it gives no password away.
"""

import os
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

KEY_FILE = "secret.key"


class SecretUnreadable(Exception):
    """A secret cannot be read: the key is another one, or is gone; the words say what to do."""


class SecretBox:
    """Encrypt and decrypt with one key."""

    def __init__(self, key: bytes) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError:
            raise SecretUnreadable(f"{KEY_FILE} holds no key; restore it from a backup") from None

    def encrypt(self, secret: str) -> str:
        """Return a secret in the form that may be stored; nothing stays nothing."""
        return self._fernet.encrypt(secret.encode()).decode() if secret else ""

    def decrypt(self, stored: str) -> str:
        """Return the secret of a stored form; raise `SecretUnreadable`."""
        if not stored:
            return ""
        try:
            return self._fernet.decrypt(stored.encode()).decode()
        except InvalidToken:
            raise SecretUnreadable(
                f"a stored password has another key; restore {KEY_FILE}, or set the password again"
            ) from None


def open_box(data_dir: Path) -> SecretBox:
    """Return the box with the key of a data folder; the key is made where there is none."""
    path = data_dir / KEY_FILE
    try:
        return SecretBox(path.read_bytes().strip())
    except FileNotFoundError:
        return SecretBox(_make(path))
    except OSError as problem:
        raise SecretUnreadable(f"{path} cannot be read: {problem.strerror}") from None


def _make(path: Path) -> bytes:
    """Write a new key whole or not at all; return the one in force, since another process may be first."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path.read_bytes().strip()
