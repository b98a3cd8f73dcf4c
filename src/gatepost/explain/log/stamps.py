"""The times of lines as octets: syslog of both kinds, each minute worked out once.

Rule: a time without a zone is one of this machine's zone, as syslog writes it; a year that is left out is the latest
that does not lie in the future.
"""

from functools import lru_cache

from gatepost.explain.lines.syslog import iso_ms, local_ms

_DAY = 86_400


class Clock:
    """Turns the stamps of a log into seconds since 1970; `now` (ms) is the time when the log was written last."""

    def __init__(self, now: int) -> None:
        self._now = now // 1000
        self._stamp = b""
        self._at = 0
        self._minute = lru_cache(maxsize=4096)(self._base)

    def __call__(self, stamp: bytes) -> int:
        """Return the time of a stamp; 0 where it is none."""
        if stamp != self._stamp:
            self._stamp, self._at = stamp, self._read(stamp)
        return self._at

    def _read(self, stamp: bytes) -> int:
        iso = stamp[4:5] == b"-"
        minute, second = (stamp[:16], stamp[17:19]) if iso else (stamp[:12], stamp[13:15])
        base = self._minute(minute + (stamp[19:].lstrip(b".,0123456789") if iso else b""))
        return base + int(second) if base and second.isdigit() else 0

    def _base(self, minute: bytes) -> int:
        text = minute.decode("ascii", "replace")
        if text[4:5] == "-":
            return iso_ms(f"{text[:16]}:00{text[16:]}", local=True) // 1000
        return local_ms(text[:3], text[4:6], text[7:] + ":00", self._now * 1000) // 1000
