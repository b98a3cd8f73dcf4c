"""The forms that values are written in."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.config import values
from gatepost.config.problems import BadValue
from gatepost.model.objects import SmartHost


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30), ("4h", 14400), ("1h30m", 5400), ("30d", 2592000), ("1d1h1m1s", 90061)]
)
def test_a_duration_is_a_number_with_a_unit(text, expected):
    assert values.seconds(text) == expected


@pytest.mark.parametrize("value", ["", "30", "s", "-1s", "1.5h", "1m 30s", "30S", "٣s", 30, None, ["30s"]])
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(BadValue):
        values.seconds(value)


@given(st.integers(min_value=0, max_value=10**9 - 1))
def test_a_shown_duration_reads_back_as_itself(number):
    assert values.seconds(values.show_duration(number)) == number


def test_a_day_is_shown_as_the_contract_writes_it():
    assert values.show_duration(86400) == "24h"
    assert values.show_duration(30 * 86400) == "30d"


def test_a_timeout_may_be_written_in_milliseconds():
    assert values.timeout("250ms") == 0.25
    with pytest.raises(BadValue):
        values.timeout("0ms")


def test_the_default_retry_table_is_four_minutes_then_half_an_hour_then_every_ten():
    """R3."""
    assert values.schedule(["1m*4", "5m*6", "10m"]) == (60,) * 4 + (300,) * 6 + (600,)


@given(st.lists(st.integers(min_value=1, max_value=604800), min_size=1, max_size=50))
def test_a_shown_schedule_reads_back_as_itself(steps):
    assert values.schedule(values.show_schedule(steps)) == tuple(steps)


@given(st.integers(min_value=0, max_value=1 << 49))
def test_a_shown_size_reads_back_as_itself(number):
    assert values.size(values.show_size(number)) == number


def test_a_megabyte_is_1024_kilobytes():
    assert values.size("150MB") == 150 * 1024 * 1024
    assert values.size("2 GB") == 2 << 30
    assert values.size(5) == 5


def test_free_disk_is_a_share_or_a_size():
    assert values.threshold("5%") == (0, 0.05)
    assert values.threshold("2GB") == (2 << 30, 0.0)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:2525", "127.0.0.1", 2525), ("[::1]:25", "::1", 25), ("[0:0::1]:0", "::1", 0)],
)
def test_an_endpoint_has_an_address_and_a_port(text, host, port):
    assert values.address_endpoint(text) == (host, port)


def test_an_endpoint_is_shown_as_it_is_written():
    assert str(values.Endpoint("::1", 25)) == "[::1]:25"
    assert str(values.Endpoint("127.0.0.1", 25)) == "127.0.0.1:25"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mail.Contoso.example", SmartHost("mail.contoso.example")),
        ("192.0.2.7:2525", SmartHost("192.0.2.7", 2525)),
        ("192.0.2.7", SmartHost("192.0.2.7")),
        ("[2001:db8::7]:25", SmartHost("2001:db8::7", 25)),
        ("[2001:DB8::7]", SmartHost("2001:db8::7")),
        ("2001:db8::7", SmartHost("2001:db8::7")),
        ("bücher.example:26", SmartHost("xn--bcher-kva.example", 26)),
    ],
)
def test_a_smart_host_is_a_name_or_an_address_with_or_without_port(text, expected):
    """R1."""
    found = values.smart_host(text)
    assert found == expected
    assert values.smart_host(found.text()) == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", "*"),
        ("*.Contoso.example", "*.contoso.example"),
        ("中国.example", "xn--fiqs8s.example"),
        ("a_b.example", "a_b.example"),
    ],
)
def test_a_pattern_is_a_domain_in_a_labels_or_a_wildcard_of_the_first_label(text, expected):
    assert values.pattern(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "a..b", "-a.example", "a b", "a\x00b", "*a.example", "a.*", "x" * 64, "a。b"],
)
def test_what_is_no_domain_is_refused(text):
    with pytest.raises(BadValue):
        values.pattern(text)


def test_an_address_is_compared_in_lower_case_and_a_labels():
    assert values.mail_address("Ann.Lee@Bücher.EXAMPLE") == "ann.lee@xn--bcher-kva.example"


@given(st.text(max_size=40))
def test_no_text_breaks_a_reader(text):
    readers = (
        values.seconds,
        values.size,
        values.threshold,
        values.endpoint,
        values.smart_host,
        values.pattern,
    )
    for read in (*readers, values.network, values.mail_address, values.timeout, values.certificate_name):
        with suppress(BadValue):
            read(text)
