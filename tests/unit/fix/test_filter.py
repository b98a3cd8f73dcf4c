"""The filter language: what each term means, what is said of a wrong one, and that it can be written again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.fix.filter import FIELDS, NUMBER_FIELDS, BadFilter, Facts, Filter, Term, parse_filter
from gatepost.model.ids import first_of, to_text

NOW = 1_795_420_800_000
HOUR = 3_600_000
NUMBER = first_of(NOW - 5 * HOUR)
FACTS = Facts(
    now=NOW,
    message_id=NUMBER,
    accepted_at=NOW - 5 * HOUR,
    expires_at=NOW + 19 * HOUR,
    size=2 << 20,
    recipients=2,
    sender="Ann@Contoso.example",
    address="bob@partner.example",
    connector="to-office",
    destination=("77", "mx1.example, mx2.example", "", "mx1.example", "mx2.example"),
    source="cloud",
    header_id="<1@contoso.example>",
    attempts=3,
    states=frozenset({"retry", "deferred"}),
    codes=frozenset({"4.4.316"}),
    failure_class="connection_refused",
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("from:ann@contoso.example", True),
        ("from:@contoso.example", True),
        ("from:@example", False),
        ("from:<>", False),
        ("-from:<>", True),
        ("to:bob@partner.example connector:to-*", True),
        ("to:bob@partner.example connector:to-partner", False),
        ("to:bob@partner.exampl?", False),
        ("destination:mx2.example", True),
        ("destination:77", True),
        ('destination:"mx1.example, mx2.example"', True),
        ("destination:mx1", False),
        ("source:cloud,lan", True),
        (f"id:{to_text(NUMBER).lower()}", True),
        (f"id:{to_text(NUMBER + 1)}", False),
        ("message-id:1@contoso.example", True),
        ("code:4.4.315,4.4.316", True),
        ("code:4.4.3*", True),
        ("-code:4.4.316", False),
        ("class:connection_refused", True),
        ("state:deferred", True),
        ("state:suspended,ready", False),
        ("age>4h", True),
        ("age>5h", False),
        ("age>=5h", True),
        ("age<5h30m", True),
        ("expires<20h", True),
        ("expires<=19h expires>18h", True),
        ("size>1MB", True),
        ("size<2mb", False),
        ("size=2097152", True),
        ("attempts>2 recipients:2", True),
        ("-attempts:3", False),
    ],
)
def test_each_term_means_what_the_manual_says(text, holds):
    """B5."""
    assert parse_filter(text).matches(FACTS) is holds


def test_the_null_sender_is_written_as_two_angles():
    """B5."""
    assert parse_filter("from:<>").matches(replace(FACTS, sender=""))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("contoso", "no term of a filter"),
        ("form:x", 'no field "form"'),
        ("from>x", "is a text"),
        ("from:", "has no value"),
        ("age>tomorrow", "not a duration"),
        ("size>1XB", "not a size"),
        ("attempts>many", "not a number"),
        ("attempts>-1", "not a number"),
        ("state:lost", "no state"),
        ("class:nonsense", "no class"),
        ("id:123", "not a message id"),
        ("subject:hello", "Subjects are not kept"),
        ('from:"ann', "no second one"),
        ("from:a " * 51, "50 terms"),
        ("x" * 2001, "2000 characters"),
    ],
)
def test_a_wrong_filter_is_answered_with_what_to_write(text, words):
    """B5."""
    with pytest.raises(BadFilter, match=words):
        parse_filter(text)


def _values(field):
    if field == "state":
        return st.sampled_from(["ready", "retry"])
    if field == "class":
        return st.sampled_from(["connection_refused", "cert_*"])
    if field == "id":
        return st.integers(1, 1 << 62).map(lambda n: to_text(n).lower())
    return st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), min_size=1).map(str.lower)


@st.composite
def terms(draw):
    field = draw(st.sampled_from(FIELDS))
    negated = draw(st.booleans())
    if field in NUMBER_FIELDS:
        number = draw(st.integers(0, 10_000)) * (1000 if field in ("age", "expires") else 1)
        return Term(field, draw(st.sampled_from([":", "<", "<=", ">", ">="])), (), number, negated)
    return Term(field, ":", tuple(draw(st.lists(_values(field), min_size=1, max_size=3))), 0, negated)


@given(st.lists(terms(), max_size=8))
def test_a_filter_that_is_written_down_is_read_back_the_same(found):
    """B5: a job that goes on after a crash means the same mail."""
    text = " ".join(term.text() for term in found)
    assert parse_filter(text, 1 << 20).terms == tuple(found)


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_is_refused(text):
    """B5."""
    try:
        found = parse_filter(text)
    except BadFilter:
        return
    assert isinstance(found, Filter)
    found.matches(FACTS)


def test_a_destination_that_cannot_be_meant_is_left_out():
    """B5: others need not be looked through."""
    which = parse_filter("connector:to-office from:ann@contoso.example")
    assert which.may_match_at("to-office", ("1", "x"))
    assert not which.may_match_at("to-partner", ("1", "x"))
