"""The architecture as the machine keeps it: who imports whom, how large things grow, what is said."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "gatepost"
MODULES = sorted(SOURCE.rglob("*.py"))

LONGEST_FILE = 800
P90_FILE = 400
LONGEST_FUNCTION = 90
P90_FUNCTION = 42

STANDARD = re.compile(r"\bRFC[ -]?(\d{3,5})\b")
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
BORROWED = re.compile(r"/work/|/tmp/venv|/root/", re.IGNORECASE)


def functions(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of a module."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function takes."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def p90(values: list[int]) -> float:
    """Return the value that nine of ten do not exceed."""
    return statistics.quantiles(values, n=10)[-1]


def texts() -> Iterator[Path]:
    """Yield every file of ours that is read by people."""
    places = ("src", "tests", "bench", "docs", "scripts", ".ci", "packaging")
    single = ("README.md", "CHANGELOG.md", "pyproject.toml")
    for path in chain((ROOT / name for name in single), *((ROOT / p).rglob("*") for p in places)):
        if path.is_file() and path.suffix in {"", ".py", ".md", ".toml", ".c", ".sh", ".html", ".css", ".js"}:
            yield path


def test_each_layer_knows_only_those_below() -> None:
    """The picture of docs/design.md, kept by import-linter; a folder without a place in it fails too."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_outgrows_its_reader() -> None:
    sizes = {module: module.read_text().count("\n") for module in MODULES}
    large = {str(m.relative_to(ROOT)): n for m, n in sizes.items() if n > LONGEST_FILE}
    assert not large
    assert p90(list(sizes.values())) <= P90_FILE


def test_no_function_outgrows_its_reader() -> None:
    sizes = {
        f"{module.relative_to(ROOT)}:{node.name}": length(node)
        for module in MODULES
        for node in functions(module)
    }
    assert not {name: n for name, n in sizes.items() if n > LONGEST_FUNCTION}
    assert p90(list(sizes.values())) <= P90_FUNCTION


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SOURCE)))
def test_every_module_says_what_it_is(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text())), "the first line says what the module is"


def test_nothing_is_called_utils() -> None:
    names = {"utils", "util", "helpers", "misc", "common"}
    assert [str(m.relative_to(ROOT)) for m in MODULES if m.stem in names or m.parent.name in names] == []


def test_every_standard_that_the_code_cites_is_listed() -> None:
    listed = set(re.findall(r"^\| (\d{3,5}) \|", (ROOT / "docs" / "standards.md").read_text(), re.MULTILINE))
    cited = {number for module in MODULES for number in STANDARD.findall(module.read_text())}
    assert cited - listed == set()


def test_every_standard_that_is_listed_has_a_verdict() -> None:
    rows = re.findall(
        r"^\| \d{3,5} \|[^|]*\| *([a-z]+) *\|", (ROOT / "docs" / "standards.md").read_text(), re.MULTILINE
    )
    assert rows
    assert set(rows) <= {"yes", "partly", "no"}


def test_nothing_is_left_to_be_done_in_a_comment() -> None:
    found = [str(path.relative_to(ROOT)) for path in MODULES if LEFTOVERS.search(path.read_text())]
    assert found == []


def test_no_file_speaks_of_the_machine_it_was_written_on() -> None:
    this = Path(__file__)
    found = [
        str(path.relative_to(ROOT))
        for path in texts()
        if path != this and BORROWED.search(path.read_text(errors="replace"))
    ]
    assert found == []


def test_no_prose_hides_behind_a_skipped_test() -> None:
    """A test that is skipped proves nothing; one that needs a program says so by failing."""
    this = Path(__file__)
    skips = re.compile(r"\bpytest\.(skip|importorskip|xfail)\(|mark\.(skip|skipif|xfail)\b")
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if path != this and skips.search(path.read_text())
    ]
    assert found == []


def test_every_test_that_the_table_of_faults_names_exists() -> None:
    """docs/reliability.md promises nothing that no test proves."""
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text())
    assert len(named) > 50
    missing = [
        f"{path}::{test}" for path, test in named if f"def {test}(" not in (ROOT / "tests" / path).read_text()
    ]
    assert missing == []
