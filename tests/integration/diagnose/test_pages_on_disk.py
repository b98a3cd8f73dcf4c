"""The pages of docs/failures are those of the catalogue (R6-R13)."""

from pathlib import Path

from gatepost.diagnose.pages import main, pages

FOLDER = Path(__file__).parents[3] / "docs" / "failures"


def test_the_pages_are_current():
    """Run `python -m gatepost.diagnose.pages docs/failures` where this fails."""
    assert {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()} == pages()


def test_the_pages_are_written_where_one_says(tmp_path):
    assert main([str(tmp_path / "new")]) == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == set(pages())
