"""Explain anything: paste or drop an error, a bounce or a log, and see what the gateway makes of it."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from gatepost.admin.answers.explain import ExplainedJson
from gatepost.admin.api.app import Use
from gatepost.admin.errors import AdminError
from gatepost.admin.explain import ALL_KINDS, MAX_OCTETS
from gatepost.admin.pages.door import Looking
from gatepost.admin.pages.render import language_of, page, say_of

router = APIRouter(include_in_schema=False)
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)))
SHOWN = 100_000  # characters of a pasted text that stand in the form again


@router.get("/explain")
async def form(request: Request, visitor: Looking) -> Response:
    """Show the form."""
    return page(request, "explain.html", visitor, **_shown(None, "", "", "", ""))


@router.post("/explain")
async def explain(request: Request, service: Use, visitor: Looking) -> Response:
    """Explain what was pasted or dropped; nothing of it is kept unless a name to keep it under was given."""
    async with request.form() as given:
        text, kind, keep_as = (str(given.get(name) or "") for name in ("text", "kind", "keep_as"))
        file = given.get("file")
        data = b"" if file is None or isinstance(file, str) else await file.read(MAX_OCTETS + 1)
    octets = data or text.encode("utf-8", "replace")
    try:
        found = await service.explain.explain(
            octets, kind, language_of(request), visitor.caller, keep_as=keep_as.strip()
        )
    except AdminError as problem:
        shown = _shown(None, problem.text(say_of(request)), text, kind, keep_as)
        return page(request, "explain.html", visitor, status=problem.status, **shown)
    return page(request, "explain.html", visitor, **_shown(found, "", text, kind, keep_as))


def _shown(found: ExplainedJson | None, error: str, text: str, kind: str, keep_as: str) -> dict[str, Any]:
    return {
        "found": found,
        "error": error,
        "text": text[:SHOWN].translate(_CONTROLS),
        "kind": kind,
        "keep_as": keep_as,
        "kinds": ALL_KINDS,
    }
