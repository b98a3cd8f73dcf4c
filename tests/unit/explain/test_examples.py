"""Real texts of many systems get the right class, code, phase and server (B8); a table says what is taken for what."""

import json
from collections import Counter
from pathlib import Path

import pytest

from gatepost.explain.judge import judge
from gatepost.explain.record import Judgement
from gatepost.explain.texts import read

DATA = Path(__file__).parents[2] / "data"
FILES = [name for name in ("failure-texts.jsonl", "more-texts.jsonl") if (DATA / name).exists()]
ENOUGH = 0.95


def rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def judged(text: str) -> Judgement:
    return judge(read(text)[0])


def confusion(name: str) -> Counter:
    return Counter((row["class"], str(judged(row["text"]).failure_class)) for row in rows(name))


def share(name: str, right, *, of=lambda row: True) -> float:
    counted = [row for row in rows(name) if of(row)]
    wrong = [(row["text"][:90], row["class"]) for row in counted if not right(row, judged(row["text"]))]
    print(*wrong, sep="\n")
    return 1 - len(wrong) / len(counted)


@pytest.mark.parametrize("name", FILES)
def test_nearly_all_real_texts_get_their_class_or_an_accepted_neighbour(name, capsys):
    """B8."""
    table = confusion(name)
    with capsys.disabled():
        for (meant, said), count in sorted(table.items()):
            if meant != said:
                print(f"{name}: {meant} taken for {said}: {count}")
    assert share(name, lambda row, said: said.failure_class in (row["class"], *row["also"])) >= ENOUGH


@pytest.mark.parametrize("name", FILES)
def test_nearly_all_real_texts_name_their_server_and_no_other(name):
    """B8, R20."""
    assert share(name, lambda row, said: (said.record.server or None) == row["server"]) >= ENOUGH


def test_nearly_all_real_texts_get_the_code_of_mail_flow_intelligence():
    """B8, R6-R12."""
    assert share(FILES[0], lambda row, said: said.flow_code == row["code"]) >= ENOUGH


def test_nearly_all_real_texts_get_their_phase():
    """B1, B8."""
    assert share(FILES[0], lambda row, said: said.phase == row["phase"]) >= ENOUGH


def test_nearly_all_real_texts_get_the_finer_reason_where_one_is_known():
    """B8."""
    assert share(FILES[0], lambda row, said: said.sub == row["sub"], of=lambda row: row["sub"]) >= ENOUGH
