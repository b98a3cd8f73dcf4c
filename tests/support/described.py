"""Answers compared with the OpenAPI document, strictly: nothing that it does not name, all that it promises.

described = Described(document)
described.check("GET", "/api/v1/queue", 200, "application/json", body)
assert described.unseen() == set()
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

JSON, PROBLEM, LINES = "application/json", "application/problem+json", "application/x-ndjson"
EVENTS = "text/event-stream"


class Described:
    """A document whose objects are closed, so that a field that it does not name is a mistake."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.paths: dict[str, dict[str, Any]] = document["paths"]
        self.components = closed(document["components"])
        self.seen: set[tuple[str, str]] = set()

    def check(self, method: str, path: str, status: int, kind: str, body: bytes) -> Any:
        """Compare an answer with what the document says of the call; return what it holds."""
        answers = self.paths[path][method.lower()]["responses"]
        assert str(status) in answers, (method, path, status, body)
        known = answers[str(status)].get("content", {})
        assert kind in known, (method, path, kind, sorted(known))
        if status < 300:
            self.seen.add((method, path))
        if kind == LINES:
            return [self._fits(known[kind]["x-line-schema"], line) for line in body.splitlines()]
        if kind == EVENTS:
            return [self._fits(known[kind]["x-event-schema"], event) for event in events_in(body)]
        return self._fits(known[kind]["schema"], body) if kind in (JSON, PROBLEM) else body

    def _fits(self, schema: dict[str, Any], body: bytes) -> Any:
        found = json.loads(body)
        whole = {"components": self.components, **closed(schema)}
        validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        wrong = [(list(e.instance_path), e.message[:300]) for e in validator.iter_errors(found)]
        assert wrong == [], wrong[:10]
        return found

    def unseen(self) -> set[tuple[str, str]]:
        """Return the calls whose good answer was never compared."""
        known = {(method.upper(), path) for path, methods in self.paths.items() for method in methods}
        return known - self.seen


def events_in(body: bytes) -> Iterator[bytes]:
    """Yield each whole event of a stream as JSON, its kind and its data."""
    for kind, data in re.findall(rb"event: (\w+)\n(?:id: \d+\n)?data: (.*)\n\n", body):
        yield b'{"%s": %s}' % (kind, data)


def closed(schema: Any) -> Any:
    """Return a schema in which every object with named fields has no others."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found
