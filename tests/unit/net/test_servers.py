"""How name servers and names are written in settings."""

import pytest

from gatepost.model.failure import Reason
from gatepost.net.dns import DnsFailure, literal_address, to_query_name
from gatepost.net.dns_query import parse_server


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5300", ("192.0.2.1", 5300)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5300", ("2001:db8::1", 5300)),
        ("[2001:db8::1]:", ("2001:db8::1", 53)),
    ],
)
def test_a_name_server_is_an_address_with_or_without_a_port(text: str, server: tuple[str, int]) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize("text", ["192.0.2.1:x", "192.0.2.1:0", "192.0.2.1:99999"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a name server"):
        parse_server(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("[IPv6:2001:DB8::7]", "2001:db8::7"),
        ("a.test", ""),
        ("192.0.2", ""),
        ("", ""),
    ],
)
def test_an_address_in_place_of_a_name_is_recognised(text: str, address: str) -> None:
    assert literal_address(text) == address


def test_names_are_asked_in_lower_case_a_labels() -> None:
    assert to_query_name("MAIL.Bücher.Test.") == "mail.xn--bcher-kva.test"
    assert to_query_name("_25._tcp.a.test") == "_25._tcp.a.test"
    with pytest.raises(DnsFailure) as caught:
        to_query_name(".".join(["x" * 60] * 5))
    assert caught.value.reason is Reason.NO_RECORDS
