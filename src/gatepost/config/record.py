"""Read one object (a table of TOML or JSON) field by field, collecting every problem on the way."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from gatepost.config import values
from gatepost.config.problems import BadValue, Problem, did_you_mean

T = TypeVar("T")
ReadFile = Callable[[str], str]


def no_files(path: str) -> str:
    """Refuse to read a file: what the API takes must not name files of this machine."""
    raise BadValue(
        f"{values.shown(path)} is a path, and no file can be read here", "give the content instead"
    )


class Record:
    """One object that is being read."""

    def __init__(
        self, data: Mapping[str, object], where: str, known: Iterable[str], problems: list[Problem]
    ) -> None:
        self.data = data
        self.where = where
        self.problems = problems
        names = list(known)
        problems += [
            Problem(f"{where}.{key}", "no such field", did_you_mean(key, names))
            for key in data
            if key not in names
        ]

    def has(self, key: str) -> bool:
        """Tell whether a field is given (null counts as not given)."""
        return self.data.get(key) is not None

    def get(self, key: str, default: T, reader: Callable[[object], T]) -> T:
        """Return a field's value, the default where it is missing or wrong."""
        value = self.data.get(key)
        if value is None:
            return default
        try:
            return reader(value)
        except BadValue as problem:
            self.problems.append(problem.at(f"{self.where}.{key}"))
            return default

    def each(self, key: str, reader: Callable[[object], T]) -> tuple[T, ...]:
        """Return a list field; every entry that is wrong is a problem of its own."""
        value = self.data.get(key)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            self.wrong(
                key, f"{values.shown(value)} is not a list", "put it in brackets, even where it is only one"
            )
            return ()
        return self.entries(key, value, reader)

    def entries(self, key: str, given: Iterable[object], reader: Callable[[object], T]) -> tuple[T, ...]:
        """Return what the entries of a list mean, without those that are wrong and those that come again."""
        found: dict[Any, None] = {}
        for entry in given:
            try:
                found[reader(entry)] = None
            except BadValue as problem:
                self.problems.append(problem.at(f"{self.where}.{key}"))
        return tuple(found)

    def wrong(self, key: str, message: str, hint: str = "") -> None:
        """Note a problem of a field, or of the object itself where the key is empty."""
        self.problems.append(Problem(f"{self.where}.{key}" if key else self.where, message, hint))
