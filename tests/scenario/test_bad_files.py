"""Files as administrators get them wrong, each with the whole answer that they get."""

from pathlib import Path

import pytest

from gatepost.config import objects, settings
from gatepost.config.problems import Problems

HERE = Path(__file__).parent


def bad(folder):
    files = sorted((HERE / folder).glob("*.toml"))
    assert len(files) >= 20
    return pytest.mark.parametrize("file", files, ids=lambda file: file.stem)


def answer(read, *arguments):
    with pytest.raises(Problems) as caught:
        read(*arguments)
    return f"{caught.value}\n"


@bad("bad-settings")
def test_every_problem_of_a_settings_file_is_told_at_once(file):
    lines = file.read_text().splitlines()
    environ = dict(line.removeprefix("# env ").split("=", 1) for line in lines if line.startswith("# env "))
    assert answer(settings.load, file, environ) == file.with_suffix(".expected").read_text()


@bad("bad-objects")
def test_every_problem_of_an_objects_file_is_told_at_once(file):
    assert answer(objects.load, file) == file.with_suffix(".expected").read_text()
