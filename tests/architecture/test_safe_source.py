"""What the source may not use (rule 29), and that each rule of safety has a test named after it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "src" / "gatepost").rglob("*.py"))
SAFE = ROOT / "tests" / "scenario" / "safe"

# the rules that concern what works today; those about the web have their place with the admin centre
RULES = [*range(1, 21), 26, 27, 29, 30, 31]
DANGEROUS_IMPORTS = {"pickle", "shelve", "marshal", "subprocess", "yaml", "dill", "pty", "commands"}
DANGEROUS_CALLS = {"eval", "exec", "system", "popen", "compile_command", "__import__"}
ALLOWED = {  # the demonstration starts a gateway as a child, from a list of words and without a shell
    ("demo/gateway.py", "subprocess"),
}


def names_of(node: ast.AST) -> list[str]:
    """Return the modules that an import names, or the function that a call calls."""
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [(node.module or "").split(".")[0]]
    if isinstance(node, ast.Call):
        function = node.func
        if isinstance(function, ast.Name):
            return [function.id]
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            return [function.attr] if function.value.id == "os" else []
    return []


def test_rule_29_no_shell_no_pickle_no_eval_no_yaml() -> None:
    found = {
        (str(module.relative_to(ROOT / "src" / "gatepost")), name)
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        for name in names_of(node)
        if name in DANGEROUS_IMPORTS | DANGEROUS_CALLS
    }
    assert found - ALLOWED == set()


def test_rule_29_no_shell_is_asked_for() -> None:
    assert [str(m) for m in MODULES if re.search(r"\bshell\s*=\s*True", m.read_text())] == []


def test_rule_12_no_group_is_repeated_possessively() -> None:
    """Python 3.11.0 to 3.11.4 match such groups wrongly (gh-106052); one whose parts are not possessive is safe."""
    found = [m.name for m in MODULES if re.search(r"\)(?:\*|\+|\?|\{\d*,?\d*\})\+", m.read_text())]
    assert found == ["body.py"]


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_of_safety_has_a_test_named_after_it(rule: int) -> None:
    """In front of the whole gateway, not of a part alone."""
    text = "".join(path.read_text() for path in SAFE.glob("test_*.py"))
    assert re.search(rf"^def test_rule_{rule:02}_\w+\(", text, re.MULTILINE)
