"""Texts of many systems get the right class, code, phase and server (B8); a table says what is taken for what."""

import pytest
from tests.support.confusion import DATA, FILES, rows, share, table, wrong

ENOUGH = 0.95
SERVERS = FILES[:2]  # the files that say which server a text names


def enough(name: str, check: str) -> bool:
    found = rows(DATA / name)
    print(*((row["class"], row["text"][:90]) for row, _ in wrong(found, check)), sep="\n")
    return (share(found, check) or 0) >= ENOUGH


@pytest.mark.parametrize("name", FILES)
def test_nearly_all_texts_get_their_class_or_an_accepted_neighbour(name, capsys):
    """B8."""
    with capsys.disabled():
        for (meant, said), count in table(rows(DATA / name)).most_common():
            print(f"{name}: {meant} taken for {said}: {count}")
    assert enough(name, "class")


@pytest.mark.parametrize("name", SERVERS)
def test_nearly_all_real_texts_name_their_server_and_no_other(name):
    """B8, R20."""
    assert enough(name, "server")


def test_nearly_all_real_texts_get_the_code_of_mail_flow_intelligence():
    """B8, R6-R12."""
    assert enough(FILES[0], "code")


def test_nearly_all_real_texts_get_their_phase():
    """B1, B8."""
    assert enough(FILES[0], "phase")


def test_nearly_all_real_texts_get_the_finer_reason_where_one_is_known():
    """B8."""
    assert enough(FILES[0], "sub")
