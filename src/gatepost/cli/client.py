"""Ask the running gateway over HTTP: through its control socket, or by address and token; standard library only."""

import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from gatepost.cli.frame import NEGATIVE, UNREACHABLE, USAGE, Refusal, State, tr
from gatepost.model.failure import clean

TIMEOUT = 60.0
BASE = "/api/v1"
PIECE = 1 << 16
CODES = {404: NEGATIVE, 409: NEGATIVE, 500: NEGATIVE, 503: UNREACHABLE}


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Target(NamedTuple):
    """Where the gateway is: `connection` to it, and what people call the place."""

    connection: http.client.HTTPConnection
    place: str
    socket: bool


def path(*parts: str) -> str:
    """Return the path of a resource, its parts quoted."""
    return BASE + "".join("/" + quote(part, safe="") for part in parts)


class Client:
    """Requests to the gateway that the options name; every failure is a `Refusal`."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, where: str, **query: object) -> Any:
        """Return what a resource is."""
        return self._json("GET", where + _query(query))

    def post(self, where: str, body: Mapping[str, object], **query: object) -> Any:
        """Do something."""
        return self._json("POST", where + _query(query), body)

    def patch(self, where: str, body: Mapping[str, object], **query: object) -> Any:
        """Change fields of a resource."""
        return self._json("PATCH", where + _query(query), body)

    def delete(self, where: str, **query: object) -> Any:
        """Delete a resource."""
        return self._json("DELETE", where + _query(query))

    @staticmethod
    def query(**query: object) -> str:
        """Return the query of a URL, "" for none."""
        return _query(query)

    def text(self, where: str) -> str:
        """Return a resource as text."""
        return b"".join(self.pieces(where)).decode()

    def pieces(self, where: str) -> Iterator[bytes]:
        """Return a resource piece by piece."""
        target = self._target()
        try:
            response = self._request(target, "GET", where, None)
            while piece := response.read(PIECE):
                yield piece
        except (OSError, http.client.HTTPException) as problem:
            raise unreachable(target, problem) from None
        finally:
            target.connection.close()

    def lines(self, where: str, body: Mapping[str, object]) -> Iterator[dict[str, Any]]:
        """Do something, and yield what comes back line by line, a JSON object each."""
        target = self._target()
        try:
            response = self._request(target, "POST", where, body)
            while text := response.readline():
                if text.strip():
                    yield json.loads(text)
        except (OSError, http.client.HTTPException) as problem:
            raise unreachable(target, problem) from None
        finally:
            target.connection.close()

    def _json(self, method: str, where: str, body: Mapping[str, object] | None = None) -> Any:
        target = self._target()
        try:
            return json.loads(self._request(target, method, where, body).read())
        except (OSError, http.client.HTTPException) as problem:
            raise unreachable(target, problem) from None
        except ValueError:
            sentence = tr("What answers at {place} is no gateway: check --url.")
            raise Refusal(sentence, UNREACHABLE, place=target.place) from None
        finally:
            target.connection.close()

    def _request(
        self, target: Target, method: str, where: str, body: Mapping[str, object] | None
    ) -> http.client.HTTPResponse:
        headers = {"Accept-Language": self._state.language, "Accept": "application/json"}
        token = os.environ.get("GATEPOST_TOKEN", "")
        if token and not target.socket:
            headers["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        target.connection.request(method, where, data, headers)
        response = target.connection.getresponse()
        if response.status >= 400:
            raise _refusal(response.status, response.read(1 << 20))
        return response

    def _target(self) -> Target:
        url = self._state.url or os.environ.get("GATEPOST_URL", "")
        if url:
            return by_url(url)
        from gatepost.config.minimal import minimal  # noqa: PLC0415 - not needed with a URL
        from gatepost.config.problems import BadSettings  # noqa: PLC0415

        try:
            found = minimal(self._state.config, os.environ)
        except BadSettings as problem:
            raise bad_settings(problem) from None
        place = str(found.data_dir / "control.sock")
        return Target(UnixConnection(place), place, socket=True)


def by_url(url: str) -> Target:
    """Return the connection to a gateway by its address."""
    wrong = Refusal(
        tr('"{url}" is no address of a gateway: write http://127.0.0.1:8025.'), USAGE, url=clean(url, 200)
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise wrong
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return Target(kind(parts.hostname, port, timeout=TIMEOUT), url, socket=False)


def bad_settings(problem: Exception) -> Refusal:
    """Return the refusal for settings that cannot be used: all of their problems."""
    lines = str(problem).splitlines()
    if len(lines) == 1:
        return Refusal("{line}", USAGE, line=lines[0])
    sentence = tr("The settings have {count} problems; correct the file:")
    return Refusal(sentence, USAGE, [f"  {line}" for line in lines], count=len(lines))


def unreachable(target: Target, problem: Exception) -> Refusal:
    """Return the refusal for a gateway that does not answer: what to do depends on why."""
    fields = {"place": target.place, "why": getattr(problem, "strerror", None) or str(problem)}
    if isinstance(problem, PermissionError):
        sentence = tr(
            "You may not open {place}: run this as the user of the gateway, or use --url and a token."
        )
    elif target.socket and isinstance(problem, FileNotFoundError | ConnectionRefusedError):
        sentence = tr(
            "No gateway runs at {place}: start it with gatepost serve, or name its --config or --url."
        )
    else:
        sentence = tr("The gateway at {place} does not answer ({why}): is it running, is the address right?")
    return Refusal(sentence, UNREACHABLE, **fields)


def _refusal(status: int, body: bytes) -> Refusal:
    """Return the gateway's own refusal (problem details, RFC 9457)."""
    try:
        problem = json.loads(body)
        detail = clean(str(problem["detail"]), 1000)
        entries = problem.get("problems", [])
        lines = [_line(entry) for entry in entries] if len(entries) > 1 else []
    except (ValueError, KeyError, TypeError, AttributeError):
        return Refusal(
            tr("The gateway answered {status}, and not in its own words."), UNREACHABLE, status=status
        )
    return Refusal("{detail}", CODES.get(status, USAGE), lines, detail=detail)


def _line(entry: Mapping[str, object]) -> str:
    hint = f" ({entry['hint']})" if entry.get("hint") else ""
    return clean(f"  {entry['where']}: {entry['message']}{hint}", 1000)


def _query(query: Mapping[str, object]) -> str:
    given = {
        key: str(value).lower() if isinstance(value, bool) else value
        for key, value in query.items()
        if value is not None and value is not False
    }
    return "?" + urlencode(given) if given else ""
