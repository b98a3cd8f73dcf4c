"""Calls whose answers are described by the types of their functions; what is sent is not validated on the way.

Rule: the return type of a call is the shape of its JSON; a call that makes the response itself says what is in it:
`Annotated[Response, Answer(QueuedReport)]`.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic_core import to_json
from starlette.routing import BaseRoute

Schema = dict[str, Any]
JSON = "application/json"
LINES, EVENTS = "application/x-ndjson", "text/event-stream"
_MODE: Literal["serialization"] = "serialization"
REFERENCE = "#/components/schemas/{model}"


class Answer(NamedTuple):
    """What a response holds that a function makes itself: JSON of a shape, lines of it, or events.

    The shape of events has a field for each kind of event.
    """

    shape: Any
    kinds: tuple[str, ...] = (JSON,)
    statuses: tuple[int, ...] = (200,)


class PlainJson(JSONResponse):
    """JSON that is written as it is, without a look at its shape."""

    def render(self, content: Any) -> bytes:
        """Return the octets."""
        return to_json(content, inf_nan_mode="null")


class DescribedRoute(APIRoute):
    """A route that knows what it answers, and leaves the answer as its function made it."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        returns = get_type_hints(endpoint, include_extras=True).get("return")
        self.answer = _answer_of(returns)
        self_made = self.answer is None or get_origin(returns) is Annotated
        super().__init__(
            path, endpoint if self_made else _as_json(endpoint), **{**more, "response_model": None}
        )


def _answer_of(returns: Any) -> Answer | None:
    """Return what a function answers; None where it says only that it makes a response."""
    if get_origin(returns) is Annotated:
        found = [note for note in get_args(returns)[1:] if isinstance(note, Answer)]
        if found:
            return found[0]
    if isinstance(returns, type) and issubclass(returns, Response | str):
        return None
    return Answer(returns)


def _as_json(endpoint: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Response]]:
    @wraps(endpoint)
    async def answered(*args: Any, **given: Any) -> Response:
        return PlainJson(await endpoint(*args, **given))

    return answered


def describe(
    operations: Mapping[tuple[str, str], Schema], routers: Sequence[tuple[str, APIRouter]]
) -> Schema:
    """Put the shape of every answer into its operation, by path and method; return the schemas that they name."""
    answers = dict(_answers(routers))
    adapters = ((key, _MODE, TypeAdapter(answer.shape)) for key, answer in answers.items())
    shapes, named = TypeAdapter.json_schemas(adapters, ref_template=REFERENCE)
    for key, answer in answers.items():
        shape = shapes[key, _MODE]
        for status in answer.statuses:
            content = operations[key]["responses"][str(status)].setdefault("content", {})
            content |= {kind: _content(kind, shape) for kind in answer.kinds}
    found: Schema = named.get("$defs", {})
    return found


def _content(kind: str, shape: Schema) -> Schema:
    """Return the description of JSON of a shape, or of a text whose lines or events are JSON."""
    if kind == JSON:
        return {"schema": shape}
    name = "x-line-schema" if kind == LINES else "x-event-schema"
    return {"schema": {"type": "string", "contentMediaType": kind}, name: shape}


def _answers(routers: Sequence[tuple[str, APIRouter]]) -> Iterator[tuple[tuple[str, str], Answer]]:
    for prefix, router in routers:
        for route in described(router.routes):
            if route.answer is not None:
                yield from (((prefix + route.path, method), route.answer) for method in route.methods or ())


def described(routes: Sequence[BaseRoute]) -> Iterator[DescribedRoute]:
    """Yield the routes that know what they answer."""
    yield from (route for route in routes if isinstance(route, DescribedRoute))
