"""Passwords that were guessed, by who guesses and at whose account, within an hour (pure, bounded)."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

WINDOW_MS = 3_600_000
MOST = 10_000  # guesses that are remembered
WARN = 10  # failed logins of one client, or at one account from several
ALARM = 50
LONGEST = 100  # characters of a name that is shown
DOORS = ("smtp", "admin")


class Guess(NamedTuple):
    """One failed login; `waited`: it was refused without a look at the password, since too many had failed."""

    at: int  # ms since 1970
    door: str  # one of DOORS
    user: str
    client: str  # IP address
    waited: bool


class Guesser(NamedTuple):
    """Failed logins that belong together; `about` is client or user."""

    about: str
    name: str
    door: str
    tries: int
    others: int  # accounts that a client tried, or clients that tried an account
    waited: int
    since: int

    @property
    def severity(self) -> str:
        """Return how much it matters."""
        return "high" if self.tries >= ALARM else "medium"


class Guesses:
    """What was guessed lately; times are arguments."""

    def __init__(self) -> None:
        self._seen: deque[Guess] = deque(maxlen=MOST)

    def note(self, guess: Guess) -> None:
        """Count a failed login."""
        self._seen.append(guess._replace(user=guess.user[:LONGEST]))

    def notable(self, now: int) -> list[Guesser]:
        """Return the clients that guess, and the accounts that several clients guess at, the most first."""
        while self._seen and self._seen[0].at <= now - WINDOW_MS:
            self._seen.popleft()
        clients: dict[tuple[str, str], list[Guess]] = {}
        users: dict[tuple[str, str], list[Guess]] = {}
        for guess in self._seen:
            clients.setdefault((guess.door, guess.client), []).append(guess)
            users.setdefault((guess.door, guess.user), []).append(guess)
        found = [_guesser("client", *key, seen, {g.user for g in seen}) for key, seen in clients.items()]
        from_many = [_guesser("user", *key, seen, {g.client for g in seen}) for key, seen in users.items()]
        found += [guesser for guesser in from_many if guesser.others > 1]
        return sorted((g for g in found if g.tries >= WARN), key=lambda g: (-g.tries, g.about, g.name))


def _guesser(about: str, door: str, name: str, seen: list[Guess], others: Iterable[str]) -> Guesser:
    waited = sum(guess.waited for guess in seen)
    return Guesser(about, name, door, len(seen), len(set(others)), waited, seen[0].at)
