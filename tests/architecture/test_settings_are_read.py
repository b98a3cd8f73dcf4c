"""A setting that nobody reads is a promise that nobody keeps."""

import ast
from collections.abc import Iterator
from pathlib import Path

from gatepost.config.schema import walk
from gatepost.config.settings import Settings

SOURCE = Path(__file__).resolve().parents[2] / "src" / "gatepost"
OWN = SOURCE / "config" / "settings.py"

# settings that wait for the part which will read them: name -> which part
NOT_YET: dict[str, str] = {}


def sections() -> dict[str, str]:
    """Return the dotted name of each section by the name of its class."""
    found: dict[str, str] = {"Settings": "settings"}

    def below(cls: type, prefix: str) -> None:
        for item in cls.__dataclass_fields__.values():  # type: ignore[attr-defined]
            if "section" in item.metadata:
                found[item.metadata["section"].__name__] = prefix + item.name
                below(item.metadata["section"], f"{prefix}{item.name}.")

    below(Settings, "")
    return found


def last_name(node: ast.expr) -> str:
    """Return the last word of `a.b.c`, "" where it is no such chain."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def aliases(tree: ast.AST) -> dict[str, set[str]]:
    """Return what each plain name of a module stands for: `delivery = world.settings.delivery`."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            many = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            pairs = zip(target.elts, node.value.elts, strict=True) if many else [(target, node.value)]
            for name, value in pairs:
                if isinstance(name, ast.Name) and last_name(value):
                    found.setdefault(name.id, set()).add(last_name(value))
    return found


def reads(module: Path) -> Iterator[tuple[str, str]]:
    """Yield (section, setting) for each attribute that a module reads."""
    tree = ast.parse(module.read_text())
    known = aliases(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            owner = last_name(node.value)
            for section in {owner, *known.get(owner, ())}:
                yield section, node.attr


def read_by_their_own_section() -> Iterator[tuple[str, str]]:
    """Yield what methods of the sections read of themselves."""
    names = sections()
    for node in ast.parse(OWN.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name in names:
            section = names[node.name].rpartition(".")[2]
            for below in ast.walk(node):
                if isinstance(below, ast.Attribute) and last_name(below.value) == "self":
                    yield section, below.attr
                elif isinstance(below, ast.Attribute) and isinstance(below.value, ast.Attribute):
                    yield below.value.attr, below.attr


def unread() -> set[str]:
    """Return the settings that no module reads."""
    read = set(read_by_their_own_section())
    for module in SOURCE.rglob("*.py"):
        if module != OWN:
            read |= set(reads(module))
    found = set()
    for name, _ in walk(Settings):
        section = name.rpartition(".")[0].rpartition(".")[2] or "settings"
        if (section, name.rpartition(".")[2]) not in read:
            found.add(name)
    return found


def test_every_setting_is_read_somewhere() -> None:
    assert unread() == set(NOT_YET)
