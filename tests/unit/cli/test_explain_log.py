# ruff: noqa: E501 (a line of a log is one line)
"""`gatepost explain --summary` and `--follow`: for people in both languages, for programs, through rotation (B8, B10)."""

import json
import os
from pathlib import Path

import pytest

from gatepost.cli.explain_follow import SEND_SECONDS, Sender, _Following, foreign_body
from gatepost.cli.explain_log import Progress, since_of
from gatepost.cli.frame import UNREACHABLE, Refusal, State
from gatepost.cli.main import main
from gatepost.explain.log.follow import Follower
from gatepost.explain.log.reading import reading_of
from gatepost.explain.log.summary import Wanted, summary_of

HOUR = 3_600_000
STUCK = "Nov 23 08:00:{s:02d} gw postfix/smtp[3]: 4F2B1C3D{s:02d}: to=<b@far.example>, relay=none, delay=30, delays=0/0/30/0, dsn=4.4.1, status=deferred (connect to mx.far.example[192.0.2.9]:25: Connection timed out)\n"
EVIL = b"\x1b]0;owned\x07 not a line of a log\n"


def log(count, start=0):
    return "".join(STUCK.format(s=second) for second in range(start, start + count)).encode()


def test_people_get_the_picture_in_their_language(tmp_path, capsys):
    path = tmp_path / "mail.log"
    path.write_bytes(log(3) + EVIL)
    assert main(["explain", "--summary", str(path), "--lang", "en"]) == 0
    english = capsys.readouterr().out
    assert "Log of postfix: 4 lines" in english
    assert "3 stuck now" in english
    assert "far.example: 4.4.315 Connection timed out" in english
    assert "Next step" in english
    assert "1 lines are no lines of a log, such as: \\x1b]0;owned\\x07 not a line" in english
    assert main(["explain", "--summary", str(path), "--lang", "zh-CN"]) == 0
    chinese = capsys.readouterr().out
    assert "现有 3 封滞留" in chinese
    assert "下一步" in chinese
    assert "stuck" not in chinese
    assert "\x1b" not in english + chinese


