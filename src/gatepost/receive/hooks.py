"""What the receiving side asks the rest of the gateway, and the verdicts that it gets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from gatepost.model.mail import NewMessage
from gatepost.model.objects import Source


@dataclass(frozen=True, slots=True)
class Accept:
    """The recipient is taken; its mail goes to this destination."""

    destination_id: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """The sender or recipient is refused with this reply."""

    code: int
    enhanced: str
    text: str
    unknown: bool = False  # a recipient that does not exist


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a session asks the rest of the gateway; all but `check_login` are plain calls on the loop."""

    source_for: Callable[[str, bool, tuple[str, ...], str], Source | None]
    sender: Callable[[Source | None, str], Refuse | None]
    recipient: Callable[[Source | None, str, str, str], Accept | Refuse]
    keep: Callable[[NewMessage, Callable[[BaseException | None], None]], None]
    new_id: Callable[[], int]
    now: Callable[[], int]
    pressure: Callable[[], Refuse | None]
    check_login: Callable[[str, str], Awaitable[bool]]
    say: "Say"
    count: "Count"
    blocked: Callable[[Source | None, str, str], Refuse | None] = lambda source, client, sender: None
    unknown: Callable[[Source | None, str, str, str, int], None] = lambda *seen: None
    guessed: "Guessed" = lambda user, client, *, waited: None


class Say(Protocol):
    """Write a line of the log."""

    def __call__(self, event: str, /, **fields: object) -> None:
        """Write it."""


class Guessed(Protocol):
    """Count a failed login."""

    def __call__(self, user: str, client: str, /, *, waited: bool) -> None:
        """Count it; `waited`: it was refused without a look at the password."""


class Count(Protocol):
    """Count something; labels are bounded words, never addresses."""

    def __call__(self, name: str, /, **labels: str) -> None:
        """Count it."""
