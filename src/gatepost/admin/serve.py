"""Run the API inside the gateway's loop, on sockets that are bound already.

Rule: who opens the control socket is the administrator (its mode says who may); over TCP a token says so.
Rule: signals stay with the gateway: the web server neither catches them nor ends the process.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

import gatepost.admin.pages.site  # noqa: F401 - now, while whoever started the process may still read its modules
from gatepost.admin.api.app import TRUSTED, make_app
from gatepost.admin.service import Service

START_TIMEOUT = 10.0
STOP_TIMEOUT = 5


class _Server(uvicorn.Server):
    """A server that leaves signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Catch nothing."""
        yield


class _Marked:
    """Marks requests with where they came in; nothing that a client sends can set the mark."""

    def __init__(self, app: ASGIApp, *, trusted: bool) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[TRUSTED] = self._trusted
        await self._app(scope, receive, send)


class AdminServer:
    """The running API; `stop` ends it."""

    def __init__(
        self, service: Service, servers: Sequence[_Server], tasks: Sequence["asyncio.Task[None]"]
    ) -> None:
        self._service = service
        self._servers = servers
        self._tasks = tasks

    async def stop(self) -> None:
        """Take no more requests, let those under way end, and those that listen go."""
        self._service.events.close()
        for server in self._servers:
            server.should_exit = True
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def serve_admin(service: Service, sockets: Sequence[socket.socket]) -> AdminServer:
    """Serve on bound sockets (a Unix socket is trusted, TCP is not) and return when requests are answered."""
    app = make_app(service)
    servers, tasks = [], []
    admin = service.gateway.settings.admin
    for sock in sockets:
        local = sock.family == socket.AF_UNIX
        config = uvicorn.Config(
            _Marked(app, trusted=local),
            ssl_certfile=None if local else admin.tls_certificate,
            ssl_keyfile=None if local else admin.tls_key,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=STOP_TIMEOUT,
            limit_concurrency=200,
            h11_max_incomplete_event_size=65536,
            ws="none",
            http="h11",
            loop="none",
        )
        server = _Server(config)
        servers.append(server)
        tasks.append(asyncio.ensure_future(server.serve(sockets=[sock])))
    async with asyncio.timeout(START_TIMEOUT):
        while not all(server.started for server in servers):
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)
    return AdminServer(service, servers, tasks)
