"""The in-doubt journal keeps what the process could not finish."""

import os
import subprocess
import sys
from pathlib import Path

from gatepost.storage.journal import Journal

ROOT = Path(__file__).parents[3]


def test_what_was_sent_and_not_settled_is_in_doubt_after_a_kill(tmp_path: Path) -> None:
    code = (
        "import os,sys; from pathlib import Path; from gatepost.storage.journal import Journal\n"
        "j = Journal(Path(sys.argv[1])); [j.dot_sent(n) for n in range(1, 6)]\n"
        "[j.settled(n) for n in (2, 4)]\n"
        "os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "journal"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/src"}
    subprocess.run([sys.executable, "-c", code, str(path)], check=False, env=environment)
    journal = Journal(path)
    assert journal.in_doubt() == [1, 3, 5]
    journal.settled(3)
    journal.close()
    after = Journal(path)
    assert after.in_doubt() == [1, 5]
    after.close()


def test_a_message_with_two_deliveries_is_in_doubt_until_both_are_settled(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.dot_sent(7)
    journal.dot_sent(7)
    journal.settled(7)
    journal.close()
    again = Journal(tmp_path / "journal")
    assert again.in_doubt() == [7]
    again.forget(7)
    again.close()
    last = Journal(tmp_path / "journal")
    assert last.in_doubt() == []
    last.close()


def test_a_delivery_that_settles_an_old_doubt_ends_it(tmp_path: Path) -> None:
    for round_ in range(3):
        journal = Journal(tmp_path / "journal")
        assert journal.in_doubt() == ([] if round_ == 0 else [7])
        journal.dot_sent(7)
        if round_ == 2:
            journal.settled(7)
        journal.close()
    last = Journal(tmp_path / "journal")
    assert last.in_doubt() == []
    last.close()


def test_the_journal_grows_with_the_deliveries_under_way(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for number in range(1, 10_001):
        journal.dot_sent(number)
    for number in range(1, 9_999):
        journal.settled(number)
    journal.close()
    again = Journal(tmp_path / "journal")
    assert again.in_doubt() == [9_999, 10_000]
    again.close()
