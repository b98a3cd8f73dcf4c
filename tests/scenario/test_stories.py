"""Stories with real counterparts and a clock where hours pass: first cause, whose side, first fix (B3, R6-R13).

Each story is a plot (what happens, in order) and what the gateway has to make of it. A gateway of its own tells each in
this process, with mail over SMTP, names over DNS, certificates over TLS; `stage.hours` sets its clocks forward.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.plots import reaching, refusing  # noqa: F401 (they tell their stories when they are read)
from tests.support.plots.telling import STORIES, Story
from tests.support.stories import Crew, Stage

from gatepost.model.failure import FailureClass

CASES = [pytest.param(one, to, id=f"{one.name} ({to})") for one in STORIES for to in one.to]
# what no attempt of our own can end in: nothing failed, the time is over, or we put it off ourselves
NO_FAILURE = {FailureClass.DELIVERED, FailureClass.EXPIRED, FailureClass.QUEUED_RETRY}


@pytest.mark.parametrize(("told", "to"), CASES)
def test_the_first_cause_whose_side_it_is_and_the_first_fix(
    told: Story, to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B3, R13."""

    async def tell() -> dict[str, Any]:
        async with Stage(tmp_path, monkeypatch, dns=crew.names.address) as stage:
            await told.plot(stage, crew, to)
            return await stage.insight(told.connector, failure_class=told.failure_class, scope=told.scope)

    crew = Crew(tmp_path)
    try:
        found = asyncio.run(tell())
    finally:
        crew.stop()
    ranking, fix = found["ranking"], found["fixes"][0]
    first = ranking["causes"][0]
    owner = to if told.owner == "there" else told.owner
    assert (found["class"], first["id"], first["owner"]) == (told.failure_class, told.cause, owner)
    assert fix["action"] == told.fix
    assert told.parameters.items() <= fix["parameters"].items()
    assert told.because <= found["rules"]
    assert all(first["because"])
    assert len(first["because"]) == len(found["rules"])
    assert any(told.words in text for text in first["because"]) or not told.words
    if told.decided is not None:
        assert ranking["decided"] is told.decided
    assert ranking["decided"] or ranking["next_check"]
    if to == "partner":
        assert "fix_now" not in [offer["action"] for offer in found["fixes"]]


def test_every_class_that_an_attempt_can_end_in_has_a_story():
    """R12."""
    assert len(CASES) >= 25
    assert {told.failure_class for told in STORIES} == {str(c) for c in set(FailureClass) - NO_FAILURE}
