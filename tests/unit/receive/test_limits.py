"""Limits of addresses and accounts (rules 17 and 18)."""

from gatepost.receive.limits import Connections, LoginGuard, MinuteRate


def test_a_fifth_of_the_connections_is_kept_for_known_sources() -> None:
    connections = Connections(10, 0)
    for _ in range(8):
        assert connections.refusal("192.0.2.1", known=False) == ""
        connections.opened("192.0.2.1")
    assert connections.refusal("192.0.2.2", known=False)
    assert connections.refusal("192.0.2.2", known=True) == ""
    connections.opened("192.0.2.2")
    connections.opened("192.0.2.2")
    assert connections.refusal("192.0.2.2", known=True)
    connections.closed("192.0.2.2")
    assert connections.refusal("192.0.2.2", known=True) == ""


def test_one_unknown_address_gets_its_share_only() -> None:
    connections = Connections(100, 2)
    connections.opened("192.0.2.1")
    connections.opened("192.0.2.1")
    assert connections.refusal("192.0.2.1", known=False)
    assert connections.refusal("192.0.2.1", known=True) == ""
    assert connections.refusal("192.0.2.2", known=False) == ""
    connections.closed("192.0.2.1")
    assert connections.refusal("192.0.2.1", known=False) == ""


def test_a_rate_is_by_the_minute_and_by_the_address() -> None:
    rate = MinuteRate(2)
    assert [rate.take("a", 0.0) for _ in range(3)] == [True, True, False]
    assert rate.take("b", 59.0)
    assert rate.take("a", 60.0)
    assert all(MinuteRate(0).take("a", 0.0) for _ in range(100))


def test_failing_logins_wait_longer_each_time() -> None:
    guard, keys = LoginGuard(), ("user ann", "address 192.0.2.1")
    for _ in range(5):
        guard.failed(keys, 0.0)
    assert not guard.blocked(keys, 0.5)
    guard.failed(keys, 1.0)
    assert guard.blocked(keys, 2.9)
    assert guard.blocked(("user bob", "address 192.0.2.1"), 2.9)
    assert not guard.blocked(keys, 3.1)
    for _ in range(40):
        guard.failed(keys, 4.0)
    assert guard.blocked(keys, 303.0)
    assert not guard.blocked(keys, 305.0)
    guard.succeeded(keys)
    assert not guard.blocked(keys, 5.0)


def test_who_has_delivered_before_may_use_what_is_kept() -> None:
    """Rule 17."""
    connections = Connections(10, 0, 0.5)
    for _ in range(5):
        connections.opened("192.0.2.1")
    assert connections.refusal("192.0.2.9", known=False)
    connections.proved("192.0.2.9")
    assert connections.refusal("192.0.2.9", known=False) == ""


def test_limits_that_are_lowered_close_nothing_and_let_nothing_in() -> None:
    connections = Connections(10, 0)
    for _ in range(5):
        connections.opened("192.0.2.1")
    connections.change(5, 0, 0.0)
    assert connections.refusal("192.0.2.2", known=True)
    connections.closed("192.0.2.1")
    assert connections.refusal("192.0.2.2", known=False) == ""


def test_how_many_logins_may_fail_is_a_setting() -> None:
    guard = LoginGuard(free=1)
    guard.failed(("user ann",), 0.0)
    assert not guard.blocked(("user ann",), 0.5)
    guard.failed(("user ann",), 0.5)
    assert guard.blocked(("user ann",), 1.0)
