"""The OpenAPI document: every call with the scope that it needs, every answer, and every no as a problem.

Rule: what can happen to every call alike is said here, once; what only one call answers is said at its route.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field
from starlette.routing import compile_path

from gatepost.admin.answers.system import SCOPES
from gatepost.admin.api.described import describe, described
from gatepost.admin.api.glossary import explain

PREFIX = "/api/v1"
PROBLEM = "application/problem+json"
COOKIE = "gatepost_session"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
Operation = dict[str, Any]


class Body(BaseModel):
    """What a request carries: nothing that is not named, and no number where a yes or no belongs."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Detail(BaseModel):
    """One thing that is wrong with what was sent."""

    model_config = ConfigDict(extra="forbid")
    where: str = Field(description="The field, `connector to-office.port`.")
    message: str
    hint: str = Field(description="How to put it right; empty where it is obvious.")


class Problem(BaseModel):
    """Why a request was not answered (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")
    type: str = Field(pattern="^urn:gatepost:problem:[a-z-]+$", description="What programs compare.")
    title: str = Field(description="The kind of problem, in the caller's language.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="One sentence with what to do, in the caller's language.")
    problems: list[Detail] = Field(
        default_factory=list, description="All that is wrong with what was sent, where that is known."
    )


SENTENCES = {
    400: "The body is not text in UTF-8.",
    401: "Nobody knows who is asking: the token or the session is missing, unknown, over or revoked.",
    403: "Who is asking may not do this, or the request lacks the session's own word, or it comes from elsewhere.",
    404: "What was named does not exist.",
    409: "The state does not allow it, or somebody else was faster.",
    413: "The request is larger than 16 MB, or does not say how large it is.",
    422: "What was sent cannot be used; `problems` says all of it.",
    429: "Too many wrong guesses: `Retry-After` says how many seconds to wait.",
    500: "A mistake of the gateway; its log has the details.",
    503: "The gateway or its store cannot answer now.",
}


def media(*types: str, description: str = "As asked.") -> dict[int | str, dict[str, Any]]:
    """Return `responses` of a route whose answer is not only JSON."""
    return {
        200: {"description": description, "content": {kind: {"schema": {"type": "string"}} for kind in types}}
    }


def document(app: FastAPI, monitoring: APIRouter, routers: Sequence[APIRouter]) -> None:
    """Make `app.openapi()` return the whole document; it takes half a second to make, once it is asked for."""
    parts = [("", monitoring), *((PREFIX, router) for router in routers)]
    app.state.calls = _calls(parts)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, parts)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def allowed(app: FastAPI, path: str) -> str:
    """Return the methods of a path, for `Allow` (RFC 9110 section 15.5.6)."""
    calls: Mapping[str, set[str]] = app.state.calls
    fitting = [path] if path in calls else [known for known in calls if compile_path(known)[0].match(path)]
    return ", ".join(sorted(method for known in fitting for method in calls[known]))


def _calls(routers: Iterable[tuple[str, APIRouter]]) -> dict[str, set[str]]:
    """Return the methods of every path."""
    found: dict[str, set[str]] = {}
    for prefix, router in routers:
        for route in described(router.routes):
            found.setdefault(prefix + route.path, set()).update(route.methods or ())
    return found


def _document(app: FastAPI, parts: Sequence[tuple[str, APIRouter]]) -> dict[str, Any]:
    made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    operations = {
        (path, method.upper()): operation
        for path, methods in made["paths"].items()
        for method, operation in methods.items()
    }
    schemas |= describe(operations, parts)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    schemas |= problem.pop("$defs")
    schemas["Problem"] = problem
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    made["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "`gatepost token create`"},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": "Of who is signed in to the admin centre; a change needs `X-CSRF-Token` too.",
        },
    }
    scopes = dict(_scopes(parts))
    for (path, method), operation in operations.items():
        _complete(operation, path, method, scopes.get((path, method)))
    explain(made)
    return made


def _scopes(parts: Iterable[tuple[str, APIRouter]]) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the scope that each call needs, as its parameters say it."""
    names = {"reader": "read", "operator": "operate", "administrator": "admin"}
    for prefix, router in parts:
        for route in described(router.routes):
            calls = [getattr(d.call, "__name__", "") for d in route.dependant.dependencies]
            for scope in [names[name] for name in calls if name in names]:
                yield from (((prefix + route.path, method), scope) for method in route.methods or ())


def _complete(operation: Operation, path: str, method: str, scope: str | None) -> None:
    """Put the summary, the scope and every no into an operation."""
    description = operation.get("description", "")
    operation["summary"] = description.partition("\n")[0].rstrip(".")
    answers = operation["responses"]
    answers.pop("422", None)
    for status in sorted(_statuses(operation, path, method, scope)):
        content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        known = answers.setdefault(str(status), {"description": SENTENCES[status]})
        known.setdefault("content", {}).update(content)
    operation["responses"] = dict(sorted(answers.items()))
    operation["security"] = [{"token": []}, {"session": []}]
    if scope is not None:
        operation["x-required-scope"] = scope
        has = ", ".join(f"`{name}`" for name in SCOPES[SCOPES.index(scope) :])
        operation["description"] = f"{description}\n\nNeeds a token of scope {has}."
    else:  # monitoring, open to this machine
        operation["security"].append({})


def _statuses(operation: Operation, path: str, method: str, scope: str | None) -> set[int]:
    """Return the problems that a call can meet."""
    given = bool(operation.get("parameters") or operation.get("requestBody"))
    changes = method not in SAFE
    may = {401, 413, 500, 503}
    may |= {400} if operation.get("requestBody") else set()
    may |= {403} if changes or scope not in (None, "read") else set()
    may |= {404, 422} if given or changes else set()
    may |= {409} if changes or path.endswith("/content") else set()
    return may
