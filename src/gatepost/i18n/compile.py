"""Read `.po` files, write `.mo` files, find the sentences that the sources say (for developers and tests).

`python -m gatepost.i18n.compile` compiles the files of `zh_CN/`, one per area, into `zh_CN.mo` and prints every
sentence that has no translation yet, in a form that can be pasted into one of them.
"""

import ast
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from gatepost.i18n import FOLDER

_NAMES = frozenset({"_", "tr"})
_IN_TEMPLATE = re.compile(r"""\b(?:_|tr)\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
_PLACEHOLDER = re.compile(r"\{(\w*)[^{}]*\}|%\((\w+)\)s|%[sd]")


class BadCatalogue(Exception):
    """A line of a `.po` file is not what it should be."""


def parse_po(text: str) -> dict[str, str]:
    """Return the translations of a `.po` file (no plurals or contexts); `BadCatalogue` names a wrong line."""
    entries: dict[str, str] = {}
    key, value, target = "", "", ""
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        line = raw.strip()
        if line.startswith("msgid "):
            key, value, target, line = "", "", "key", line[6:]
        elif line.startswith("msgstr "):
            target, line = "value", line[7:]
        elif not line or line.startswith("#"):
            if target == "value":
                _add(entries, key, value, number)
            target = ""
            continue
        if not target or not (line.startswith('"') and line.endswith('"')):
            raise BadCatalogue(f"line {number}: {raw!r} is neither a comment, msgid, msgstr nor a string")
        piece = str(ast.literal_eval(line))
        if target == "key":
            key += piece
        else:
            value += piece
    return entries


def catalogue(folder: Path = FOLDER) -> dict[str, str]:
    """Return all translations of all areas; `BadCatalogue` where two areas disagree on a sentence."""
    entries: dict[str, str] = {}
    for path in sorted((folder / "zh_CN").glob("*.po")):
        for key, value in parse_po(path.read_text("utf-8")).items():
            if entries.setdefault(key, value) != value and key:
                raise BadCatalogue(f"{path.name}: {key!r} is translated otherwise in another file")
    return entries


def _add(entries: dict[str, str], key: str, value: str, number: int) -> None:
    if key in entries:
        raise BadCatalogue(f"line {number}: {key!r} is translated twice")
    entries[key] = value


def mo_bytes(entries: dict[str, str]) -> bytes:
    """Return the binary form (GNU MO, little endian, keys in order of their bytes)."""
    pairs = sorted((k.encode(), v.encode()) for k, v in entries.items() if v)
    start = 28 + 16 * len(pairs)
    keys, values = b"", b""
    key_at = start
    value_at = start + sum(len(k) + 1 for k, _ in pairs)
    key_table, value_table = b"", b""
    for key, value in pairs:
        key_table += struct.pack("<II", len(key), key_at + len(keys))
        value_table += struct.pack("<II", len(value), value_at + len(values))
        keys += key + b"\0"
        values += value + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, start)
    return header + key_table + value_table + keys + values


def sentences(root: Path) -> dict[str, str]:
    """Return every sentence that sources and templates under a folder say, each with its first place."""
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix == ".py":
            says = sentences_of_source(path.read_text("utf-8"))
        elif path.suffix in {".html", ".jinja", ".j2"}:
            says = sentences_of_template(path.read_text("utf-8"))
        else:
            continue
        for line, sentence in says:
            found.setdefault(sentence, f"{path.relative_to(root).as_posix()}:{line}")
    return found


def sentences_of_source(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each `_("...")` or `tr("...")` of a Python source."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0]
        if name in _NAMES and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield node.lineno, first.value


def sentences_of_template(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each `_("...")` of a template."""
    for match in _IN_TEMPLATE.finditer(source):
        text = match[1] if match[1] is not None else match[2]
        yield source.count("\n", 0, match.start()) + 1, text.replace('\\"', '"').replace("\\'", "'")


def placeholders(text: str) -> list[str]:
    """Return the placeholders of a sentence, sorted, so that two languages can be compared."""
    return sorted(match[0] for match in _PLACEHOLDER.finditer(text))


def quoted(text: str) -> str:
    """Return a string as a `.po` file writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main() -> int:
    """Compile the Chinese catalogue; exit 1 where sentences have no translation."""
    entries = catalogue()
    (FOLDER / "zh_CN.mo").write_bytes(mo_bytes(entries))
    missing = {s: where for s, where in sentences(FOLDER.parent).items() if not entries.get(s)}
    for sentence, where in missing.items():
        sys.stdout.write(f'#: {where}\nmsgid {quoted(sentence)}\nmsgstr ""\n\n')
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
