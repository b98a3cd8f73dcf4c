"""Which addresses are tried, in which order, and when there are none; with a resolver made of a table."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gatepost.deliver.targets import MAX_TARGETS, OwnEndpoints, Plan, PlanFailure, plan
from gatepost.model.failure import Phase, Reason
from gatepost.model.objects import Connector, SmartHost
from gatepost.model.route import DestinationKey
from gatepost.net.dns import AddressAnswer, DnsFailure, MxAnswer

MX = DestinationKey("mx", "", "a.test")
SMART = DestinationKey("smart", "to-office", "")
FAR = 3600.0


def asked(name: str, kind: str) -> dict[str, object]:
    return {"questions": [{"name": name, "type": kind}]}


@dataclass
class Table:
    """A resolver: what it knows is in two tables; a `Reason` is a failure, `slow` names never end."""

    hosts: dict[str, tuple[str, ...] | Reason] = field(default_factory=dict)
    mail: dict[str, tuple[tuple[int, str], ...] | Reason] = field(default_factory=dict)
    slow: tuple[str, ...] = ()

    async def mx(self, domain: str) -> MxAnswer:
        known = self.mail.get(domain, ())
        if isinstance(known, Reason):
            raise DnsFailure(known, f"{domain}: {known}", asked(domain, "MX"))
        return MxAnswer(known or ((0, domain),), 60, implicit=not known, evidence=asked(domain, "MX"))

    async def addresses(self, name: str) -> AddressAnswer:
        if name in self.slow:
            await asyncio.Event().wait()
        known = self.hosts.get(name, Reason.NXDOMAIN)
        if isinstance(known, Reason):
            raise DnsFailure(known, f"{name}: {known}", asked(name, "A"))
        return AddressAnswer(known, 60, asked(name, "A"))


def nowhere(_address: str, _port: int) -> bool:
    return False


def here(*endpoints: tuple[str, int]) -> Callable[[str, int], bool]:
    return lambda address, port: (address, port) in endpoints


def plan_now(
    key: DestinationKey,
    table: Table,
    connector: Connector | None = None,
    *,
    ours: Callable[[str, int], bool] = nowhere,
    shuffle: Callable[[list[str]], object] = lambda _: None,
    has_route: Callable[[str], bool] = lambda _: True,
) -> Plan | PlanFailure:
    return asyncio.run(plan(key, connector, table, OwnEndpoints(ours), shuffle, has_route=has_route))


def order(planned: Plan | PlanFailure) -> list[tuple[str, str, int]]:
    assert isinstance(planned, Plan), planned
    return [(target.server, target.address, target.port) for target in planned]


def addresses(planned: Plan | PlanFailure) -> list[str]:
    return [address for _, address, _ in order(planned)]


def failure(planned: Plan | PlanFailure) -> tuple[Phase, Reason, str]:
    assert isinstance(planned, PlanFailure), planned
    return planned.phase, planned.reason, planned.server


def office(*hosts: SmartHost, port: int = 25) -> Connector:
    return Connector("to-office", smart_hosts=hosts, port=port)


def test_smart_hosts_are_tried_in_the_order_given_each_with_all_its_addresses() -> None:
    """R1."""
    connector = office(SmartHost("b.test"), SmartHost("a.test", 2525), SmartHost("192.0.2.9"), port=26)
    table = Table(
        {"a.test": ("192.0.2.1", "192.0.2.2"), "b.test": ("192.0.2.3",), "192.0.2.9": ("192.0.2.9",)}
    )
    assert order(plan_now(SMART, table, connector)) == [
        ("b.test", "192.0.2.3", 26),
        ("a.test", "192.0.2.1", 2525),
        ("a.test", "192.0.2.2", 2525),
        ("192.0.2.9", "192.0.2.9", 26),
    ]


def test_a_target_carries_the_evidence_of_its_lookups() -> None:
    """B2."""
    table = Table({"mx.test": ("192.0.2.1",)}, {"a.test": ((10, "mx.test"),)})
    (target,) = list(plan_now(MX, table))  # type: ignore[arg-type]
    assert target.dns == {"questions": [{"name": "a.test", "type": "MX"}, {"name": "mx.test", "type": "A"}]}
    assert target.host == "mx.test"


def test_a_smart_host_that_cannot_be_looked_up_does_not_stop_the_next_one() -> None:
    """R6, fault row 53."""
    connector = office(SmartHost("gone.test"), SmartHost("b.test"))
    planned = plan_now(SMART, Table({"b.test": ("192.0.2.3",)}), connector)
    assert addresses(planned) == ["192.0.2.3"]
    assert isinstance(planned, Plan)
    assert [(problem.phase, problem.reason, problem.server) for problem in planned.problems] == [
        (Phase.DNS, Reason.NXDOMAIN, "gone.test")
    ]


def test_only_when_all_smart_hosts_fail_it_is_a_failure_and_the_passing_one_is_told() -> None:
    connector = office(SmartHost("gone.test"), SmartHost("b.test"))
    planned = plan_now(SMART, Table({"b.test": Reason.SERVFAIL}), connector)
    assert failure(planned) == (Phase.DNS, Reason.SERVFAIL, "b.test")
    assert failure(plan_now(SMART, Table(), connector)) == (Phase.DNS, Reason.NXDOMAIN, "gone.test")


def test_a_host_that_keeps_the_lookup_waiting_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.deliver.targets.PATIENCE", 0.0)
    connector = office(SmartHost("slow.test"), SmartHost("b.test"))
    planned = plan_now(SMART, Table({"b.test": ("192.0.2.3",)}, slow=("slow.test",)), connector)
    assert addresses(planned) == ["192.0.2.3"]
    assert isinstance(planned, Plan)
    assert planned.problems[0].reason is Reason.TIMEOUT


def test_mail_servers_are_tried_by_preference_and_equals_are_shuffled() -> None:
    """R1, RFC 5321 section 5.1."""
    table = Table(
        {f"mx{n}.test": (f"192.0.2.{n}",) for n in (1, 2, 3)},
        {"a.test": ((10, "mx1.test"), (20, "mx2.test"), (20, "mx3.test"))},
    )
    assert addresses(plan_now(MX, table)) == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert addresses(plan_now(MX, table, shuffle=list.reverse)) == ["192.0.2.1", "192.0.2.3", "192.0.2.2"]


def test_the_port_of_the_connector_is_used_for_mail_servers() -> None:
    table = Table({"mx.test": ("192.0.2.1",)}, {"a.test": ((10, "mx.test"),)})
    connector = Connector("partner", use_mx=True, port=2525)
    assert order(plan_now(MX, table)) == [("mx.test", "192.0.2.1", 25)]
    assert order(plan_now(MX, table, connector)) == [("mx.test", "192.0.2.1", 2525)]


def test_a_domain_without_mx_is_its_own_server() -> None:
    assert order(plan_now(MX, Table({"a.test": ("192.0.2.1",)}))) == [("a.test", "192.0.2.1", 25)]


@pytest.mark.parametrize(
    "reason",
    [Reason.NXDOMAIN, Reason.NULL_MX, Reason.SERVFAIL, Reason.TIMEOUT, Reason.REFUSED, Reason.MX_INVALID],
)
def test_what_is_wrong_with_the_domain_is_told_as_it_is(reason: Reason) -> None:
    """Fault rows 49 to 52: a domain that does not exist can be told from one that cannot be asked about."""
    planned = plan_now(MX, Table(mail={"a.test": reason}))
    assert failure(planned) == (Phase.DNS, reason, "a.test")
    assert isinstance(planned, PlanFailure)
    assert planned.dns == asked("a.test", "MX")


@pytest.mark.parametrize("reason", [Reason.NXDOMAIN, Reason.NO_RECORDS])
def test_an_mx_that_leads_nowhere_does_not_mean_that_the_domain_does_not_exist(reason: Reason) -> None:
    """Rule: only the domain's own absence may end mail; a dangling MX can be repaired."""
    planned = plan_now(MX, Table({"mx.test": reason}, {"a.test": ((10, "mx.test"),)}))
    assert failure(planned) == (Phase.DNS, Reason.MX_INVALID, "mx.test")


