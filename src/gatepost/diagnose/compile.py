"""Make `rules.json` out of `rules/*.toml`: the rules as the program loads them, with an index of their phrases.

Run after a change: `python -m gatepost.diagnose.compile`. A test compares.
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from gatepost.diagnose.phrases import Index
from gatepost.diagnose.rules import COMPILED

FOLDER = Path(__file__).parent / "rules"
FILES = tuple(sorted(path.stem for path in FOLDER.glob("*.toml") if path.stem != "codes"))


def compiled() -> str:
    """Return the content of `rules.json`."""
    data = sources()
    rows = [_rule(name, row) for name, row in data.items()]
    index: Index[int] = Index()
    for number, row in enumerate(data.values()):
        for phrase in lines(row["phrases"]):
            index.add(phrase, number)
    codes = _read("codes")
    content = {
        "rules": rows,
        "codes": [_code(data) for data in codes["code"]],
        "digits": [[d["smtp"], d["class"], d["weight"], d.get("phase", "")] for d in codes["digits"]],
        "index": index.tables(),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"


def sources() -> dict[str, dict[str, Any]]:
    """Return all rules of words as they are written, by name."""
    found: dict[str, dict[str, Any]] = {}
    for file in FILES:
        for name, data in _read(file).items():
            if name in found:
                raise ValueError(f"two rules are called {name}")
            found[name] = data
    return found


def _read(file: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{file}.toml").read_text("utf-8"))


def _rule(name: str, data: dict[str, Any]) -> list[Any]:
    """Return a rule in the order of the fields of `rules.Rule`."""
    known = {
        "class",
        "weight",
        "phrases",
        "sample",
        "sub",
        "phase",
        "reason",
        "also",
        "unless",
        "smtp",
        "phases",
    }
    if unknown := set(data) - known:
        raise ValueError(f"{name}: {unknown}")
    return [
        name,
        data["class"],
        data["weight"],
        data["sample"],
        data.get("sub", ""),
        data.get("phase", ""),
        data.get("reason", ""),
        data.get("also", []),
        lines(data.get("unless", "")),
        data.get("smtp", []),
        data.get("phases", []),
    ]


def lines(text: str) -> list[str]:
    """Return the phrases of a field, one a line."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _code(data: dict[str, Any]) -> list[Any]:
    """Return a rule of codes in the order of the fields of `rules.CodeRule`."""
    also = data.get("also", [])
    return [data["codes"], data["class"], data["weight"], data.get("sub", ""), data.get("phase", ""), also]


if __name__ == "__main__":
    COMPILED.write_text(compiled(), "utf-8")
    sys.exit(0)
