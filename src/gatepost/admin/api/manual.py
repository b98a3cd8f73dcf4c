"""The reference of the API, written from its OpenAPI document: `docs/api-reference.md` (`python -m ...api.manual`)."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any, cast

from gatepost.admin.api.app import make_app
from gatepost.admin.service import Service

_HEAD = """# API reference

This page is written from the OpenAPI document (`python -m gatepost.admin.api.manual > docs/api-reference.md`); a test
compares the two. [api.md](api.md) says who may call, how errors look, and what belongs together. Each call names the
least scope of a token that it needs; further fields may be added to answers, so ignore what you do not know.
"""
_SHAPES = "# Shapes"
_TITLES = {
    "monitoring": "Monitoring",
    "queue": "Queue and routes",
    "messages": "Messages, trace and jobs",
    "insights": "Insights and foresight",
    "reports": "Reports and the map of mail flow",
    "events": "Live changes",
    "fixes": "Fixes",
    "alerts": "Alerts",
    "checks": "Checks",
    "explain": "Explaining, and foreign mail systems",
    "users": "Users",
    "system": "The gateway and its tokens",
    "audit": "Audit",
    "objects": "Objects",
}
Schema = Mapping[str, Any]


def manual() -> str:
    """Return the text of `docs/api-reference.md`."""
    document = make_app(cast("Service", None)).openapi()  # nobody calls it: only its description is wanted
    return "\n".join([_HEAD, *_calls(document), *_shapes(document)])


def _calls(document: Schema) -> Iterator[str]:
    """Yield the calls, by what they are about."""
    operations = [
        (path, method.upper(), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    for tag, title in _TITLES.items():
        yield f"## {title}\n"
        for path, method, operation in operations:
            if operation["tags"] == [tag]:
                yield from _call(path, method, operation)


def _call(path: str, method: str, operation: Schema) -> Iterator[str]:
    yield f"### `{method} {path}`\n"
    scope = operation.get("x-required-scope")
    yield f"Scope: {scope}.\n" if scope else "Open to this machine; from elsewhere any token.\n"
    yield operation["description"].partition("\n\nNeeds a token")[0].replace("\n", " ").strip() + "\n"
    rows = [
        (
            p["name"],
            p["in"],
            p["schema"] | {"description": p.get("description", "")},
            p.get("required", False),
        )
        for p in operation.get("parameters", ())
    ]
    if rows:
        yield "| parameter | in | type | what |\n| --- | --- | --- | --- |"
        for name, where, schema, needed in rows:
            yield f"| `{name}`{' (needed)' if needed else ''} | {where} | {_type(schema)} | {_what(schema)} |"
        yield ""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Request: {_type(content['schema'])} (`{kind}`).\n"
    yield from _answers(operation["responses"])


def _answers(responses: Schema) -> Iterator[str]:
    good = [
        f"{_type(content.get('x-line-schema') or content.get('x-event-schema') or content['schema'])}"
        f"{' a line' if 'x-line-schema' in content else ', an event each' if 'x-event-schema' in content else ''}"
        f" (`{kind}`)"
        for kind, content in responses["200"]["content"].items()
    ]
    yield f"Answer: {' or '.join(good)}.\n"
    noes = ", ".join(status for status in responses if status != "200")
    yield f"Problems: {noes}.\n"


def _shapes(document: Schema) -> Iterator[str]:
    yield f"{_SHAPES}\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"## {name}\n"
        yield f"{schema.get('description', '')}\n"
        needed = schema.get("required", ())
        if schema.get("properties"):
            yield "| field | type | what |\n| --- | --- | --- |"
            for field, value in schema["properties"].items():
                may_lack = "" if field in needed else " (may be absent)"
                yield f"| `{field}`{may_lack} | {_type(value)} | {_what(value)} |"
            yield ""


def _what(schema: Schema) -> str:
    """Return what a field says of itself, with its limits."""
    words = [str(schema.get("description", "")).replace("\n", " ").replace("|", "\\|")]
    if "enum" in schema:
        words.append("One of " + ", ".join(f"`{word}`" if word else "empty" for word in schema["enum"]) + ".")
    if schema.get("default") not in (None, "", [], {}):
        words.append(f"Default: `{schema['default']}`.".lower().replace("default", "Default"))
    if "maximum" in schema:
        words.append(f"{schema.get('minimum', 0)} to {schema['maximum']}.")
    if "maxLength" in schema:
        words.append(f"At most {schema['maxLength']} characters.")
    return " ".join(word for word in words if word)


def _type(schema: Schema) -> str:
    """Return a type in a word or two."""
    if "x-fields" in schema:
        return f"fields of {_type(schema['x-fields'])}"
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        inherited = {key: value for key, value in schema.items() if key == "format"}
        return " or ".join(_type({**part, **inherited}) for part in schema["anyOf"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"{_type(values)} by name" if isinstance(values, Mapping) else "object"
    if kind == "string" and schema.get("format") in ("date-time", "date", "binary"):
        return {"date-time": "time", "date": "day", "binary": "octets"}[schema["format"]]
    return {"string": "text", "integer": "number", "boolean": "yes or no"}.get(kind, str(kind))


def main() -> None:
    """Print the reference."""
    sys.stdout.write(manual())


if __name__ == "__main__":
    main()
