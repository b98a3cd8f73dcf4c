"""The mails of tests/data/bounces, and what each must be read as."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "data" / "bounces"
CASES: dict[str, dict[str, Any]] = {
    case["file"]: case
    for case in map(json.loads, (FOLDER / "expected.jsonl").read_text("utf-8").splitlines())
}
BOUNCES = sorted(name for name, case in CASES.items() if case["records"])
OTHERS = sorted(name for name, case in CASES.items() if not case["records"])


def mail(name: str) -> bytes:
    """Return one mail as it came."""
    return (FOLDER / name).read_bytes()