def test_a_domain_that_has_neither_mx_nor_address_exists_all_the_same() -> None:
    assert failure(plan_now(MX, Table())) == (Phase.DNS, Reason.NO_RECORDS, "a.test")


def test_a_dead_first_mail_server_leaves_the_second() -> None:
    """Fault row 53."""
    table = Table({"mx2.test": ("192.0.2.2",)}, {"a.test": ((10, "gone.test"), (20, "mx2.test"))})
    assert addresses(plan_now(MX, table)) == ["192.0.2.2"]


LOOP = Table(
    {
        "best.test": ("192.0.2.1",),
        "we.test": ("192.0.2.2",),
        "same.test": ("192.0.2.3",),
        "w.test": ("192.0.2.4",),
    },
    {"a.test": ((10, "best.test"), (20, "we.test"), (20, "same.test"), (30, "w.test"))},
)


def test_mail_servers_at_our_own_preference_or_worse_are_left_out() -> None:
    """Rule 15, RFC 5321 section 5.1."""
    planned = plan_now(MX, LOOP, ours=here(("192.0.2.2", 25)))
    assert addresses(planned) == ["192.0.2.1"]
    assert isinstance(planned, Plan)
    assert planned.problems[0].reason is Reason.LOOP


def test_the_best_mail_server_being_ourselves_is_a_loop() -> None:
    """Fault row 52: MX = self."""
    assert failure(plan_now(MX, LOOP, ours=here(("192.0.2.1", 25)))) == (
        Phase.ROUTE,
        Reason.LOOP,
        "best.test",
    )


