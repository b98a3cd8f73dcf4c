"""Message and attempt ids: 63-bit integers ordered by time, shown as 13 characters of Crockford's base 32.

42 bits of milliseconds since 1970, 6 bits of node, 15 bits of sequence; so an id fits a signed 64-bit column
of any database, sorts by creation, and carries its own time of birth.
"""

from collections.abc import Callable
from functools import lru_cache

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DECODE = {c: i for i, c in enumerate(ALPHABET)} | {c.lower(): i for i, c in enumerate(ALPHABET)}
_DECODE |= {"O": 0, "o": 0, "I": 1, "i": 1, "L": 1, "l": 1}
LENGTH = 13
_PAIRS = [a + b for a in ALPHABET for b in ALPHABET]


@lru_cache(maxsize=4096)
def to_text(number: int) -> str:
    """Return the 13-character form of an id; kept, since a message on its way is named four times."""
    return _head(number >> 20) + _PAIRS[(number >> 10) & 1023] + _PAIRS[number & 1023]


@lru_cache(maxsize=256)
def _head(number: int) -> str:
    """Return the first nine characters: the time, which the ids of a moment have in common."""
    pairs = _PAIRS
    return (
        ALPHABET[(number >> 40) & 31]
        + pairs[(number >> 30) & 1023]
        + pairs[(number >> 20) & 1023]
        + pairs[(number >> 10) & 1023]
        + pairs[number & 1023]
    )


def from_text(text: str) -> int:
    """Return the integer of a 13-character id; `ValueError` where it is none."""
    if len(text) != LENGTH:
        raise ValueError(f"{text!r} is not a message id: 13 letters and digits are expected")
    number = 0
    for character in text:
        value = _DECODE.get(character)
        if value is None:
            raise ValueError(f"{text!r} is not a message id: {character!r} cannot stand in one")
        number = number << 5 | value
    if number >> 63:
        raise ValueError(f"{text!r} is not a message id: it is too large")
    return number


def born(number: int) -> int:
    """Return when the id was made, in milliseconds since 1970."""
    return number >> 21


def first_of(milliseconds: int) -> int:
    """Return the smallest id that can have been made at that time."""
    return milliseconds << 21


class IdMaker:
    """Hand out ids that only grow, whatever the clock does."""

    def __init__(self, clock_ms: Callable[[], int], node: int = 0, floor: int = 0) -> None:
        self._clock_ms = clock_ms
        self._node = (node & 63) << 15
        self._last_ms = floor >> 21
        self._sequence = 0

    def __call__(self) -> int:
        """Return the next id."""
        now = self._clock_ms()
        if now > self._last_ms:
            self._last_ms = now
            self._sequence = 0
        else:
            self._sequence += 1
            if self._sequence >> 15:
                self._last_ms += 1
                self._sequence = 0
        return self._last_ms << 21 | self._node | self._sequence
