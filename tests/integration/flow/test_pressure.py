"""Back-pressure has hysteresis and says why (fault rows 14, 19, 20)."""

from gatepost.flow.pressure import Limits, Pressure, resident_bytes


def pressure(tmp_path, **changes):
    values = {"min_free_bytes": 0, "min_free_share": 0.0, "max_messages": 0, "max_memory": 0} | changes
    return Pressure(str(tmp_path), Limits(**values), lambda: 0)


def test_a_machine_with_room_accepts(tmp_path):
    state = pressure(tmp_path)
    assert state.measure() == []
    assert state.reason is None


def test_low_disk_refuses_and_says_why(tmp_path):
    state = pressure(tmp_path, min_free_bytes=1 << 60)
    assert [name for name, _ in state.measure()] == ["disk"]
    assert state.reason is not None
    assert state.reason.startswith("disk is low")
    assert state.measure() == []


def test_a_deep_queue_refuses_until_it_is_a_tenth_shorter(tmp_path):
    count = 100
    state = Pressure(str(tmp_path), Limits(0, 0.0, 100, 0), lambda: count)
    assert state.measure() == [("queue", "queue is deep: 100 messages")]
    count = 95
    assert state.measure() == []
    assert state.reason is not None
    count = 89
    assert state.measure() == [("queue", "")]
    assert state.reason is None


def test_memory_is_watched(tmp_path):
    state = pressure(tmp_path, max_memory=1)
    assert resident_bytes() > 1
    assert state.measure()[0][0] == "memory"


def test_a_broken_store_refuses_everything(tmp_path):
    state = pressure(tmp_path)
    state.broken("the disk failed at a sync")
    state.measure()
    assert state.reason == "the disk failed at a sync"