def test_a_better_mail_server_that_may_come_back_is_waited_for_before_it_is_called_a_loop() -> None:
    table = Table({**LOOP.hosts, "best.test": Reason.SERVFAIL}, LOOP.mail)
    planned = plan_now(MX, table, ours=here(("192.0.2.2", 25)))
    assert failure(planned) == (Phase.DNS, Reason.SERVFAIL, "best.test")


def test_our_address_on_another_port_is_somebody_else() -> None:
    assert addresses(plan_now(MX, LOOP, ours=here(("192.0.2.1", 2525))))[0] == "192.0.2.1"


def test_we_are_recognised_behind_an_ipv4_mapped_address() -> None:
    table = Table({"a.test": ("::ffff:192.0.2.1",)})
    assert failure(plan_now(MX, table, ours=here(("192.0.2.1", 25))))[1] is Reason.LOOP


def test_a_smart_host_that_is_this_gateway_is_a_loop() -> None:
    """Rule 15."""
    connector = office(SmartHost("self.test", 2525))
    table = Table({"self.test": ("127.0.0.1",), "b.test": ("192.0.2.3",)})
    ours = here(("127.0.0.1", 2525))
    assert failure(plan_now(SMART, table, connector, ours=ours)) == (Phase.ROUTE, Reason.LOOP, "self.test")
    both = office(SmartHost("self.test", 2525), SmartHost("b.test"))
    assert addresses(plan_now(SMART, table, both, ours=ours)) == ["192.0.2.3"]


def test_families_take_turns_and_one_without_a_route_comes_last() -> None:
    table = Table({"a.test": ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2")})
    assert addresses(plan_now(MX, table)) == ["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"]
    no_six = addresses(plan_now(MX, table, has_route=lambda address: ":" not in address))
    assert no_six == ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]
    no_four = addresses(plan_now(MX, table, has_route=lambda address: ":" in address))
    assert no_four == ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:0.0.0.0"]
)
def test_an_mx_with_an_address_that_no_host_has_is_invalid(address: str) -> None:
    """Connecting to 0.0.0.0 would reach this machine."""
    planned = plan_now(MX, Table({"a.test": (address,)}))
    assert failure(planned) == (Phase.DNS, Reason.MX_INVALID, "a.test")


def test_an_address_that_two_servers_share_is_tried_once() -> None:
    table = Table(
        {"mx1.test": ("192.0.2.1",), "mx2.test": ("192.0.2.1", "192.0.2.2")},
        {"a.test": ((10, "mx1.test"), (20, "mx2.test"))},
    )
    assert order(plan_now(MX, table)) == [("mx1.test", "192.0.2.1", 25), ("mx2.test", "192.0.2.2", 25)]


def test_the_number_of_targets_is_bounded() -> None:
    """Rule 31."""
    many = tuple(f"10.0.{n // 250}.{n % 250}" for n in range(300))
    assert len(order(plan_now(MX, Table({"a.test": many})))) == MAX_TARGETS


@pytest.mark.parametrize("kind", ["none", "mailbox", "smart"])
def test_a_destination_without_a_next_hop_has_no_route(kind: str) -> None:
    planned = plan_now(DestinationKey(kind, "", "a.test"), Table())
    assert failure(planned) == (Phase.ROUTE, Reason.NO_CONNECTOR, "a.test")
