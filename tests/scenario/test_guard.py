"""The guard warns through the real preview, from facts that the gateway gathered itself (B4)."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.peers import free_port
from tests.support.stories import Crew, Stage

from gatepost.fix.edit import Target
from gatepost.flow.fixing import Asked

Trouble = Callable[[Stage, Crew], Awaitable[None]]


async def answered_yesterday(stage: Stage, crew: Crew) -> None:
    """A server took mail, and is gone since."""
    server = crew.server()
    await stage.connector(f"127.0.0.1:{server.port}")
    await stage.delivered()
    server.stop()
    await stage.send()
    await stage.insight()
    await stage.hours(20)


async def other_hosts_work(stage: Stage, crew: Crew) -> None:
    """One of two smart hosts takes all mail."""
    server = crew.server()
    await stage.connector(f"127.0.0.1:{free_port()}", f"127.0.0.1:{server.port}")
    await stage.delivered()


async def our_network_is_down(stage: Stage, crew: Crew) -> None:
    """Four destinations that worked are silent at the same time."""
    names = {
        "office": crew.server(),
        "fabrikam": crew.server(),
        "tailspin": crew.server(),
        "wingtip": crew.server(),
    }
    for name, server in names.items():
        await stage.connector(f"127.0.0.1:{server.port}", name=f"to-{name}", domain=f"{name}.test")
        await stage.delivered(f"{name}.test")
    await stage.hours(1)
    for name, server in names.items():
        server.stop()
        crew.silent(server.port)
        await stage.send(f"{name}.test")
    for name in names:
        await stage.insight(f"to-{name}")
    await stage.settle()


async def never_worked(stage: Stage, crew: Crew) -> None:
    """A server that never took mail."""
    await stage.connector(f"127.0.0.1:{free_port()}")
    await stage.send()
    await stage.insight()


@pytest.mark.parametrize(
    ("trouble", "warnings"),
    [
        (answered_yesterday, {"worked_lately"}),
        (other_hosts_work, {"hosts_work", "worked_lately"}),
        (our_network_is_down, {"gateway_wide", "worked_lately"}),
        (never_worked, set()),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_a_fix_that_takes_mail_away_is_warned_of(
    trouble: Trouble, warnings: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B4: "this looks like an outage", with its evidence; without any the guard is silent."""

    async def previewed() -> set[str]:
        async with Stage(tmp_path, monkeypatch, dns=crew.names.address) as stage:
            await trouble(stage, crew)
            preview = stage.gateway.control.fixing.preview
            found = {}
            for action in ("fix_now", "return_now", "retry"):
                seen = await preview(Asked(Target("to-office"), action, {}, "ann"))
                found[action] = {because.rule for because in seen.warnings}
                assert all(because.text.format(**because.values) for because in seen.warnings)
            assert found["retry"] == set(), "it takes nothing away"
            assert found["fix_now"] == found["return_now"]
            return found["fix_now"]

    crew = Crew(tmp_path)
    try:
        found = asyncio.run(previewed())
    finally:
        crew.stop()
    assert warnings <= found
    assert bool(found) is bool(warnings)
