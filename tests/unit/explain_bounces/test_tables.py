"""The tables prove themselves: every family and every wrapper reads its own sample (B8)."""

import pytest

from gatepost.explain.bounces import read_message
from gatepost.explain.bounces.diagnostic import PLACES, WRAPPERS, open_diagnostic
from gatepost.explain.bounces.families import FAMILIES, Family
from gatepost.explain.bounces.plain import notice, read

HEAD = "From: MAILER-DAEMON@example.org\r\nTo: bob@example.com\r\nSubject: failure notice\r\n\r\n"


def names(rows):
    return [row.name for row in rows]


@pytest.mark.parametrize("family", FAMILIES, ids=names(FAMILIES))
def test_a_family_is_known_by_its_opening_and_names_its_recipient(family: Family):
    reading = read(notice(family.sample), frozenset(("bob@example.com",)), "example.org")
    assert [found.recipient for found in reading.found] in (["ann@example.org"], ["bob@example.org"])
    assert reading.family
    assert reading.found[0].words or family.name == "barracuda"


@pytest.mark.parametrize("family", FAMILIES, ids=names(FAMILIES))
def test_openings_are_written_as_they_are_compared(family: Family):
    for phrase in family.opening + family.ending:
        assert phrase == phrase.lower()
        assert phrase.strip() == " ".join(phrase.split())


@pytest.mark.parametrize("family", FAMILIES, ids=names(FAMILIES))
def test_a_sample_from_a_mailer_daemon_is_a_bounce(family: Family):
    reading = read_message((HEAD + family.sample.replace("\n", "\r\n")).encode())
    assert reading.is_bounce, reading.why
    assert "known wording" in reading.why


@pytest.mark.parametrize("wrapper", WRAPPERS, ids=names(WRAPPERS))
def test_a_wrapper_opens_its_own_sample(wrapper):
    match = wrapper.pattern.search(wrapper.sample)
    assert match is not None
    assert match["inner"].strip()
    opened = open_diagnostic(wrapper.sample)
    assert len(opened.text) < len(wrapper.sample)
    assert opened.text in wrapper.sample


@pytest.mark.parametrize("place", PLACES, ids=names(PLACES))
def test_a_place_names_the_server_of_its_own_sample(place):
    assert place.pattern.search(place.sample) is not None
    opened = open_diagnostic(place.sample)
    assert opened.server or opened.address


def test_names_of_families_are_used_once():
    assert len(set(names(FAMILIES))) == len(FAMILIES)
