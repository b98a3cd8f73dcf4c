"""What befalls the process: reloads, a freeze, no memory, no descriptors, a long queue (fault matrix 12 to 15, 62)."""

import os
import signal
import smtplib
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.support.gateway import FAST, GatewayProcess
from tests.support.load import Load, fill
from tests.support.memory import cpu_seconds, descriptors, resident
from tests.support.peers import answers, free_port, wait_until
from tests.support.smtp_server import FaultServer

OBJECTS = """
[[connector]]
name = "out"
domains = ["partner.test"]
smart_hosts = ["127.0.0.1:{port}"]
"""


def pid_of(gateway: GatewayProcess) -> int:
    assert gateway.process is not None
    return gateway.process.pid


def arrived(server: FaultServer) -> list[str]:
    return sorted(r for message in server.messages for r in message.recipients)


def reloads(gateway: GatewayProcess) -> int:
    return sum(line["event"] == "settings.reloaded" for line in gateway.log())


def test_twenty_reloads_under_load_drop_no_session_and_double_nothing(tmp_path: Path) -> None:
    """Fault matrix 12."""
    with FaultServer() as server, GatewayProcess(tmp_path) as gateway:
        gateway.apply(OBJECTS.format(port=server.port))
        with Load(gateway.smtp_port) as load:
            wait_until(lambda: len(load.acknowledged) > 20, 20)
            for number in range(1, 21):  # one after the other: signals that arrive together are one
                os.kill(pid_of(gateway), signal.SIGHUP)
                wait_until(lambda number=number: reloads(gateway) == number, 10, 0.05)  # type: ignore[misc]
            wait_until(lambda: len(load.acknowledged) > 200, 20)
        assert (load.dropped, load.refusals) == (0, [])
        gateway.drained()
        assert arrived(server) == sorted(load.acknowledged)


def freeze(tmp_path: Path, seconds: float, command: str) -> None:
    """Stop the process in the middle of a load, and let it go on."""
    smtp = f'[smtp.timeouts]\ncommand = "{command}"\n'
    with FaultServer() as server, GatewayProcess(tmp_path, more=smtp) as gateway:
        gateway.apply(OBJECTS.format(port=server.port))
        idle = socket.create_connection(("127.0.0.1", gateway.smtp_port), 10)
        with idle, Load(gateway.smtp_port, timeout=seconds + 30) as load:
            wait_until(lambda: len(load.acknowledged) > 50, 20)
            os.kill(pid_of(gateway), signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid_of(gateway), signal.SIGCONT)
            reached = len(load.acknowledged) + 50
            wait_until(lambda: len(load.acknowledged) > reached, 30)
            idle.settimeout(10)
            heard = b""
            with suppress(TimeoutError):
                while piece := idle.recv(1000):
                    heard += piece
            assert heard.endswith(b"421 4.4.2 Timeout: no command came\r\n"), heard
        gateway.drained()
        assert set(load.acknowledged) <= set(arrived(server))
        assert gateway.ask("queue/audit")["balanced"]
        assert not [line for line in gateway.log() if line["event"] == "clock.jumped"]


@pytest.mark.slow
def test_a_process_that_was_frozen_goes_on_where_it_was(tmp_path: Path) -> None:
    """Fault matrix 13, shortened: idle sessions are over, the queue continues, nothing is lost."""
    freeze(tmp_path, 3, "2s")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_process_that_was_frozen_for_two_minutes_goes_on_where_it_was(tmp_path: Path) -> None:
    """Fault matrix 13."""
    freeze(tmp_path, 120, "60s")


