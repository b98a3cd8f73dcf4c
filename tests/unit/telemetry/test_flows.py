"""The counts of mail flow: bounded, in stretches, forgotten when they are old."""

from gatepost.telemetry.flows import (
    ACCEPTED,
    COARSE_MS,
    FINE_MS,
    MAX_PENDING,
    MAX_WAYS,
    FlowCounts,
    Stretch,
    Way,
    from_rows,
    rows,
)

NOON = 1_795_608_000_000  # a whole hour


class Clock:
    def __init__(self):
        self.at = NOON

    def __call__(self):
        return self.at


def made():
    clock = Clock()
    flows = FlowCounts(clock, node=3)
    flows.accepted_domain = lambda domain: domain.lower() if domain.lower() == "contoso.example" else ""
    return clock, flows


def test_recipients_are_counted_by_way_in_short_and_long_stretches():
    clock, flows = made()
    flows.count("cloud", "ann@Contoso.example", 7, ACCEPTED)
    flows.count("cloud", "bob@contoso.EXAMPLE", 7, ACCEPTED)
    flows.count("cloud", "x@elsewhere.example", 8, "delivered")
    expected = {Way("cloud", "contoso.example", 7, ACCEPTED): 2, Way("cloud", "", 8, "delivered"): 1}
    assert flows.since(NOON) == [(Stretch(FINE_MS, NOON, 3), expected)]
    clock.at += FINE_MS
    flows.count("cloud", "ann@contoso.example", 7, ACCEPTED)
    assert [sum(counted.values()) for _stretch, counted in flows.since(NOON)] == [3, 1]
    week = flows.since(NOON - 6 * 24 * COARSE_MS)
    assert [(stretch.length, sum(counted.values())) for stretch, counted in week] == [(COARSE_MS, 4)]


def test_how_mail_travelled_is_counted_by_who_brought_it_and_by_where_it_went():
    _, flows = made()
    flows.count("cloud", "ann@contoso.example", 7, ACCEPTED, "received:TLSv1.3")
    flows.count("cloud", "ann@contoso.example", 7, "delivered", "sent:clear")
    flows.count("cloud", "ann@contoso.example", 7, "delivered")
    ((_stretch, counted),) = flows.since(NOON)
    assert counted == {
        Way("cloud", "contoso.example", 7, ACCEPTED): 1,
        Way("cloud", "contoso.example", 0, "received:TLSv1.3"): 1,
        Way("cloud", "contoso.example", 7, "delivered"): 2,
        Way("", "contoso.example", 7, "sent:clear"): 1,
    }


def test_what_changed_is_told_once_and_comes_back_from_what_is_kept():
    _clock, flows = made()
    flows.count("", "ann@contoso.example", 7, "returned")
    changed = flows.changes()
    assert changed == [Stretch(FINE_MS, NOON, 3), Stretch(COARSE_MS, NOON, 3)]
    assert flows.changes() == []
    assert Stretch.of(changed[0].key) == changed[0]
    counted = flows.stretches[changed[0]]
    assert from_rows(rows(counted)) == counted


def test_old_stretches_are_forgotten():
    clock, flows = made()
    flows.count("cloud", "ann@contoso.example", 7, ACCEPTED)
    flows.fold()
    clock.at += 25 * COARSE_MS
    flows.changes()
    assert {stretch.length for stretch in flows.stretches} == {COARSE_MS}
    clock.at += 7 * 24 * COARSE_MS
    flows.changes()
    assert not flows.stretches


def test_a_flood_of_ways_is_counted_together_and_none_is_lost():
    """Rule 2: whoever writes to a million domains does not fill the memory."""
    _clock, flows = made()
    flows.accepted_domain = lambda domain: ""
    for number in range(3 * MAX_PENDING):
        flows.count("cloud", f"x@{number}.example", number, "delivered")
    assert len(flows._pending) <= MAX_PENDING + 1
    ((_stretch, counted),) = flows.since(NOON)
    assert len(counted) <= MAX_WAYS + 1
    assert sum(counted.values()) == 3 * MAX_PENDING
