"""A corpus of bad command lines: each ends with its exit code and one sentence that says what to do."""

import os
import subprocess
import sys

import pytest

from gatepost.cli.client import by_url
from gatepost.cli.frame import Refusal

CORPUS = [
    (["queu", "list"], 2, "There is no command queu. Did you mean queue? See gatepost --help."),
    (["queue", "lst"], 2, "There is no command lst. Did you mean list? See gatepost queue --help."),
    (
        ["queue", "list", "--conector", "x"],
        2,
        "There is no option --conector. Did you mean --connector? See gatepost queue list --help.",
    ),
    (
        ["queue", "list", "--state", "stuck"],
        2,
        "--state must be one of ready, active, retry, suspended. See gatepost queue list --help.",
    ),
    (
        ["queue", "list", "--lang", "fr"],
        2,
        "--lang must be one of en, zh-CN. See gatepost queue list --help.",
    ),
    (["--lang"], 2, "--lang needs a value, or takes none. See gatepost --help."),
    (
        ["queue", "suspend"],
        2,
        "This would suspend every destination: name a connector or a destination, or say all.",
    ),
    (
        ["queue", "suspend", "--all", "--until", "tomorrow"],
        2,
        '"tomorrow" is no time: write a duration like 4h, or a time like 2026-11-23T08:00:00Z.',
    ),
    (["queue", "suspend", "--all", "--until", "0s"], 2, '"0s" is not in the future.'),
    (["message", "show"], 2, "ID is missing. See gatepost message show --help."),
    (
        ["message", "show", "abc"],
        2,
        '"abc" is not a message id: it has 13 letters and digits, as in gatepost message list.',
    ),
    (
        ["message", "show", "0000000000001"],
        1,
        "There is no message 0000000000001: it never was here, or is forgotten.",
    ),
    (["message", "cancel"], 2, "This would touch every message: name ids or a filter, or say all."),
    (
        ["message", "list", "--older-than", "soon"],
        2,
        '"soon" is not a duration: write 30s, 5m, 4h or 2d.',
    ),
    (
        ["message", "list", "--limit", "0"],
        2,
        "--limit is not right: 0 is not in the range 1<=x<=1000. See gatepost message list --help.",
    ),
    (["connector", "show", "nope"], 1, "There is no connector nope."),
    (
        ["connector", "set", "to-office"],
        2,
        "Nothing to set: name at least one option, see --help.",
    ),
    (
        ["connector", "set", "to-office", "--port", "70000"],
        2,
        'connector "to-office".port: 70000 is out of range (hint: from 1 to 65535)',
    ),
    (
        ["connector", "add", "to-office", "--domain", "a.example", "--use-mx"],
        1,
        '"to-office" exists already: change it with set.',
    ),
    (
        ["connector", "set", "to-office", "--tls-ca", "/nonexistent/ca.pem"],
        2,
        "/nonexistent/ca.pem cannot be read: No such file or directory.",
    ),
    (["domain", "delete", "gone.example"], 1, "There is no accepted domain gone.example."),
    (
        ["domain", "recipients", "add", "contoso.example"],
        2,
        "No address is given: name some, or a --file.",
    ),
    (
        ["domain", "recipients", "remove", "contoso.example", "x@contoso.example"],
        1,
        "x@contoso.example is no known recipient of contoso.example.",
    ),
    (["apply", "/nonexistent.toml"], 2, "/nonexistent.toml cannot be read: No such file or directory."),
    (["apply"], 2, "FILE is missing. See gatepost apply --help."),
    (["route", "explain", "nobody"], 2, '"nobody" is no address: write ann@contoso.example.'),
    (
        ["token", "create", "a/b"],
        2,
        '"a/b" is no name of a token: letters, digits, dots and dashes, at most 64.',
    ),
    (["token", "delete", "gone"], 1, "There is no token gone."),
    (
        ["trace", "--before", "x"],
        2,
        '"x" is not a message id: it has 13 letters and digits, as in gatepost message list.',
    ),
]


@pytest.mark.parametrize(("words", "code", "sentence"), CORPUS, ids=lambda value: str(value)[:40])
def test_a_bad_command_line_is_answered_in_one_sentence(run, words, code, sentence):
    answer = run(*words)
    assert answer == (code, "", sentence + "\n")


def test_several_problems_are_said_at_once(run):
    answer = run("connector", "add", "x", "--port", "0")
    assert answer.code == 2
    assert answer.err.splitlines()[0] == "3 things are wrong; nothing was changed."
    assert len(answer.err.splitlines()) == 4


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://", "http://h:port", "http://h/path"])
def test_a_url_that_is_none_is_refused(monkeypatch, url):
    with pytest.raises(Refusal) as caught:
        by_url(url)
    assert caught.value.code == 2


def test_every_command_has_help_with_an_example(run):
    pending = [[]]
    seen = 0
    while pending:
        words = pending.pop()
        answer = run(*words, "--help")
        assert answer.code == 0
        assert f"Example:\n  gatepost {' '.join(words)}".rstrip() in answer.out, words
        seen += 1
        if "\nCommands:\n" in answer.out:
            section = answer.out.split("\nCommands:\n")[1].split("\n\n")[0]
            names = [line.split()[0] for line in section.splitlines() if line[2:3].strip()]
            pending += [[*words, name] for name in names]
    assert seen > 40


def test_help_is_there_at_once():
    """60 ms on a quiet machine; counted as processor time, since a busy one says nothing; no heavy module is loaded."""
    script = (
        "import sys; from gatepost.cli.main import main; main(['--help']);"
        "heavy = {'fastapi', 'pydantic', 'rich', 'apsw', 'cryptography', 'uvicorn', 'asyncio', 'http.client'};"
        "sys.exit(1 if heavy & set(sys.modules) else 0)"
    )
    best = 10.0
    for _ in range(3):
        before = os.times()
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        best = min(best, spent)
        assert done.returncode == 0, done.stderr
    assert best < 0.2