def hold_open(gateway: GatewayProcess, count: int, octets: int, stack: ExitStack) -> list[int]:
    """Begin so many messages with so much content each and end none; returns the codes to MAIL."""
    codes = []
    line = b"x" * 72 + b"\r\n"
    for number in range(count):
        client = smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=60)
        stack.callback(client.close)
        client.ehlo()
        code, _ = client.mail("ann@client.test")
        codes.append(code)
        if code != 250:
            break
        client.rcpt(f"r{number}@partner.test")
        client.docmd("DATA")
        with suppress(OSError):
            client.send(b"Subject: x\r\n\r\n" + line * (octets // len(line)))
        time.sleep(0.3)
    return codes


@pytest.mark.slow
def test_too_much_memory_is_refused_before_the_limit_of_the_system(tmp_path: Path) -> None:
    """Fault matrix 14: 452 while memory is short, nothing lost, and as before when it is not.

    The content of many unfinished messages is kept in memory (inline_limit is large here), until max_memory says no;
    the address space of the process ends not far above that.
    """
    smtp = 'max_memory = "200MB"\ninline_limit = "64MB"\n'
    with FaultServer(keep=False) as server:
        gateway = GatewayProcess(tmp_path, smtp=smtp)
        gateway.start(wrapper=("prlimit", f"--as={2 << 30}"))
        try:
            gateway.apply(OBJECTS.format(port=server.port))
            gateway.send("ann@client.test", "first@partner.test")
            with ExitStack() as open_ones:
                codes = hold_open(gateway, 40, 16 << 20, open_ones)
                assert codes[-1] == 452, codes
                assert resident(pid_of(gateway)) < 400 << 20
                assert any(e["event"] == "pressure.on" and e["resource"] == "memory" for e in gateway.log())

            def taken() -> bool:
                with suppress(smtplib.SMTPException):
                    gateway.send("ann@client.test", "last@partner.test")
                    return True
                return False

            wait_until(taken, 20, 0.5, "mail to be taken again")
            gateway.drained()
            assert arrived(server) == ["first@partner.test", "last@partner.test"]
        finally:
            gateway.stop()


@pytest.mark.slow
def test_a_process_that_gets_no_memory_refuses_that_message_and_lives(tmp_path: Path) -> None:
    """Fault matrix 14: without back-pressure the allocation itself fails; a 4xx, and the next message goes through."""
    smtp = 'max_memory = "100GB"\ninline_limit = "140MB"\n'
    with FaultServer(keep=False) as server:
        gateway = GatewayProcess(tmp_path, smtp=smtp, more="[process]\nmemory = 0")
        gateway.start(wrapper=("prlimit", f"--as={1 << 30}"))
        try:
            gateway.apply(OBJECTS.format(port=server.port))
            line = "x" * 72 + "\r\n"
            big = "Subject: big\r\n\r\n" + line * ((120 << 20) // len(line))
            codes: list[int] = []

            def send_big(number: int) -> None:
                with suppress(OSError):
                    try:
                        with smtplib.SMTP("127.0.0.1", gateway.smtp_port, timeout=60) as client:
                            client.sendmail("ann@client.test", [f"big{number}@partner.test"], big)
                            codes.append(250)
                    except smtplib.SMTPResponseException as refused:
                        codes.append(refused.smtp_code)
                    except smtplib.SMTPException:
                        codes.append(0)

            threads = [threading.Thread(target=send_big, args=(number,)) for number in range(10)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert gateway.process is not None
            assert gateway.process.poll() is None, gateway.output.read_text()[-2000:]
            assert any(code != 250 for code in codes), "the limit was never met"
            gateway.send("ann@client.test", "small@partner.test")
            wait_until(lambda: "small@partner.test" in arrived(server), 30, 0.2)
            gateway.drained(60)
            assert len(arrived(server)) >= codes.count(250) + 1
            assert gateway.ask("queue/audit")["balanced"]
        finally:
            gateway.stop()


@pytest.mark.slow
@pytest.mark.root  # to count the descriptors of a process that is closed to its own user
def test_without_descriptors_nothing_spins_and_nothing_is_lost(tmp_path: Path) -> None:
    """Fault matrix 15: the process has 60 descriptors; connections take them all; then they go away."""
    with FaultServer(banner="421 4.3.2 not now") as server:
        gateway = GatewayProcess(tmp_path, smtp='inline_limit = "8KB"', delivery=FAST)
        gateway.start(wrapper=("prlimit", "--nofile=60"))
        try:
            gateway.apply(OBJECTS.format(port=server.port))
            for number in range(5):
                gateway.send("ann@client.test", f"r{number}@partner.test")
            gateway.error("out")
            with ExitStack() as stack:
                clients = [
                    stack.enter_context(socket.create_connection(("127.0.0.1", gateway.smtp_port), 10))
                    for _ in range(100)
                ]
                wait_until(lambda: descriptors(pid_of(gateway)) >= 59, 10)
                assert clients[-1].recv(1000) == b"421 4.3.2 Not now: too many files are open here\r\n"
                assert clients[-1].recv(1000) == b""
                server.change(banner=None)  # delivery cannot connect either
                used, begun = cpu_seconds(pid_of(gateway)), time.monotonic()
                time.sleep(3)
                share = (cpu_seconds(pid_of(gateway)) - used) / (time.monotonic() - begun)
                assert share < 0.4, f"it computes {share:.0%} of the time"
            wait_until(lambda: answers(gateway.smtp_port), 10, 0.2, "a greeting")
            gateway.send("ann@client.test", "after@partner.test", body="x" * 70 + "\r\n")
            gateway.drained(30)
            assert arrived(server) == [
                "after@partner.test",
                *(f"r{number}@partner.test" for number in range(5)),
            ]
            assert any(line["event"] == "receive.out_of_files" for line in gateway.log())
            assert gateway.ask("queue/audit")["balanced"]
        finally:
            gateway.stop()


QUEUED = 50_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_thousand_waiting_messages_do_not_keep_the_gateway_from_greeting(tmp_path: Path) -> None:
    """Fault matrix 62: 220 within 5 seconds, the queue shown in 1, memory in bounds; then all of it goes, once."""
    port = free_port()
    gateway = GatewayProcess(tmp_path, delivery=FAST)
    with gateway:
        gateway.apply(OBJECTS.format(port=port))
        fill(gateway.smtp_port, QUEUED)
        assert gateway.queued() == QUEUED
    begun = time.monotonic()
    gateway.start()
    seconds = time.monotonic() - begun
    try:
        used = cpu_seconds(pid_of(gateway))
        print(f"greeted after {seconds:.2f} s, {used:.2f} s of the CPU, with {QUEUED} waiting")
        assert used < 5  # what it takes on a machine that does nothing else
        begun = time.monotonic()
        assert gateway.queued() == QUEUED
        assert time.monotonic() - begun < 1
        assert resident(pid_of(gateway)) < 250 << 20
        with FaultServer(port=port, keep=False) as server:
            gateway.drained(600)
            got = arrived(server)
            assert len(got) == len(set(got)) == QUEUED
            assert resident(pid_of(gateway)) < 300 << 20
        assert gateway.ask("queue/audit")["balanced"]
    finally:
        gateway.stop()
