"""A schema of settings: a field holds type, default and documentation; loader and manual are made from it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from gatepost.config.problems import BadValue, Problem, did_you_mean

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: its name in the manual, its reader, how a variable's text is written as TOML."""

    label: str
    read: Callable[[object], Any]
    from_text: Callable[[str], object] = str


class Override(NamedTuple):
    """The value of an environment variable that stands in for a setting."""

    variable: str
    value: str


Overrides = Mapping[str, Override]


def setting(kind: Kind, default: object, doc: str, *, restart: bool = False) -> Any:
    """Return a field that holds one setting; `default` is written as in the file.

    `restart`: a running process keeps the value that it was started with.
    """
    metadata = {"kind": kind, "default": default, "doc": doc, "restart": restart}
    return field(default=kind.read(default), metadata=metadata)


def section(cls: type[Any], doc: str) -> Any:
    """Return a field that holds a table of settings."""
    return field(default_factory=cls, metadata={"section": cls, "doc": doc})


def walk(cls: type[Any], prefix: str = "") -> Iterator[tuple[str, Field[Any]]]:
    """Yield every setting below a class with its dotted name, in order."""
    for item in fields(cls):
        if "section" in item.metadata:
            yield from walk(item.metadata["section"], f"{prefix}{item.name}.")
        else:
            yield prefix + item.name, item


def value_of(settings: object, name: str) -> object:
    """Return the value of a setting by its dotted name."""
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


def with_value(settings: T, name: str, value: object) -> T:
    """Return settings in which one, by its dotted name, has another value."""
    part, _, below = name.partition(".")
    return replace(settings, **{part: with_value(getattr(settings, part), below, value) if below else value})


def read(
    cls: type[T], table: object, prefix: str, base: Path, overrides: Overrides, problems: list[Problem]
) -> T:
    """Return the settings of a table; what is wrong goes to `problems`, and its default stands instead."""
    where = prefix.rstrip(".")
    if not isinstance(table, dict):
        problems.append(Problem(where, "must be a table", f"start it with a line [{where}]"))
        table = {}
    known = [item.name for item in fields(cls)]
    problems += [
        Problem(prefix + key, "no such setting", did_you_mean(key, known))
        for key in table
        if key not in known
    ]
    values: dict[str, Any] = {}
    for item in fields(cls):
        name = prefix + item.name
        if "section" in item.metadata:
            below = table.get(item.name, {})
            values[item.name] = read(item.metadata["section"], below, name + ".", base, overrides, problems)
        else:
            values[item.name] = _value(item, name, table, base, overrides, problems)
    return cls(**values)


def _value(
    item: Field[Any],
    name: str,
    table: dict[str, object],
    base: Path,
    overrides: Overrides,
    problems: list[Problem],
) -> Any:
    kind: Kind = item.metadata["kind"]
    value = item.default
    override = overrides.get(name)
    try:
        if override is not None:
            value = kind.read(kind.from_text(override.value))
        elif item.name in table:
            value = kind.read(table[item.name])
    except BadValue as problem:
        problems.append(problem.at(override.variable if override else name))
    return base / value if isinstance(value, Path) else value


def variable(name: str) -> str:
    """Return the environment variable that overrides a setting: `smtp.listen` -> `GATEPOST_SMTP_LISTEN`."""
    return "GATEPOST_" + name.replace(".", "_").upper()
