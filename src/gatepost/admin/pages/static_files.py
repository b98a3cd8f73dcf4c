"""Static files: kept in memory, compressed once, cached by browsers for as long as they do not change."""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
YEAR = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


class File(NamedTuple):
    """One file as it is sent."""

    plain: bytes
    packed: bytes
    kind: str
    tag: str


@cache
def load(name: str) -> File | None:
    """Return a file of the package; None where there is none of that name."""
    path = FOLDER / name
    if path.suffix not in TYPES or not path.is_file() or FOLDER not in path.resolve().parents:
        return None
    plain = path.read_bytes()
    tag = hashlib.sha256(plain).hexdigest()[:12]
    return File(plain, gzip.compress(plain, 9, mtime=0), f"{TYPES[path.suffix]}; charset=utf-8", tag)


def fingerprint(name: str) -> str:
    """Return what changes when a file does."""
    found = load(name)
    return found.tag if found is not None else "none"


@router.get("/static/{name:path}")
async def static(request: Request, name: str) -> Response:
    """Return a static file."""
    found = load(name) if len(name) < 100 else None
    if found is None:
        return Response(status_code=404)
    headers = {"Cache-Control": YEAR, "Vary": "Accept-Encoding", "ETag": f'"{found.tag}"'}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.kind)
    return Response(found.plain, headers=headers, media_type=found.kind)
