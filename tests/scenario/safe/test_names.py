"""Attacks by way of the DNS: false, broken, endless and circular answers (rule 31)."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.scenario.safe.conftest import World
from tests.support.dns_server import GARBAGE, NOISE, SHORT, TRUNCATED_ONLY, WRONG_ID, WRONG_QUESTION
from tests.support.peers import wait_until

CIRCLE = {"circle.test": {"CNAME": "circle2.test"}, "circle2.test": {"CNAME": "circle.test"}}
LONG_CHAIN: dict[str, Any] = {
    f"chain{n}.test": {"CNAME": f"chain{n + 1}.test", "stop": True} for n in range(12)
}
HOSTILE: dict[str, Mapping[str, Any] | str] = {
    "garbage.test": GARBAGE,
    "noise.test": NOISE,
    "wrongid.test": WRONG_ID,
    "wrongquestion.test": WRONG_QUESTION,
    "short.test": SHORT,
    "truncated.test": TRUNCATED_ONLY,
    **CIRCLE,
    **LONG_CHAIN,
}


@pytest.mark.parametrize(
    "domain", [*[d for d in HOSTILE if not d.startswith(("circle2", "chain"))], "chain0.test"]
)
def test_rule_31_a_hostile_answer_is_a_failed_question_and_no_more(world: World, domain: str) -> None:
    world.names.zones.update(HOSTILE)
    recipient = f"who@{domain}"
    with world.client() as client:
        assert client.message("a@client.test", recipient, b"Subject: x\r\n\r\n.\r\n").startswith(b"250")
    error = wait_until(lambda: world.error_of(recipient), 20, what=f"an error for {domain}")
    assert error is not None
    assert (error["flow_code"], error["phase"]) == ("4.4.312", "dns"), error


def test_rule_31_more_mail_servers_and_addresses_than_anyone_needs_are_cut(world: World) -> None:
    """150 MX, the first of 400 addresses: the first ones are tried, the message does not wait for all."""
    world.names.zones["many.test"] = {"MX": [f"{n} mx{n}.many.test" for n in range(150)]}
    addresses = [f"127.77.{n // 250}.{n % 250 + 1}" for n in range(400)]
    for number in range(150):
        world.names.zones[f"mx{number}.many.test"] = {"A": ["127.77.9.9"] if number else addresses}
    with world.client() as client:
        assert client.message("a@client.test", "who@many.test", b"Subject: x\r\n\r\n.\r\n").startswith(b"250")
    error = wait_until(lambda: world.error_of("who@many.test"), 30, what="an error for many.test")
    assert error is not None
    assert error["flow_code"] == "4.4.316", error
    asked = {name for name, kind, _ in world.names.questions if name.endswith(".many.test") and kind == "A"}
    assert len(asked) <= 100
    tried = world.message_of("who@many.test")["attempts"]
    assert 0 < len(tried) <= 300
