"""Documents: what is remembered beside mail and objects."""

from collections.abc import Callable, Iterable
from typing import Any

from gatepost.model.document import Document
from gatepost.storage.queries import Queries
from gatepost.storage.sqlite.rows import decode, encode

_LATEST = (1 << 63) - 1
_END = "\U0010ffff"
FORGET_SLICE = 2000


def save(execute: Callable[..., Any], sql: Queries, documents: Iterable[Document]) -> None:
    """Write documents, or forget those without data."""
    for document in documents:
        if document.data is None:
            execute(sql["delete_document"], (document.kind, document.key))
        else:
            row = (document.kind, document.key, document.at, encode(document.data))
            execute(sql["put_document"], row)


def one(execute: Callable[..., Any], sql: Queries, kind: str, key: str) -> Document | None:
    """Return a document."""
    found = execute(sql["document"], (kind, key)).fetchall()
    return _document(found[0]) if found else None


def some(
    execute: Callable[..., Any],
    sql: Queries,
    kind: str,
    prefix: str,
    since: int,
    before: tuple[int, str] | None,
    limit: int,
) -> list[Document]:
    """Return documents, newest first."""
    at, key = before or (_LATEST, _END)
    values = {"kind": kind, "since": since, "at": at, "key": key, "limit": limit}
    if not prefix:
        return [_document(row) for row in execute(sql["documents"], values).fetchall()]
    values |= {"prefix": prefix, "end": prefix + _END}
    return [_document(row) for row in execute(sql["documents_of"], values).fetchall()]


def _document(row: tuple[str, str, int, str]) -> Document:
    kind, key, at, data = row
    return Document(kind, key, at, decode(data) or {})
