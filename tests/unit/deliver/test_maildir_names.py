"""Names and contents of Maildir files: what an address may and may not do to a path."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.deliver.maildir import mailbox, safe_name, trace_headers, unstuffed
from gatepost.smtp.body import stuff


@given(st.text(max_size=200))
def test_no_address_leads_out_of_the_folder(text: str) -> None:
    """Rule 25: path traversal."""
    name = safe_name(text)
    assert "/" not in name
    assert "\0" not in name
    assert not name.startswith(".")
    assert 0 < len(name.encode()) < 250


@given(st.text(max_size=60), st.text(max_size=60))
def test_two_mailboxes_never_share_a_folder(one: str, other: str) -> None:
    if one.lower() != other.lower():
        assert safe_name(one) != safe_name(other)


def test_an_ordinary_address_stays_readable() -> None:
    assert mailbox(Path("r"), "Ann.Lee+x@contoso.example") == Path("r/contoso.example/ann.lee+x")
    assert mailbox(Path("r"), "../../etc/passwd@..") == Path("r/%2e./%2e.%2f..%2fetc%2fpasswd")


@given(st.lists(st.sampled_from(["a", ".", "..", "", "b."]), min_size=1), st.integers(1, 9))
def test_wire_form_becomes_a_file_wherever_it_is_cut(lines: list[str], size: int) -> None:
    content = "".join(f"{line}\r\n" for line in lines).encode()
    wire = stuff(content)
    chunks = [wire[i : i + size] for i in range(0, len(wire), size)]
    assert b"".join(unstuffed(chunks)) == content.replace(b"\r\n", b"\n")


def test_the_last_line_is_ended() -> None:
    assert b"".join(unstuffed([b"no end"])) == b"no end\n"


@pytest.mark.parametrize("address", ["a\nBcc: x@y", "a\r@b", "a\0@b"])
def test_an_address_cannot_add_a_header(address: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        trace_headers("s@a.test", address)
