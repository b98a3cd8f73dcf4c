"""How much one address, or one account, may ask of us: counters that forget by themselves.

The tables are bounded: where one is full, the oldest entries go first.
"""

_MAX_ENTRIES = 20_000
_LONGEST_BLOCK = 300.0


class MinuteRate:
    """Count events a minute and key."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._minute = -1
        self._counts: dict[str, int] = {}

    def take(self, key: str, now: float) -> bool:
        """Count one event; return whether it is within the limit (0: no limit)."""
        if not self.limit:
            return True
        minute = int(now // 60)
        if minute != self._minute or len(self._counts) > _MAX_ENTRIES:
            self._minute = minute
            self._counts.clear()
        count = self._counts.get(key, 0) + 1
        self._counts[key] = count
        return count <= self.limit


class LoginGuard:
    """Hold back logins of an account or an address that keeps failing; each failure doubles the wait."""

    def __init__(self, free: int = 5) -> None:
        self.free = free  # failures that cost no wait yet
        self._failures: dict[str, tuple[int, float]] = {}

    def blocked(self, keys: tuple[str, ...], now: float) -> bool:
        """Return whether one of the keys must wait."""
        return any(self._failures.get(key, (0, 0.0))[1] > now for key in keys)

    def failed(self, keys: tuple[str, ...], now: float) -> None:
        """Remember a failure for each key."""
        for key in keys:
            count, until = self._failures.pop(key, (0, 0.0))
            count = 1 if until and now - until > 2 * _LONGEST_BLOCK else count + 1
            wait = min(_LONGEST_BLOCK, 2.0 ** min(count - self.free, 20)) if count > self.free else 0.0
            self._failures[key] = (count, now + wait)
        while len(self._failures) > _MAX_ENTRIES:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, keys: tuple[str, ...]) -> None:
        """Forget the failures of the keys."""
        for key in keys:
            self._failures.pop(key, None)


class Connections:
    """Count connections in all and by address; a share is kept for sources and for who has delivered before."""

    def __init__(self, limit: int, per_address: int, reserved: float = 0.2) -> None:
        self._by_address: dict[str, int] = {}
        self._proven: dict[str, None] = {}  # addresses whose mail was taken, the latest last
        self.total = 0
        self.change(limit, per_address, reserved)

    def change(self, limit: int, per_address: int, reserved: float) -> None:
        """Set the limits; what is open stays open."""
        self._limit = limit
        self._open_to_all = limit - int(limit * reserved)
        self._per_address = per_address

    def refusal(self, address: str, *, known: bool) -> str:
        """Return why one more connection cannot be had, "" where it can."""
        trusted = known or address in self._proven
        if self.total >= (self._limit if trusted else self._open_to_all):
            return "too many connections"
        if not known and self._per_address and self._by_address.get(address, 0) >= self._per_address:
            return "too many connections from this address"
        return ""

    def proved(self, address: str) -> None:
        """Note that a message of this address was taken."""
        self._proven.pop(address, None)
        self._proven[address] = None
        if len(self._proven) > _MAX_ENTRIES:
            del self._proven[next(iter(self._proven))]

    def opened(self, address: str) -> None:
        """Count a connection."""
        self.total += 1
        self._by_address[address] = self._by_address.get(address, 0) + 1

    def closed(self, address: str) -> None:
        """Stop counting a connection."""
        self.total -= 1
        left = self._by_address.get(address, 1) - 1
        if left:
            self._by_address[address] = left
        else:
            self._by_address.pop(address, None)
