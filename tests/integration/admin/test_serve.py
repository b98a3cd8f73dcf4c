"""The API on real sockets: the control socket is trusted, TCP is not, and the command line finds both."""

import asyncio
import json
import os
import signal
import socket

import pytest
from tests.support.fake_gateway import make

from gatepost.admin.serve import serve_admin
from gatepost.cli.main import main
from gatepost.model.ids import to_text


@pytest.fixture
def story(tmp_path, monkeypatch, capfd):
    """Run words of the command line against a server of this process; returns code, stdout, stderr of each."""
    for name in ("GATEPOST_URL", "GATEPOST_TOKEN", "GATEPOST_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C")
    (tmp_path / "gatepost.toml").write_text(f'data_dir = "{tmp_path}"\n')

    def play(*lines, gateway=None):
        return asyncio.run(_play(tmp_path, lines, capfd, gateway or make()))

    return play


async def _play(folder, lines, capfd, made):
    _, service = made
    control = socket.socket(socket.AF_UNIX)
    control.bind(str(folder / "control.sock"))
    control.listen()
    tcp = socket.create_server(("127.0.0.1", 0))
    handler = signal.getsignal(signal.SIGTERM)
    server = await serve_admin(service, [control, tcp])
    assert signal.getsignal(signal.SIGTERM) is handler
    url = f"http://127.0.0.1:{tcp.getsockname()[1]}"
    answers = []
    try:
        for line in lines:
            words = [word.replace("URL", url) for word in line]
            capfd.readouterr()
            code = await asyncio.to_thread(main, ["--config", str(folder / "gatepost.toml"), *words])
            answers.append((code, *capfd.readouterr()))
    finally:
        async with asyncio.timeout(10):
            await server.stop()
    (folder / "control.sock").unlink()
    return answers


def test_whoever_opens_the_control_socket_is_the_administrator(story):
    (code, out, _), (changed, _, _) = story(
        ["queue", "list", "--json"], ["connector", "set", "to-office", "--port", "2525"]
    )
    assert (code, changed) == (0, 0)
    assert json.loads(out)[0]["connector"] == "to-office"


def test_over_tcp_a_token_is_needed_and_is_enough(story, monkeypatch):
    made = make()
    (refused, _, why), (_, token, _) = story(
        ["queue", "list", "--url", "URL"], ["token", "create", "watch"], gateway=made
    )
    assert refused == 2
    assert why.startswith("A token is needed")
    monkeypatch.setenv("GATEPOST_TOKEN", token.strip())
    (read, out, _), (write, _, forbidden) = story(
        ["queue", "list", "--url", "URL", "--json"], ["queue", "retry", "--url", "URL"], gateway=made
    )
    assert read == 0
    assert len(json.loads(out)) == 2
    assert write == 2
    assert "scope" in forbidden


def test_without_a_gateway_the_exit_code_is_3(tmp_path, capfd, monkeypatch):
    monkeypatch.delenv("GATEPOST_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    assert main(["queue", "list"]) == 3
    assert "start it with gatepost serve" in capfd.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    assert main(["queue", "list", "--url", f"http://127.0.0.1:{port}"]) == 3
    assert "does not answer" in capfd.readouterr().err


def test_bad_settings_are_exit_code_2_with_all_problems(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gatepost.toml").write_text("[smtp\n")
    assert main(["queue", "list"]) == 2
    assert "is not TOML" in capfd.readouterr().err
    (tmp_path / "gatepost.toml").write_text('hostnam = "x"\n[smtp]\nlisten = 25\n')
    assert main(["doctor"]) == 2
    err = capfd.readouterr().err
    assert "hostnam" in err
    assert "smtp.listen" in err


def test_a_message_is_saved_to_a_file_that_is_never_overwritten(story, tmp_path):
    made = make()
    number = next(iter(sorted(made[0].store.queued)))[1]
    words = ["message", "export", to_text(number), "--output", str(tmp_path / "mail.eml")]
    (first, _, _), (second, _, why) = story(words, words, gateway=made)
    assert (first, second) == (0, 2)
    assert (tmp_path / "mail.eml").read_bytes() == b"Subject: hi\r\n\r\n.dots\r\n"
    assert "exists already" in why


def test_the_control_socket_of_another_user_is_said(tmp_path, capfd, monkeypatch):
    if os.getuid() == 0:
        monkeypatch.setattr(socket.socket, "connect", _denied)
    monkeypatch.chdir(tmp_path)
    sock = socket.socket(socket.AF_UNIX)
    (tmp_path / "gatepost-data").mkdir()
    sock.bind(str(tmp_path / "gatepost-data" / "control.sock"))
    os.chmod(tmp_path / "gatepost-data" / "control.sock", 0)
    code = main(["queue", "list"])
    sock.close()
    assert code == 3
    assert capfd.readouterr().err.startswith("You may not open")


def _denied(self, address):
    raise PermissionError(13, "Permission denied")


def test_a_listener_hears_changes_over_http_and_is_forgotten_when_it_goes(tmp_path):
    """Server-sent events through the real server; a stop does not wait for those who listen."""

    async def story():
        gateway, service = make()
        tcp = socket.socket(socket.AF_UNIX)
        tcp.bind(str(tmp_path / "control.sock"))
        tcp.listen()
        server = await serve_admin(service, [tcp])
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: gateway\r\n\r\n")
        await reader.readuntil(b"event: queue\n")
        gateway.subscribers[0](gateway.break_office(), None)
        await reader.readuntil(b"event: insight\n")
        writer.close()
        async with asyncio.timeout(10):
            while service.events.listeners:
                await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: gateway\r\n\r\n")
        await reader.readuntil(b"event: queue\n")
        begun = asyncio.get_running_loop().time()
        await server.stop()
        assert asyncio.get_running_loop().time() - begun < 4
        await reader.read()
        writer.close()

    asyncio.run(story())
