"""How a story is told: a plot (what happens, in order), and what the gateway has to make of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.stories import Crew, Stage

Plot = Callable[[Stage, Crew, str], Awaitable[None]]
BOTH = ("on-premises", "partner")


@dataclass(frozen=True)
class Story:
    """A plot and its moral; `owner` "there" is whoever runs the destination."""

    name: str
    plot: Plot
    failure_class: str
    cause: str
    owner: str
    fix: str
    because: frozenset[str] = frozenset()  # rules that must be among the evidence of the first cause
    to: tuple[str, ...] = BOTH
    scope: str = "destination"
    connector: str = "to-office"  # of the insight
    decided: bool | None = None
    words: str = ""  # that the evidence of the first cause must hold
    parameters: Mapping[str, object] = field(default_factory=dict)  # of the first fix, among others


STORIES: list[Story] = []


def story(
    name: str, failure_class: str, cause: str, owner: str, fix: str, *because: str, **more: Any
) -> Callable[[Plot], Plot]:
    """Tell the plot below under this name."""

    def keep(plot: Plot) -> Plot:
        STORIES.append(Story(name, plot, failure_class, cause, owner, fix, frozenset(because), **more))
        return plot

    return keep


async def worked(stage: Stage, crew: Crew, to: str, **faults: Any) -> int:
    """Let mail flow once, and the server then stop; return its port."""
    server = crew.server(**faults)
    await stage.connector(f"127.0.0.1:{server.port}", to=to)
    await stage.delivered()
    await stage.hours(2)
    server.stop()
    return server.port
