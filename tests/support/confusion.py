"""Print how often texts with known answers are judged right, and what is taken for what.

`python -m tests.support.confusion [FILE ...]`

A file holds one JSON object a line: `text`, `class`, perhaps `also` (accepted neighbours), `server`, `code`, `sub`,
`phase`, `permanent`; what a line leaves out is not counted for it.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from gatepost.explain.judge import judge
from gatepost.explain.record import Judgement
from gatepost.explain.texts import read

DATA = Path(__file__).parents[1] / "data"
FILES = ("failure-texts.jsonl", "more-texts.jsonl", "returned-texts.jsonl", "written-texts.jsonl")
Row = dict
CHECKS: dict[str, Callable[[Row, Judgement], bool]] = {
    "class": lambda row, said: said.failure_class in (row["class"], *row.get("also", ())),
    "code": lambda row, said: said.flow_code == row["code"],
    "server": lambda row, said: (said.record.server or None) == row["server"],
    "sub": lambda row, said: not row["sub"] or said.sub == row["sub"],
    "phase": lambda row, said: not row["phase"] or said.phase == row["phase"],
    "permanent": lambda row, said: said.permanent == row["permanent"],
}


def rows(path: Path) -> list[Row]:
    """Return the texts of a file with their answers."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def judged(text: str) -> Judgement:
    """Return what is said of a text, as `gatepost explain` would."""
    return judge(read(text)[0])


def wrong(found: list[Row], check: str) -> list[tuple[Row, Judgement]]:
    """Return the texts of which something known is judged otherwise."""
    known = [(row, judged(row["text"])) for row in found if check in row]
    return [(row, said) for row, said in known if not CHECKS[check](row, said)]


def share(found: list[Row], check: str) -> float | None:
    """Return how much of what is known is judged right; None where nothing is."""
    known = sum(check in row for row in found)
    return 1 - len(wrong(found, check)) / known if known else None


def table(found: list[Row]) -> Counter[tuple[str, str]]:
    """Return what is taken for what, accepted neighbours left out."""
    return Counter((row["class"], str(said.failure_class)) for row, said in wrong(found, "class"))


def main(names: list[str]) -> int:
    """Print the figures of each file, the confusion table and the texts that are judged wrong."""
    for path in [Path(name) for name in names] or [DATA / name for name in FILES if (DATA / name).exists()]:
        found = rows(path)
        shares = {check: share(found, check) for check in CHECKS}
        said = ", ".join(f"{check} {part:.1%}" for check, part in shares.items() if part is not None)
        print(f"{path.name}: {len(found)} texts: {said}")
        for (meant, taken), count in table(found).most_common():
            print(f"  {count:3} {meant} taken for {taken}")
        for row, judgement in wrong(found, "class") if names else ():
            print(f"      {row['class']} -> {judgement.failure_class}: {row['text'][:100]!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
