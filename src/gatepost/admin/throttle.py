"""Who guesses waits: after some failures of an account or an address, longer each time."""

from collections.abc import Sequence
from dataclasses import dataclass

FREE_TRIES = 5
LONGEST_WAIT = 300_000  # ms
FORGET = 3_600_000  # ms without a failure after which all are forgotten
MEMORY = 10_000  # accounts and addresses


@dataclass(slots=True)
class _Tries:
    failures: int = 0
    until: int = 0  # ms
    at: int = 0  # ms: the last one


class Throttle:
    """Counts failures by key; times are ms since 1970."""

    def __init__(self) -> None:
        self._tries: dict[str, _Tries] = {}

    def wait(self, keys: Sequence[str], now: int) -> int:
        """Return how many seconds the keys must wait; 0: they need not."""
        until = max((self._tries[key].until for key in keys if key in self._tries), default=0)
        return (until - now) // 1000 + 1 if until > now else 0

    def failed(self, keys: Sequence[str], now: int) -> None:
        """Count a failure of each key; done before the answer is known, so that many guesses at once count too."""
        for key in keys:
            tries = self._tries.pop(key, None) or _Tries()
            tries.failures = tries.failures + 1 if now - tries.at < FORGET else 1
            tries.at = now
            if tries.failures >= FREE_TRIES:
                tries.until = now + min(LONGEST_WAIT, 1000 << min(12, tries.failures - FREE_TRIES))
            self._tries[key] = tries  # last: the one that is forgotten last
        while len(self._tries) > MEMORY:
            del self._tries[next(iter(self._tries))]

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of an account, and the last one of an address that was counted ahead."""
        self._tries.pop(account, None)
        tries = self._tries.get(address)
        if tries is not None:
            tries.failures, tries.until = tries.failures - 1, 0