def test_programs_get_documented_keys(tmp_path, capsys):
    path = tmp_path / "mail.log"
    path.write_bytes(log(2))
    assert main(["explain", "--summary", "--json", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["source_kind"], found["lines"], found["stuck"], found["bad_lines"]) == ("postfix", 2, 2, 0)
    insight = found["insights"][0]
    assert (insight["destination"], insight["class"], insight["stuck"]) == (
        "far.example",
        "connection_timeout",
        2,
    )
    assert insight["next_step"]
    assert insight["oldest_at"] < insight["since"]
    documented = Path("docs/explain.md").read_text(encoding="utf-8")
    for key in {*found, *insight}:
        assert f"`{key}`" in documented, key


def test_options_choose_among_failures_too(tmp_path, capsys):
    path = tmp_path / "mail.log"
    path.write_bytes(log(3))
    assert main(["explain", str(path), "--json", "--top", "1", "--to", "far.example"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1
    assert main(["explain", str(path), "--json", "--class", "mailbox_full"]) == 1
    assert main(["explain", str(path), "--class", "nonsense"]) == 2
    assert main(["explain", str(path), "--send"]) == 2
    assert main(["explain", "--summary", str(path), "--since", "soon"]) == 2


def test_several_logs_have_one_picture_and_one_alone_is_followed(tmp_path, capsys):
    first, second = tmp_path / "mail.log.1", tmp_path / "mail.log"
    first.write_bytes(log(2))
    second.write_bytes(log(3, start=10))
    assert main(["explain", "--summary", "--json", str(second), str(first)]) == 0
    assert json.loads(capsys.readouterr().out)["stuck"] == 5
    assert main(["explain", "--follow", str(second), str(first)]) == 2
    assert "--follow takes one log" in capsys.readouterr().err
    assert main(["explain", "--summary", str(second), str(tmp_path / "mail.log.9")]) == 2
    assert "mail.log.9 cannot be read" in capsys.readouterr().err


def test_bounces_and_texts_have_a_picture_too(capsys):
    assert main(["explain", "--summary", "--json", "550 5.1.1 <b@far.example>: User unknown"]) == 0
    assert json.loads(capsys.readouterr().out)["insights"][0]["class"] == "recipient_unknown"


def test_since_is_a_span_or_a_time():
    now = 1_000 * HOUR
    assert since_of("2h", now) == 998 * 3600
    assert since_of("2026-11-23T08:00:00Z", now) == 1_795_420_800
    assert since_of("", now) == 0
    with pytest.raises(Refusal):
        since_of("yesterday or so", now)


def test_progress_is_told_on_a_terminal_only(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    shown = Progress(100_000_000, str)
    shown.add(40_000_000)
    shown.end()
    assert "40 MB (40 %)" in capsys.readouterr().err
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    hidden = Progress(100_000_000, str)
    hidden.add(40_000_000)
    hidden.end()
    assert capsys.readouterr().err == ""


class Steps:
    """Does one thing after another instead of waiting."""

    def __init__(self, *steps):
        self.steps = list(steps)

    def __call__(self, _seconds):
        if not self.steps:
            return False
        self.steps.pop(0)()
        return True


def followed(path, *steps, sender=None):
    follower = Follower(path)
    _Following(follower, "", Wanted(), 0, State(as_json=True), sender).run(Steps(*steps))
    follower.close()
    return follower


def counts(capsys):
    return [json.loads(line)["stuck"] for line in capsys.readouterr().out.splitlines()]


def add(path, data):
    with path.open("ab") as file:
        file.write(data)


def test_a_followed_log_is_shown_again_whenever_it_says_something_new(tmp_path, capsys):
    path = tmp_path / "mail.log"
    path.write_bytes(log(2))
    followed(path, lambda: add(path, log(1, 2)), lambda: None, lambda: add(path, log(2, 3)))
    assert counts(capsys) == [2, 3, 5]


def test_half_a_line_is_read_when_the_other_half_is_there(tmp_path, capsys):
    path = tmp_path / "mail.log"
    path.write_bytes(log(1))
    line = log(1, 1)
    followed(path, lambda: add(path, line[:60]), lambda: add(path, line[60:]))
    assert counts(capsys) == [1, 2]


def test_a_log_that_is_renamed_is_read_to_its_end_and_its_successor_from_its_beginning(tmp_path, capsys):
    path = tmp_path / "mail.log"
    path.write_bytes(log(1))

    def rotate():
        path.rename(tmp_path / "mail.log.1")
        add(tmp_path / "mail.log.1", log(1, 1))

    follower = followed(path, rotate, lambda: path.write_bytes(log(1, 2)))
    assert counts(capsys) == [1, 2, 3]
    assert follower.rotations == 1


def test_a_log_that_is_copied_and_cut_is_read_from_its_new_beginning(tmp_path, capsys):
    path = tmp_path / "mail.log"
    path.write_bytes(log(2))

    def cut():
        os.truncate(path, 0)
        add(path, log(4, 10))  # longer than before, so that the size alone does not tell

    follower = followed(path, cut)
    assert counts(capsys) == [2, 6]
    assert follower.rotations == 1


class Gateway:
    """Remembers what it is sent."""

    def __init__(self):
        self.bodies = []
        self.problem = None

    def send(self, summary, _now):
        self.bodies.append(foreign_body("mail.example", summary))


def test_what_a_followed_log_says_is_sent_to_the_gateway(tmp_path):
    path = tmp_path / "mail.log"
    path.write_bytes(log(2))
    gateway = Gateway()
    followed(path, sender=gateway)
    body = gateway.bodies[-1]
    assert (body["system"], body["source_kind"]) == ("mail.example", "postfix")
    assert [(i["destination"], i["stuck"]) for i in body["insights"]] == [("far.example", 2)]


def test_what_our_side_refuses_is_not_sent():
    line = b"Nov 23 09:00:01 gw postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[203.0.113.9]: 554 5.7.1 <z@us.example>: Relay access denied; from=<s@spam.example> to=<z@us.example> proto=ESMTP helo=<x>\n"
    reading = reading_of(line, "", 1_795_420_800_000)
    reading.reader.block(line)
    assert foreign_body("x", summary_of(reading, Wanted()))["insights"] == []


class Away:
    """A gateway that is away the first time."""

    def __init__(self):
        self.asked = []

    def post(self, where, body):
        self.asked.append((where, body["system"]))
        if len(self.asked) == 1:
            raise Refusal("away", UNREACHABLE)
        return {}


def test_a_gateway_that_is_away_is_told_later():
    away = Away()
    sender = Sender(away, "mail.example")
    summary = summary_of(reading_of(b"", "", 0), Wanted())
    assert not sender.send(summary, 100.0)
    assert sender.problem is not None
    assert not sender.send(summary, 101.0)  # not yet
    assert sender.send(summary, 100.0 + SEND_SECONDS)
    assert (sender.problem, away.asked) == (None, [("/api/v1/foreign", "mail.example")] * 2)
