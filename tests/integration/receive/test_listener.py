"""The receiving side over real sockets: ordinary clients, TLS, large content, trouble, a graceful stop."""

import json
import re
import smtplib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import pytest
import trustme
from tests.integration.receive.gateway import Gateway, running

from gatepost.model import ids
from gatepost.model.mail import EIGHT_BIT
from gatepost.model.objects import Source
from gatepost.receive import session as session_module

MAIL = b"From: a@x.example\r\nMessage-ID: <1@x.example>\r\n\r\nhello\r\n.dot\r\n"


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_tls(authority: trustme.CA, name: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if name:
        authority.issue_cert(name).configure_cert(context)
    return context


def raw(port: int, *parts: bytes) -> bytes:
    """Send the parts, each after some answer, and return all that comes until the end."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        answer = sock.recv(1000)
        for part in parts:
            sock.sendall(part)
            answer += sock.recv(1000)
        try:
            while data := sock.recv(1000):
                answer += data
        except ConnectionResetError:
            pass
    return answer


def test_a_message_is_kept_in_wire_form_before_it_is_acknowledged(tmp_path: Path) -> None:
    with running(tmp_path) as gateway, smtplib.SMTP("127.0.0.1", gateway.port, "client.example") as client:
        client.ehlo()
        client.mail("a@x.example", ["BODY=8BITMIME", "RET=HDRS", "ENVID=e1"])
        client.rcpt("b@y.example", ["NOTIFY=NEVER"])
        code, text = client.data(MAIL)
        (message,) = gateway.messages
        assert (code, text.decode()) == (250, f"2.0.0 Ok: queued as {ids.to_text(message.id)}")
        assert message.body is not None
        header, _, rest = message.body.partition(b"From: ")
        assert header.startswith(
            b"Received: from client.example ([127.0.0.1])\r\n\tby gw.example (Gatepost) with ESMTP\r\n"
        )
        assert b"for <b@y.example>;" in header
        assert rest.endswith(b"hello\r\n..dot\r\n")
        assert (message.size, message.crc) == (len(message.body), crc32(message.body))
        assert (message.sender, message.header_id, message.source) == ("a@x.example", "<1@x.example>", "test")
        assert (message.flags & EIGHT_BIT, message.envid, message.spool) == (EIGHT_BIT, "e1", False)
        assert message.recipients == ((1, "b@y.example", 7, "", 1),)
        assert json.loads(message.client) == {
            "address": "127.0.0.1", "name": "", "helo": "client.example", "tls": "", "login": "",
        }  # fmt: skip


def test_a_client_that_says_nothing_more_still_gets_the_answer_it_is_due(tmp_path: Path) -> None:
    with (
        running(tmp_path, Gateway(hold=True)) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), 10) as sock,
    ):
        for part in (
            b"EHLO c\r\n",
            b"MAIL FROM:<a@x.example>\r\n",
            b"RCPT TO:<b@y.example>\r\n",
            b"DATA\r\n",
        ):
            sock.recv(1000)
            sock.sendall(part)
        assert sock.recv(1000).startswith(b"354 ")
        sock.sendall(MAIL + b".\r\n")
        sock.shutdown(socket.SHUT_WR)
        eventually(lambda: bool(gateway.held))
        time.sleep(0.2)  # the end of what it says is here
        gateway.call(lambda: gateway.held.pop()(None))
        assert sock.recv(1000).startswith(b"250 2.0.0 Ok: queued as")
        assert sock.recv(1000) == b""


def test_several_recipients_do_not_learn_of_each_other(tmp_path: Path) -> None:
    with running(tmp_path) as gateway, smtplib.SMTP("127.0.0.1", gateway.port) as client:
        refused = client.sendmail("", ["b@y.example", "nobody@y.example", "c@y.example", "b@y.example"], MAIL)
        assert refused["nobody@y.example"][0] == 550
        (message,) = gateway.messages
        assert [(r.n, r.address) for r in message.recipients] == [(1, "b@y.example"), (2, "c@y.example")]
        assert message.body is not None
        assert b"for <" not in message.body


def test_large_content_goes_to_a_file_and_memory_stays_small(tmp_path: Path) -> None:
    with running(tmp_path, inline_limit=1000) as gateway, smtplib.SMTP("127.0.0.1", gateway.port) as client:
        client.sendmail("a@x.example", "b@y.example", b"A: b\r\n\r\n" + b"x" * 78 + b"\r\n.y\r\n" * 500_000)
        (message,) = gateway.messages
        wire = (tmp_path / ids.to_text(message.id)).read_bytes()
        assert (message.spool, message.body) == (True, None)
        assert (message.size, message.crc) == (len(wire), crc32(wire))
        assert wire.endswith(b"\r\n..y\r\n")
        assert (tmp_path / ids.to_text(message.id)).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("end", [b"", b"x\0\r\n.\r\nQUIT\r\n"])
def test_content_that_is_not_taken_leaves_no_file(tmp_path: Path, end: bytes) -> None:
    with running(tmp_path, inline_limit=1000) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.port), 10) as sock:
            sock.sendall(b"EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n")
            answer = b""
            while b"354" not in answer:
                answer += sock.recv(1000)
            sock.sendall(b"A: b\r\n" + b"x" * 78 + b"\r\n" * 500_000)
            eventually(lambda: len(list(tmp_path.iterdir())) == 1)
            sock.sendall(end)
        eventually(lambda: not list(tmp_path.iterdir()))
        assert gateway.messages == []


def test_a_full_disk_is_452_and_the_session_goes_on(tmp_path: Path) -> None:
    with running(tmp_path / "missing", inline_limit=1000) as gateway:
        with smtplib.SMTP("127.0.0.1", gateway.port) as client:
            with pytest.raises(smtplib.SMTPDataError, match=r"4\.3\.1"):
                client.sendmail("a@x.example", "b@y.example", b"x\r\n" * 900)
            client.sendmail("a@x.example", "b@y.example", b"")
        assert len(gateway.messages) == 1


def test_what_cannot_be_kept_is_451_and_leaves_no_file(tmp_path: Path) -> None:
    gateway = Gateway(keep_error=OSError("no"))
    with running(tmp_path, gateway, inline_limit=100), smtplib.SMTP("127.0.0.1", gateway.port) as client:
        for size in (10, 900):
            with pytest.raises(smtplib.SMTPDataError, match=r"4\.3\.0"):
                client.sendmail("a@x.example", "b@y.example", b"x" * size)
        eventually(lambda: not list(tmp_path.iterdir()))


@pytest.mark.parametrize("hook", ["source_for", "sender", "recipient", "keep", "pressure"])
def test_a_broken_hook_is_451_and_never_a_lost_session(tmp_path: Path, hook: str) -> None:
    gateway = Gateway()
    with running(tmp_path, gateway), smtplib.SMTP("127.0.0.1", gateway.port) as client:
        gateway.broken = hook
        with pytest.raises(smtplib.SMTPException, match=r"4\.3\.0"):
            client.sendmail("a@x.example", "b@y.example", MAIL)
        gateway.broken = ""
        client.sendmail("a@x.example", "b@y.example", MAIL)
        assert len(gateway.messages) == 1
    assert {event for event, _ in gateway.said} & {"receive.error", "receive.not_kept"}


def test_pressure_is_452_at_mail(tmp_path: Path) -> None:
    gateway = Gateway(trouble="disk")
    with running(tmp_path, gateway), smtplib.SMTP("127.0.0.1", gateway.port) as client:
        client.ehlo()
        code, text = client.mail("a@x.example")
        assert (code, text[:5]) == (452, b"4.3.1")


def test_starttls_hides_the_content_and_shows_the_certificate(
    tmp_path: Path, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    with running(tmp_path, tls=server_tls, auth=True) as gateway:
        with smtplib.SMTP("localhost", gateway.port) as client:
            client.starttls(context=client_tls(authority, "partner.example"))
            client.login("ann", "secret")
            client.sendmail("a@x.example", "b@y.example", MAIL * 10_000)
        (message,) = gateway.messages
        body = (tmp_path / ids.to_text(message.id)).read_bytes()
        assert b"with ESMTPSA\r\n" in body
        assert re.search(rb"\(using TLSv1\.3 with cipher \S+ \(256/256 bits\)\)", body)
        assert gateway.names[-1] == ("partner.example",)
        assert json.loads(message.client)["login"] == "ann"


def test_what_is_sent_with_starttls_is_dropped(
    tmp_path: Path, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    """Rule 4: plain text behind the command never becomes a command inside TLS."""
    with (
        running(tmp_path, tls=server_tls) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), 10) as sock,
    ):
        sock.recv(1000)
        sock.sendall(b"EHLO c\r\n")
        sock.recv(1000)
        sock.sendall(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@x.example>\r\n")
        assert sock.recv(1000).startswith(b"220 ")
        context = client_tls(authority)
        with context.wrap_socket(sock, server_hostname="localhost") as secured:
            secured.sendall(b"RCPT TO:<b@y.example>\r\n")
            assert secured.recv(1000).startswith(b"503 ")


def test_data_that_comes_right_after_the_handshake_is_not_lost(
    tmp_path: Path, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    with running(tmp_path, tls=server_tls) as gateway:
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", gateway.port), 10) as sock:
                sock.recv(1000)
                sock.sendall(b"EHLO c\r\n")
                sock.recv(1000)
                sock.sendall(b"STARTTLS\r\n")
                sock.recv(1000)
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                client = client_tls(authority).wrap_bio(incoming, outgoing, server_hostname="localhost")
                while True:
                    try:
                        client.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        sock.sendall(outgoing.read())
                        incoming.write(sock.recv(20000))
                client.write(b"EHLO c\r\n")
                sock.sendall(outgoing.read())  # the end of the handshake and the command, in one segment
                answer = b""
                while not answer:
                    incoming.write(sock.recv(20000))
                    try:
                        answer = client.read(1000)
                    except ssl.SSLWantReadError:
                        continue
                assert answer.startswith(b"250-gw.example")


def test_a_failed_handshake_frees_the_connection(tmp_path: Path, server_tls: ssl.SSLContext) -> None:
    with running(tmp_path, tls=server_tls) as gateway:
        raw(gateway.port, b"EHLO c\r\n", b"STARTTLS\r\n", b"this is no TLS at all, but it is long enough\r\n")
        eventually(lambda: gateway.listener.sessions == 0)
        assert "receive.tls_failed" in {event for event, _ in gateway.said}


def test_a_source_can_require_tls(tmp_path: Path) -> None:
    gateway = Gateway(source=Source("test", require_tls=True))
    with running(tmp_path, gateway), smtplib.SMTP("127.0.0.1", gateway.port) as client:
        client.ehlo()
        assert client.mail("a@x.example")[0] == 530


def test_five_failed_logins_end_the_session(
    tmp_path: Path, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    with (
        running(tmp_path, tls=server_tls, auth=True) as gateway,
        smtplib.SMTP("localhost", gateway.port) as client,
    ):
        client.starttls(context=client_tls(authority))
        client.ehlo()
        codes = [client.docmd("AUTH", "PLAIN AGFubgB3cm9uZw==")[0] for _ in range(5)]
        assert codes == [535, 535, 535, 535, 421]
        gateway.broken = "check_login"


def test_bare_newlines_are_refused_unless_the_source_may(tmp_path: Path) -> None:
    content = b"A: b\n\nhello\n.\nmore\r\n.\r\n"
    opening = b"EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"
    with running(tmp_path) as gateway:
        answer = raw(gateway.port, opening, b"DATA\r\n", content)
        assert b"\r\n550 5.5.2 " in answer
        assert gateway.messages == []
        gateway.source = Source("test", allow_bare_newlines=True)
        answer = raw(gateway.port, opening, b"DATA\r\n", content + b"QUIT\r\n")
        assert b"\r\n250 2.0.0 Ok: queued" in answer
        assert (gateway.messages[0].body or b"").endswith(b"A: b\r\n\r\nhello\r\n..\r\nmore\r\n")


def test_a_large_message_with_a_bare_newline_still_reads_the_refusal(tmp_path: Path) -> None:
    with running(tmp_path) as gateway, smtplib.SMTP("127.0.0.1", gateway.port) as client:
        client.ehlo()
        client.mail("a@x.example")
        client.rcpt("b@y.example")
        client.putcmd("data")
        client.getreply()
        client.send(b"bare\nnewline\r\n" + b"x" * 70 + b"\r\n" * 1_000_000 + b".\r\n")
        assert client.getreply()[0] == 550


def test_connections_have_a_limit(tmp_path: Path) -> None:
    with running(tmp_path, max_connections=5, max_connections_per_address=2) as gateway:
        gateway.source = None
        with smtplib.SMTP("127.0.0.1", gateway.port), smtplib.SMTP("127.0.0.1", gateway.port):
            with pytest.raises(smtplib.SMTPConnectError, match="421"):
                smtplib.SMTP("127.0.0.1", gateway.port)
            gateway.source = Source("test")
            with smtplib.SMTP("127.0.0.1", gateway.port) as known:
                assert known.noop()[0] == 250
        eventually(lambda: gateway.listener.sessions == 0)


@pytest.mark.parametrize(
    ("options", "text", "code"),
    [
        ({"max_commands": 5}, b"NOOP\r\n" * 10, b"421 4.7.0"),
        ({"max_errors": 5}, b"MAIL\r\n" * 10, b"421 4.7.0"),
        ({"max_unknown": 5}, b"WHAT\r\n" * 10, b"421 4.7.0"),
        (
            {"max_recipients": 2},
            (b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@y.example>\r\nRCPT TO:<b@y.example>\r\n"
            b"RCPT TO:<c@y.example>\r\nQUIT\r\n"),
            b"452 4.5.3",
        ),
        ({"command_timeout": 0.1}, b"NOOP\r\n", b"421 4.4.2"),
        ({"session_timeout": 0.1}, b"NOOP\r\n", b"421 4.4.2"),
        (
            {"data_timeout": 0.1},
            b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@y.example>\r\nDATA\r\n",
            b"421 4.4.2",
        ),
    ],
)  # fmt: skip
def test_each_limit_is_kept(tmp_path: Path, options: dict[str, float], text: bytes, code: bytes) -> None:
    with (
        running(tmp_path, **options) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), 10) as sock,
    ):
        sock.sendall(text)
        answer = b""
        while code not in answer:
            data = sock.recv(1000)
            assert data, answer
            answer += data


def test_a_command_that_never_ends_has_a_deadline_as_a_whole(tmp_path: Path) -> None:
    """Rule 17: an octet now and then is no progress."""
    with (
        running(tmp_path, command_timeout=0.5) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), 10) as sock,
    ):
        sock.settimeout(0.1)
        answer = b""
        for _ in range(500):
            with suppress(TimeoutError):
                answer += sock.recv(1000)
            if b"421 4.4.2" in answer:
                return
            with suppress(ConnectionError):
                sock.sendall(b"N")
        raise AssertionError(answer)


def test_who_talks_before_the_banner_is_turned_away(tmp_path: Path) -> None:
    with (
        running(tmp_path, Gateway(source=None), banner_delay=5) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), 10) as sock,
    ):
        sock.sendall(b"EHLO c\r\n")
        assert sock.recv(1000).startswith(b"554 5.5.0")


def test_a_source_is_greeted_at_once(tmp_path: Path) -> None:
    with (
        running(tmp_path, banner_delay=60) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), 10) as sock,
    ):
        assert sock.recv(1000).startswith(b"220 ")


def test_a_stranger_who_waits_is_greeted_after_the_delay(tmp_path: Path) -> None:
    with (
        running(tmp_path, Gateway(source=None), banner_delay=0.2) as gateway,
        socket.create_connection(("127.0.0.1", gateway.port), 10) as sock,
    ):
        assert sock.recv(1000).startswith(b"220 ")


def test_unknown_addresses_have_a_message_rate(tmp_path: Path) -> None:
    with (
        running(tmp_path, Gateway(source=None), message_rate=1) as gateway,
        smtplib.SMTP("127.0.0.1", gateway.port) as client,
    ):
        client.sendmail("a@x.example", "b@y.example", MAIL)
        with pytest.raises(smtplib.SMTPSenderRefused, match=r"4\.7\.1"):
            client.sendmail("a@x.example", "b@y.example", MAIL)


def test_a_stop_lets_running_content_end_and_tells_the_others(tmp_path: Path) -> None:
    with running(tmp_path, Gateway(hold=True)) as gateway:
        idle = socket.create_connection(("127.0.0.1", gateway.port), 10)
        idle.recv(1000)
        busy = smtplib.SMTP("127.0.0.1", gateway.port)
        results: list[object] = []
        sender = threading.Thread(
            target=lambda: results.append(busy.sendmail("a@x.example", "b@y.example", MAIL))
        )
        sender.start()
        eventually(lambda: len(gateway.held) == 1)
        stopper = threading.Thread(target=gateway.stop)
        stopper.start()
        assert idle.recv(1000).startswith(b"421 4.3.2")
        idle.close()
        gateway.call(lambda: gateway.held[0](None))
        sender.join(10)
        assert results == [{}]
        busy.close()
        stopper.join(10)
        assert not stopper.is_alive()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", gateway.port), 1)


def test_no_file_descriptor_left_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as gateway:
        tries: list[float] = []
        real = socket.socket.accept

        def accept(sock: socket.socket) -> object:
            tries.append(time.monotonic())
            if len(tries) < 3:
                raise OSError(24, "Too many open files")  # even with the one that is kept for this
            return real(sock)

        monkeypatch.setattr(socket.socket, "accept", accept)
        with smtplib.SMTP("127.0.0.1", gateway.port, timeout=10) as client:
            assert client.noop()[0] == 250
        assert tries[2] - tries[1] > 0.5
        assert "receive.out_of_files" in {event for event, _ in gateway.said}


def test_a_client_that_pipelines_without_end_is_held_back(tmp_path: Path) -> None:
    """Bounded memory while an answer is due: reading stops, and goes on after it."""
    with running(tmp_path, Gateway(hold=True)) as gateway:
        sock = socket.create_connection(("127.0.0.1", gateway.port), 10)
        sock.sendall(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@y.example>\r\nBDAT 3 LAST\r\nx\r\n")
        eventually(lambda: len(gateway.held) == 1)
        flood = b"NOOP\r\n" * 400 * 1024
        writer = threading.Thread(target=lambda: sock.sendall(flood))
        writer.start()
        (running_session,) = gateway.listener._shared.sessions
        eventually(lambda: running_session._paused)
        assert running_session._smtp.buffered < 4 * session_module.MAX_BUFFERED
        gateway.call(lambda: gateway.held[0](None))
        answer = b""
        while b"421 4.7.0" not in answer:
            answer += sock.recv(100_000)
        writer.join(10)
        sock.close()


@pytest.mark.tools
def test_ordinary_clients_are_served(
    tmp_path: Path, authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    with running(tmp_path, tls=server_tls, auth=True) as gateway:
        server = f"127.0.0.1:{gateway.port}"
        swaks = f"swaks --server {server} -f a@x.example -t b@y.example --silent 2"
        for command in (
            f"{swaks} -tls",
            f"{swaks} --pipeline",
            f"{swaks} -tls -a PLAIN -au ann -ap secret",
            f"{swaks} -tls -a LOGIN -au ann -ap secret",
            (
                f"curl -sS --insecure --ssl-reqd smtp://{server} --mail-from a@x.example "
                f"--mail-rcpt b@y.example -T {__file__} --crlf"
            ),
            f"smtp-source -d -s 5 -m 50 -l 10240 -f a@x.example -t b@y.example {server}",
        ):
            done = subprocess.run(command.split(), capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert len(gateway.messages) == 55
