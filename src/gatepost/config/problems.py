"""What is wrong with a file that an administrator wrote: where, what, and what to do; all of it at once."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong: where (`smtp.listen`), what, and how to put it right ("" where obvious)."""

    where: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}"
        return f"{text} (hint: {self.hint})" if self.hint else text


class Problems(Exception):
    """A file or object that cannot be used, with every problem that it has."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class BadSettings(Problems):
    """The settings of the process cannot be used."""


class BadObjects(Problems):
    """Connectors, accepted domains or sources cannot be used."""


class BadValue(ValueError):
    """A single value that cannot stand where it stands; whoever knows the place makes a `Problem` of it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def at(self, where: str) -> Problem:
        """Return the problem that this value is at a place."""
        return Problem(where, self.message, self.hint)


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.65) -> str:
    """Return the hint for a name that does not exist: the nearest one that does, else all of them."""
    import difflib  # noqa: PLC0415 - needed only where something is wrong already

    names = sorted(known)
    near = difflib.get_close_matches(word, names, 1, cutoff)
    return f'did you mean "{near[0]}"?' if near else f"known here: {', '.join(names)}"
