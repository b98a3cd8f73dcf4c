# ruff: noqa: E501 (a line of a log is one line)
"""Usual lines are counted without a record: the count is the one that the long way comes to (B8)."""

import pytest

from gatepost.explain.log.bad import Bad
from gatepost.explain.log.lines import LineReader
from gatepost.explain.log.tally import Tally
from gatepost.model.failure import from_iso

NOW = from_iso("2026-11-23T12:00:00Z")
EXIM = """\
2026-11-23 08:00:00 1rABCD-000001-01 <= ann@us.example H=(app) [10.0.0.1] P=esmtps S=1000 id=x@us.example
2026-11-23 08:00:01 1rABCD-000001-01 == b@Far.example R=dnslookup T=remote_smtp defer (111): Connection refused H=mx.far.example [192.0.2.1]
2026-11-23 08:00:02 1rABCD-000001-01 => c@near.example R=dnslookup T=remote_smtp H=mx.near.example [192.0.2.2] C="250 ok"
2026-11-23 08:00:03.123 1rABCD-000001-01 -> d@NEAR.example R=dnslookup T=remote_smtp H=mx.near.example [192.0.2.2] C="250 2.0.0 ok: rejected nothing"
2026-11-23 08:00:04 1rABCD-000002-01 => local <local@us.example> R=localuser T=local_delivery
2026-11-23 08:00:05 1rABCD-000002-01 Completed QT=1s
2026-11-23 08:00:06 1rABCD-000003-01 == e@far.example R=dnslookup T=remote_smtp defer (111): Connection refused H=mx.far.example [192.0.2.1]
2026-11-23 08:00:07 1rABCD-000003-01 ** e@far.example: retry timeout exceeded
2026-11-23 08:00:08 H=(x) [203.0.113.9] F=<s@spam.example> rejected RCPT <z@us.example>: relay not permitted
2026-11-23 08:00:09 1rABCD-000001-01 => b@Far.example R=dnslookup T=remote_smtp H=mx.far.example [192.0.2.1] C="250 ok"
2026-11-23 08:00:10 1rABCD-000001-01 Completed
"""
SENDMAIL = """\
Nov 23 08:00:00 gw sm-mta[1]: 4AQ8000000001: from=<ann@us.example>, size=1, class=0, nrcpts=2, proto=ESMTP, daemon=MTA, relay=app [10.0.0.1]
Nov 23 08:00:01 gw sm-mta[1]: 4AQ8000000001: to=<b@Far.example>, delay=00:00:01, mailer=esmtp, pri=1, relay=mx.far.example. [192.0.2.1], dsn=4.0.0, stat=Deferred: Connection refused by mx.far.example.
Nov 23 08:00:02 gw sm-mta[1]: 4AQ8000000001: to=<c@near.example>, delay=00:00:01, mailer=esmtp, pri=1, relay=mx.near.example. [192.0.2.2], dsn=2.0.0, stat=Sent (ok)
Nov 23 08:00:03 gw sm-mta[1]: 4AQ8000000002: to=<d@near.example>,<e@near.example>, delay=00:00:01, mailer=esmtp, pri=1, relay=mx.near.example. [192.0.2.2], dsn=2.0.0, stat=Sent (ok)
Nov 23 08:00:04 gw sm-mta[1]: 4AQ8000000001: to=<b@Far.example>, delay=00:00:04, mailer=esmtp, pri=1, relay=mx.far.example. [192.0.2.1], dsn=2.0.0, stat=Sent (ok)
Nov 23 08:00:05 gw sm-mta[1]: ruleset=check_rcpt, arg1=<z@us.example>, relay=x [203.0.113.9], reject=550 5.7.1 <z@us.example>... Relaying denied
"""
ENDS = "10.0.0.2:5001,192.0.2.1:25"
EXCHANGE = "#Log-type: SMTP Send Protocol Log\n" + "".join(
    f"2026-11-23T08:00:{number:02d}.000Z,out,08D1,{number},{ENDS},{row}\n"
    for number, row in enumerate(
        [
            "*,,attempting to connect",
            "+,,",
            "<,220 mx.far.example ESMTP,",
            ">,EHLO gw.us.example,",
            "<,250 mx Hello,",
            ">,MAIL FROM:<ann@us.example> SIZE=1,",
            "<,250 2.1.0 ok,",
            ">,RCPT TO:<b@far.example>,",
            "<,450 4.7.1 Greylisted,",
            ">,RCPT TO:<c@near.example>,",
            "<,250 2.1.5 ok,",
            ">,DATA,",
            "<,354 go,",
            "<,250 2.0.0 queued,",
            ">,QUIT,",
            "<,221 bye,",
            "-,,Local",
        ]
    )
)


def counted(kind, text, *, quick):
    tally = Tally()
    reader = LineReader(kind, tally, Bad(), NOW)
    if not quick:
        reader._quick = None
    reader.block(text.encode())
    groups = {
        key: (group.attempts, group.delivered, group.returned, group.first, group.last, group.buckets)
        for key, group in tally.groups.items()
    }
    return groups, tally.places, tally.waiting, tally.delivered, tally.first, tally.last


@pytest.mark.parametrize(("kind", "text"), [("exim", EXIM), ("sendmail", SENDMAIL), ("exchange", EXCHANGE)])
def test_the_quick_way_counts_what_the_long_way_counts(kind, text):
    quick, long = counted(kind, text, quick=True), counted(kind, text, quick=False)
    assert quick == long
    assert quick[3] > 0
    assert quick[0]


@pytest.mark.parametrize(
    ("kind", "text", "least"), [("exim", EXIM, 6), ("sendmail", SENDMAIL, 3), ("exchange", EXCHANGE, 13)]
)
def test_most_lines_go_the_quick_way(kind, text, least):
    reader = LineReader(kind, Tally(), Bad(), NOW)
    assert sum(reader._quick(line) for line in text.split("\n") if line) >= least
