"""Dot-stuffing there and back, in any pieces."""

from hypothesis import given
from hypothesis import strategies as st

from gatepost.smtp.body import Normaliser, Stuffer, Unstuffer, stuff, unstuff

TEXT = st.lists(st.sampled_from([b".", b"\r\n", b"\r", b"\n", b"x", b"..", b"\r\n."])).map(b"".join)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    found = []
    for cut in cuts:
        found.append(data[:cut])
        data = data[cut:]
    return [*found, data]


@given(TEXT, st.lists(st.integers(0, 5)))
def test_stuffing_there_and_back_changes_nothing(text: bytes, cuts: list[int]) -> None:
    stuffer, unstuffer = Stuffer(), Unstuffer()
    stuffed = b"".join(map(stuffer.feed, pieces(text, cuts)))
    assert stuffed == stuff(text)
    assert b"".join(map(unstuffer.feed, pieces(stuffed, cuts))) == text == unstuff(stuffed)


@given(TEXT)
def test_stuffed_content_never_holds_an_end_of_data(text: bytes) -> None:
    assert b"\r\n.\r\n" not in b"\r\n" + stuff(text)


@given(TEXT, st.lists(st.integers(0, 5)))
def test_normalised_content_is_clean_in_any_pieces(text: bytes, cuts: list[int]) -> None:
    """Neither a bare newline nor an end of data is made of what came (rule 2)."""
    normaliser = Normaliser()
    clean = b"".join(map(normaliser.feed, pieces(text + b"\r\n", cuts)))
    assert b"\r\n.\r\n" not in b"\r\n" + clean
    assert clean.count(b"\r") == clean.count(b"\n") == clean.count(b"\r\n")
    assert clean == Normaliser().feed(text + b"\r\n")
