"""Connections to all destinations together: a limit that is fair, and that the dead cannot use up."""

import asyncio

import pytest
from tests.unit.queue.test_lanes import POLICY, World, item, lane_of, turns

from gatepost.model.route import DestinationKey
from gatepost.queue.lane import Lane
from gatepost.queue.lanes import Lanes


@pytest.fixture
def world():
    world = World()
    world.limit = 2
    world.lanes = Lanes(world, lambda key: Lane(key, None, POLICY), lambda: world.limit)
    return world


def fill(world, name, number):
    lane = lane_of(world, name)
    for n in range(number):
        world.lanes.enqueue(lane, item(n, lane))
    return lane


def ended(world, connection):
    """Let a connection finish its message and go."""
    connection.lane.under_way -= 1
    connection.items.clear()
    connection.busy = False
    world.lanes.detach(connection.lane, connection)


def test_no_more_connections_than_the_setting_says(world):
    async def story():
        first, second = fill(world, "a", 5), fill(world, "b", 5)
        await turns()
        assert len(world.connections) == 2
        assert len(first.connections) + len(second.connections) == 2

    asyncio.run(story())


def test_what_becomes_free_goes_to_who_waits_longest(world):
    async def story():
        first = fill(world, "a", 5)
        await turns()
        second, third = fill(world, "b", 1), fill(world, "c", 1)
        await turns()
        assert not second.connections
        for connection in list(first.connections):
            ended(world, connection)
            await turns()
        assert second.connections
        assert third.connections
        assert world.lanes.slots.used == 2

    asyncio.run(story())


def test_an_idle_connection_is_closed_for_who_waits(world):
    async def story():
        world.limit = 1
        first = fill(world, "a", 1)
        await turns()
        connection = next(iter(first.connections))
        connection.items.clear()
        connection.busy = False
        first.under_way -= 1
        world.lanes.rest(first, connection)
        second = fill(world, "b", 1)
        await turns()
        assert not first.connections
        assert second.connections

    asyncio.run(story())


def test_a_connection_that_has_nothing_to_do_any_more_makes_room(world):
    async def story():
        world.limit = 1
        first = fill(world, "a", 1)
        await turns()
        second = fill(world, "b", 1)
        await turns()
        assert not second.connections
        connection = next(iter(first.connections))
        connection.items.clear()
        connection.busy = False
        first.under_way -= 1
        world.lanes.rest(first, connection)
        await turns()
        assert second.connections

    asyncio.run(story())


def test_probes_leave_half_of_the_connections_to_those_that_live(world):
    async def story():
        world.works = False
        dead = [fill(world, name, 1) for name in ("a", "b", "c")]
        await turns()
        assert {lane.state for lane in dead} == {"retry"}
        world.works = True
        for lane in dead:
            world.lanes.probe(lane)
        await turns()
        assert [len(lane.connections) for lane in dead] == [1, 0, 0]
        living = fill(world, "d", 1)
        await turns()
        assert living.connections
        world.lanes.succeeded(dead[0])  # no probe any more: another one may have its turn
        ended(world, next(iter(living.connections)))
        await turns()
        assert len(dead[1].connections) == 1

    asyncio.run(story())


def test_a_connection_that_does_not_come_about_gives_its_place_back(world):
    async def story():
        world.works = False
        for name in ("a", "b", "c", "d"):
            fill(world, name, 1)
            await turns()
        assert world.connects == 4
        assert world.lanes.slots.used == 0

    asyncio.run(story())


def test_our_own_mailbox_store_never_waits_for_a_place(world):
    async def story():
        fill(world, "a", 5)
        await turns()
        own = world.lanes.get(DestinationKey("mailbox", "", ""))
        world.lanes.enqueue(own, item(99, own))
        await turns()
        assert own.connections

    asyncio.run(story())
