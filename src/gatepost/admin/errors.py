"""What the administration says no to: one sentence with what to do, in a form that can be translated.

Rule: the sentence is English and a key of the catalogue; `tr` marks it, whoever shows it translates it.
"""

from collections.abc import Callable, Sequence

from gatepost.config.problems import Problem
from gatepost.i18n import said, tr

__all__ = ["tr"]


class AdminError(Exception):
    """A request that cannot be done; `status` is HTTP's, `kind` the last part of the problem's type."""

    status = 400
    kind = "bad-request"
    title = tr("This cannot be done")

    def __init__(self, sentence: str, /, problems: Sequence[Problem] = (), **fields: object) -> None:
        super().__init__(sentence.format(**fields) if fields else sentence)
        self.sentence = sentence
        self.fields = fields
        self.problems = list(problems)

    def text(self, translate: Callable[[str], str]) -> str:
        """Return the sentence in a language."""
        sentence = translate(self.sentence)
        fields = {name: said(value, translate) for name, value in self.fields.items()}
        return sentence.format(**fields) if fields else sentence


class NotFound(AdminError):
    """What was named does not exist."""

    status = 404
    kind = "not-found"
    title = tr("Not found")


class Invalid(AdminError):
    """What was given cannot be used; `problems` says all of it."""

    status = 422
    kind = "invalid"
    title = tr("Not valid")


class Conflict(AdminError):
    """Somebody else was faster, or the state does not allow it."""

    status = 409
    kind = "conflict"
    title = tr("Conflict")


class Unauthorized(AdminError):
    """Nobody knows who is asking."""

    status = 401
    kind = "unauthorized"
    title = tr("Who is asking?")


class Forbidden(AdminError):
    """Who is asking may not do this."""

    status = 403
    kind = "forbidden"
    title = tr("Not allowed")


class TooMany(AdminError):
    """Whoever guesses waits; `seconds` says how long."""

    status = 429
    kind = "too-many"
    title = tr("Too many failures")

    def __init__(self, sentence: str, /, seconds: int) -> None:
        super().__init__(sentence, seconds=seconds)
        self.seconds = seconds


class SecondFactor(AdminError):
    """Who is asking is known by password or link; a code is needed too. `ticket` goes with it."""

    status = 401
    kind = "second-factor"
    title = tr("One more step")

    def __init__(self, ticket: str, sentence: str = tr("Enter the code that your app shows.")) -> None:
        super().__init__(sentence)
        self.ticket = ticket


class Unavailable(AdminError):
    """The gateway cannot answer now."""

    status = 503
    kind = "unavailable"
    title = tr("Not available now")
