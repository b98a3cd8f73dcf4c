"""Planning with the real resolver and a name server."""

import asyncio
import random

from tests.support.dns_server import NXDOMAIN, SERVFAIL, DnsServer

from gatepost.deliver.targets import OwnEndpoints, Plan, PlanFailure, plan
from gatepost.model.failure import Phase, Reason
from gatepost.model.objects import Connector, SmartHost
from gatepost.model.route import DestinationKey
from gatepost.net.dns import Resolver
from gatepost.net.routes import has_route


def plan_now(
    server: DnsServer, key: DestinationKey, connector: Connector | None = None
) -> Plan | PlanFailure:
    async def run() -> Plan | PlanFailure:
        resolver = Resolver([server.address], timeout=0.5)
        own = OwnEndpoints(lambda address, port: (address, port) == ("127.0.0.5", 25))
        try:
            return await plan(key, connector, resolver, own, random.shuffle)
        finally:
            await resolver.close()

    return asyncio.run(run())


def test_the_mail_servers_of_a_domain_are_found() -> None:
    """R1, fault rows 52 and 53: one dead name, an alias, and one that is ourselves."""
    zones = {
        "a.test": {"MX": ["5 gone.test", "10 mx1.test", "20 alias.test", "30 self.test", "40 worse.test"]},
        "mx1.test": {"A": ["127.0.0.1"]},
        "alias.test": {"CNAME": "mx2.test"},
        "mx2.test": {"A": ["127.0.0.2"]},
        "self.test": {"A": ["127.0.0.5"]},
        "worse.test": {"A": ["127.0.0.6"]},
    }
    with DnsServer(zones) as server:
        planned = plan_now(server, DestinationKey("mx", "", "a.test"))
    assert isinstance(planned, Plan)
    assert [(target.server, target.address) for target in planned] == [
        ("mx1.test", "127.0.0.1"),
        ("alias.test", "127.0.0.2"),
    ]
    assert [problem.reason for problem in planned.problems] == [Reason.MX_INVALID, Reason.LOOP]


def test_smart_hosts_and_literals_are_found() -> None:
    hosts = (SmartHost("mail.test"), SmartHost("broken.test"), SmartHost("127.0.0.9", 2525), SmartHost("::1"))
    connector = Connector("to-office", smart_hosts=hosts, port=26)
    with DnsServer({"mail.test": {"A": ["127.0.0.1"]}, "broken.test": SERVFAIL}) as server:
        planned = plan_now(server, DestinationKey("smart", "to-office", ""), connector)
    assert isinstance(planned, Plan)
    assert [(target.address, target.port) for target in planned] == [
        ("127.0.0.1", 26),
        ("127.0.0.9", 2525),
        ("::1", 26),
    ]
    assert [problem.server for problem in planned.problems] == ["broken.test"]


def test_a_domain_that_does_not_exist_is_told_from_one_with_a_dangling_mx() -> None:
    with DnsServer({"a.test": {"MX": ["10 gone.test"]}, "b.test": NXDOMAIN}) as server:
        first = plan_now(server, DestinationKey("mx", "", "a.test"))
        second = plan_now(server, DestinationKey("mx", "", "b.test"))
    assert isinstance(first, PlanFailure)
    assert isinstance(second, PlanFailure)
    assert (first.phase, first.reason) == (Phase.DNS, Reason.MX_INVALID)
    assert (second.phase, second.reason) == (Phase.DNS, Reason.NXDOMAIN)


def test_there_is_a_way_to_this_machine() -> None:
    assert has_route("127.0.0.1")
    assert not has_route("not an address")
