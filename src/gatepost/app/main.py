"""The process: settings, store, listeners, signals; start in order, stop in the reverse order.

Guarantee: SIGTERM takes no new mail, lets what is under way end, and loses nothing; a second gateway on the same data
folder refuses to start.
"""

import asyncio
import errno
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from gatepost.app.process import forbid_dumps, keep_memory, limit_memory
from gatepost.config.settings import BadSettings, Settings, load
from gatepost.storage.interface import StoreLocked, StoreUnusable

# Seconds that the store's threads wait for the loop: until then each pause of the loop wakes them, mostly in vain.
SWITCH_INTERVAL = 0.0001
HINTS = {  # what to do where a port cannot be had
    errno.EADDRINUSE: " Another program listens there: stop it, or choose another port in the settings.",
    errno.EADDRNOTAVAIL: " This machine has no such address: correct the settings.",
    errno.EACCES: " Ports below 1024 need root: start as root with `user` set, or by systemd with its unit.",
}
GC_THRESHOLD = (50_000, 20, 100)  # messages are freed by reference counts; fewer walks over what lives long


def main(config_path: str | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run a gateway until a signal ends it; returns the exit code (0 done, 2 settings)."""
    environ = os.environ if environ is None else environ
    try:
        settings = load(config_path, environ)
    except BadSettings as problem:
        complain(str(problem))
        return 2
    os.umask(0o077)
    forbid_dumps()
    unlimited = limit_memory(settings.process.memory)
    if unlimited:
        complain(f"The memory of the process could not be limited: {unlimited}.")
    try:
        Path(settings.data_dir).mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as problem:
        complain(f"data_dir {settings.data_dir} cannot be made: {problem.strerror}.")
        return 2
    keep_memory()
    sys.setswitchinterval(SWITCH_INTERVAL)
    try:
        with asyncio.Runner(loop_factory=loop_factory(settings.process.loop)) as runner:
            return runner.run(_serve(settings, config_path, environ))
    except ModuleNotFoundError as problem:
        if problem.name != "uvloop":
            raise
        complain(
            "process.loop is uvloop, which is not installed: pip install 'gatepost[fast]', or set it to auto."
        )
        return 2
    except (BadSettings, StoreLocked, StoreUnusable) as problem:
        complain(str(problem))
        return 2
    except OSError as problem:
        words, hint = str(problem), ""
        if problem.errno and not problem.filename:  # it is about a port
            words, hint = problem.strerror or words, HINTS.get(problem.errno, "")
        complain(f"The gateway cannot start: {words}.{hint}")
        return 2


def loop_factory(wanted: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop; `ModuleNotFoundError` where uvloop is demanded and missing."""
    if wanted == "asyncio":
        return asyncio.SelectorEventLoop
    try:
        uvloop = importlib.import_module("uvloop")
    except ModuleNotFoundError:
        if wanted == "uvloop":
            raise
        return asyncio.SelectorEventLoop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def complain(text: str) -> None:
    """Say on standard error why the gateway does not run."""
    sys.stderr.write(text + "\n")


async def _serve(settings: Settings, config_path: str | None, environ: Mapping[str, str]) -> int:
    from gatepost.app.gateway import Gateway  # noqa: PLC0415 - heavy; settings are checked before

    gateway = Gateway(settings, lambda: load(config_path, environ))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, gateway.reload)
    try:
        await gateway.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLD)
        notify("READY=1")
        await stop.wait()
        notify("STOPPING=1")
    finally:
        await gateway.stop()
    return 0


def notify(state: str) -> None:
    """Tell the service manager of a change of state (sd_notify), where there is one."""
    import socket  # noqa: PLC0415

    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.sendto(state.encode(), address)
        except OSError:
            return
