"""Envelope addresses: what the grammar takes, byte for byte, and what it refuses (rules 10-12)."""

import pytest

from gatepost.smtp.address import BadAddress, domain_of, parse_path, to_ascii


@pytest.mark.parametrize(
    ("data", "address", "domain"),
    [
        (b"<ann@contoso.example>", "ann@contoso.example", "contoso.example"),
        (b"<Ann.B+tag@CONTOSO.example>", "Ann.B+tag@CONTOSO.example", "CONTOSO.example"),
        (b"<a%b!c@x.example>", "a%b!c@x.example", "x.example"),
        (b'<"a b"@x.example>', '"a b"@x.example', "x.example"),
        (b'<"a@b"@x.example>', '"a@b"@x.example', "x.example"),
        (b'<"a>b"@x.example>', '"a>b"@x.example', "x.example"),
        (b'<"a\\"b"@x.example>', '"a\\"b"@x.example', "x.example"),
        (b'<""@x.example>', '""@x.example', "x.example"),
        (b"<a@[192.0.2.7]>", "a@[192.0.2.7]", "[192.0.2.7]"),
        (b"<a@[IPv6:2001:db8::7]>", "a@[IPv6:2001:db8::7]", "[IPv6:2001:db8::7]"),
        (b"<@one.example,@two.example:a@x.example>", "a@x.example", "x.example"),
        (b"<>", "", ""),
        (b"<PostMaster>", "PostMaster", ""),
        (b"<a@localhost>", "a@localhost", "localhost"),
        ("<жук@пример.example>".encode(), "жук@пример.example", "пример.example"),
        (b"<" + b"a" * 64 + b"@x.example>", "a" * 64 + "@x.example", "x.example"),
    ],
)
def test_an_address_of_the_grammar_is_kept_byte_for_byte(data: bytes, address: str, domain: str) -> None:
    path = parse_path(data, utf8=True)
    assert (path.address, path.domain) == (address, domain)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a@x.example",
        b"<a@x.example",
        b"<a@x.example>>",
        b"<a@x.example> x",
        b"<a@@x.example>",
        b"<a@b@x.example>",
        b"<@x.example>",
        b"<a@>",
        b"<a>",
        b"<a@x.example.>",
        b"<a@.x.example>",
        b"<a@x..example>",
        b"<.a@x.example>",
        b"<a.@x.example>",
        b"<a..b@x.example>",
        b"<a b@x.example>",
        b"<a@x .example>",
        b"<a@-x.example>",
        b"<a@x-.example>",
        b"<a@x_y.example>",
        b"<a(comment)@x.example>",
        b"<a\0@x.example>",
        b"<a\r@x.example>",
        b"<a\n@x.example>",
        b"<a\x7f@x.example>",
        b'<"a\0"@x.example>',
        b'<"a@x.example>',
        b'<"a"b@x.example>',
        b"<\xff@x.example>",
        b"<a@\xc0\xaf.example>",
        b"<a@[192.0.2.256]>",
        b"<a@[192.0.2.7>",
        b"<a@[IPv6:192.0.2.7]>",
        b"<a@[x-tag:data]>",
        "<a@x。example>".encode(),
        "<a＠x.example>".encode(),
        "<a\u2028@x.example>".encode(),
        "<a\x85@x.example>".encode(),
        b"<" + b"a" * 65 + b"@x.example>",
        b"<a@" + b"x" * 64 + b".example>",
        b"<a@" + b"x." * 130 + b"example>",
        b"<@a..example:b@x.example>",
        b"<@a.example:postmaster>",
        b"<@a.example:>",
    ],
)
def test_what_is_not_in_the_grammar_is_refused(data: bytes) -> None:
    with pytest.raises(BadAddress):
        parse_path(data, utf8=True)


def test_eight_bits_need_smtputf8() -> None:
    with pytest.raises(BadAddress):
        parse_path("<жук@x.example>".encode(), utf8=False)


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("a@X.Example", "x.example"),
        ('"a@evil.example"@x.example', "x.example"),
        ("a@Bücher.example", "xn--bcher-kva.example"),
        ("a@[IPv6:2001:DB8::7]", "[ipv6:2001:db8::7]"),
        ("postmaster", ""),
        ("", ""),
    ],
)
def test_the_domain_is_what_follows_the_last_at_sign(address: str, domain: str) -> None:
    assert domain_of(address) == domain


def test_a_cyrillic_look_alike_is_another_domain() -> None:
    assert to_ascii("сontoso.example") != "contoso.example"


@pytest.mark.parametrize(
    "domain", ["x" * 64, "a." * 127 + "aa", "", "x.", "x\u3002example", "\u2024.example"]
)
def test_a_domain_that_is_none_is_refused(domain: str) -> None:
    with pytest.raises(BadAddress):
        to_ascii(domain)


def test_a_hostile_address_takes_no_time() -> None:
    for data in (b"<" + b"a." * 900 + b"!", b"<a@" + b"a-" * 900, b'<"' + b"\\a" * 900, b"<@" + b"a,@" * 600):
        with pytest.raises(BadAddress):
            parse_path(data, utf8=True)
