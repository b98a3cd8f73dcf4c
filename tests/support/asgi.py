"""Call a web application without a socket."""

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import unquote


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    app: Any,
    method: str,
    target: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    client: str = "127.0.0.1",
    extra: dict[str, Any] | None = None,
) -> Answer:
    """Send one request to an ASGI application and return its answer."""
    return asyncio.run(_call(app, method, target, body, headers or {}, client, extra or {}))


async def _call(app, method, target, body, headers, client, extra):
    path, _, query = target.partition("?")
    head = {"host": "gateway", "content-length": str(len(body)), **{k.lower(): v for k, v in headers.items()}}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.encode(), v.encode()) for k, v in head.items()],
        "client": (client, 1),
        "server": ("gateway", 80),
        **extra,
    }
    sent: list[dict[str, Any]] = []
    requests = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if requests:
            return requests.pop()
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    try:
        await app(scope, receive, send)
    except Exception:
        # the framework answers a mistake, then raises it again for the server's log; without an answer it is ours
        if not sent:
            raise
    start = next(m for m in sent if m["type"] == "http.response.start")
    content = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    return Answer(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, content)
