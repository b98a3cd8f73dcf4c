"""The command line against a gateway in this process: no socket, no file."""

import json
from typing import NamedTuple

import pytest
from tests.support.asgi import call
from tests.support.fake_gateway import make

from gatepost.admin.api.app import TRUSTED, make_app
from gatepost.cli.client import Client, Target
from gatepost.cli.main import main


class Response:
    def __init__(self, answer):
        self.status = answer.status
        self._body = answer.body

    def read(self, amount=None):
        body, self._body = self._body, b""
        return body

    def readline(self):
        line, end, self._body = self._body.partition(b"\n")
        return line + end


class Connection:
    def __init__(self, app):
        self._app = app

    def request(self, method, where, data, headers):
        self._answer = call(self._app, method, where, data or b"", headers, extra={TRUSTED: True})

    def getresponse(self):
        return Response(self._answer)

    def close(self):
        pass


class Run(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def gateway(monkeypatch):
    gateway, service = make()
    app = make_app(service)
    monkeypatch.setattr(Client, "_target", lambda self: Target(Connection(app), "here", socket=True))
    for name in ("GATEPOST_URL", "GATEPOST_TOKEN", "GATEPOST_LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    return gateway


@pytest.fixture
def run(gateway, capfd):
    def run_(*words):
        capfd.readouterr()
        code = main(list(words))
        out, err = capfd.readouterr()
        return Run(code, out, err)

    return run_
