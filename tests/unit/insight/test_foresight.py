"""What will stop mail, seen in what still works (B7)."""

from dataclasses import replace

import pytest

from gatepost.i18n import translator
from gatepost.insight.foresight import Lapsed, Moved, Outlook, Place, Room, forecasts
from gatepost.insight.guesses import Guesser
from gatepost.insight.invalid import DIMENSIONS, Standing
from gatepost.model.failure import LastError
from gatepost.model.forecast import KINDS
from gatepost.model.insight import CertificateSummary, HostRow
from gatepost.model.waiting import Growth

NOW = 1_795_420_800_000
HOUR = 3_600_000
DAY = 24 * HOUR
ERROR = LastError(
    450, "4.4.316", "Connection refused", "connect", "refused", "connection_refused", "4.4.316", "refused",
    "mail.office.example", "192.0.2.2:25", NOW, "gw1.example", "",
)  # fmt: skip


def certificate(ends, fingerprint="aa"):
    return CertificateSummary("CN=mail", "CN=ca", ("mail.office.example",), NOW - DAY, ends, fingerprint)


def row(address="192.0.2.1", *, works=True, tls="", shown=None):
    good, bad = (NOW, 0) if works else (NOW - DAY, NOW)
    return HostRow(
        1, "mail.office.example", address, 25, good if works is not None else 0, bad, tls=tls, certificate=shown,
        last_error=None if works else ERROR,
    )  # fmt: skip


OFFICE = Place(1, "to-office", "mail.office.example", (row(),))


def foresee(*places, **more):
    return forecasts(Outlook(NOW, places, **more))


def kinds(*places, **more):
    return [(f.kind, f.severity) for f in foresee(*places, **more)]


@pytest.mark.parametrize(
    ("left", "severity"),
    [
        (31 * DAY, None), (30 * DAY, "low"), (15 * DAY, "low"), (14 * DAY, "medium"), (8 * DAY, "medium"),
        (7 * DAY, "high"), (2 * DAY, "high"), (DAY, "critical"), (HOUR, "critical"), (-HOUR, None),
    ],
)  # fmt: skip
def test_a_certificate_is_spoken_of_30_14_7_and_1_days_before_its_end(left, severity):
    found = kinds(replace(OFFICE, rows=(row(shown=certificate(NOW + left)),)))
    assert found == ([("certificate_expires", severity)] if severity else [])


def test_a_certificate_that_nobody_checks_is_worth_a_remark():
    place = replace(OFFICE, rows=(row(shown=certificate(NOW + DAY)),), validates=False)
    assert kinds(place) == [("certificate_expires", "low")]


def test_one_certificate_at_four_addresses_is_one_forecast():
    rows = tuple(row(f"192.0.2.{n}", shown=certificate(NOW + DAY)) for n in range(4))
    assert len(foresee(replace(OFFICE, rows=rows))) == 1


def test_the_last_host_that_works_is_named():
    place = replace(OFFICE, rows=(row("192.0.2.1"), row("192.0.2.2", works=False)))
    (found,) = foresee(place)
    assert found.kind == "last_host"
    assert "192.0.2.1:25" in found.sentence.text.format(**found.sentence.values)
    assert "192.0.2.2:25" in found.evidence[0].text.format(**found.evidence[0].values)
    assert kinds(replace(place, rows=(*place.rows, row("192.0.2.3")))) == []
    assert kinds(OFFICE) == []


def test_where_nothing_works_any_more_the_insight_says_so():
    place = replace(OFFICE, rows=(row("192.0.2.1"), row("192.0.2.2", works=False)), broken=True)
    assert kinds(place) == []


@pytest.mark.parametrize(("tried", "severity"), [(False, "medium"), (True, "low")])
def test_a_name_that_leads_elsewhere_is_said_until_mail_has_gone_there(tried, severity):
    fresh = row("192.0.2.9", works=True if tried else None)
    place = replace(OFFICE, rows=(fresh,), moved=Moved(NOW - HOUR, ("192.0.2.1",), ("192.0.2.9",)))
    assert kinds(place) == [("addresses_changed", severity)]
    old = replace(place, moved=Moved(NOW - 2 * DAY, ("192.0.2.1",), ("192.0.2.9",)))
    assert kinds(old) == []


def test_changed_mail_servers_are_named_as_such():
    moved = Moved(NOW, ("192.0.2.1",), ("192.0.2.9",), ("mx.old.example",), ("mx.new.example",))
    (found,) = foresee(replace(OFFICE, rows=(), moved=moved, use_mx=True))
    said = found.sentence.text.format(**found.sentence.values)
    assert "mx.old.example" in said
    assert "mx.new.example" in said


@pytest.mark.parametrize(
    ("tls", "old"),
    [
        ("TLSv1.3 TLS_AES_256_GCM_SHA384", False), ("TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256", False),
        ("TLSv1.2 AES128-SHA", True), ("TLSv1 ECDHE-RSA-AES128-SHA", True), ("TLSv1.1 AES256-SHA", True), ("", False),
    ],
)  # fmt: skip
def test_tls_that_is_about_to_be_refused(tls, old):
    assert kinds(replace(OFFICE, rows=(row(tls=tls),))) == ([("tls_outdated", "medium")] if old else [])


@pytest.mark.parametrize(("left", "said"), [(3 * HOUR, True), (5 * HOUR, False), (-HOUR, False)])
def test_mail_that_is_about_to_be_returned_also_where_the_way_is_broken(left, said):
    place = replace(OFFICE, messages=63, expires_at=NOW + left, lifetime=DAY, broken=True)
    assert kinds(place) == ([("mail_expires", "high")] if said else [])


@pytest.mark.parametrize(
    ("used", "grown", "severity"), [(900, 100, "high"), (500, 100, "medium"), (100, 60, None), (999, 5, None)]
)
def test_a_queue_that_grows_towards_its_limit(used, grown, severity):
    found = kinds(growth=Growth(grown, 0), rooms=(Room("queue", used, 1000, 1),))
    assert found == ([("queue_limit", severity)] if severity else [])


def test_a_disk_that_fills():
    (found,) = foresee(growth=Growth(1000, 0), rooms=(Room("disk", 0, 1000 << 20, 1 << 20),))
    assert (found.kind, found.severity, found.due) == ("queue_limit", "high", NOW + HOUR)


def test_a_domain_that_is_gone():
    lapsed = (Lapsed("contoso.example", NOW - HOUR, NOW - DAY), Lapsed("typo.example", NOW, 0))
    assert kinds(lapsed=lapsed) == [("domain_lapsed", "high"), ("domain_lapsed", "medium")]


def standing(**more):
    values = {
        "dimension": "client", "name": "192.0.2.9", "total": 120, "refused": 120, "rejected": 0, "returned": 0,
        "reports": 0, "addresses": 9, "level": "warned", "harvest": False, "warned_at": 100, "limited_at": 500,
        "first_at": NOW, "last_at": NOW, "until": 0, "examples": ("a@contoso.example",),
    } | more  # fmt: skip
    return Standing(**values)


def test_who_comes_near_the_quota_who_is_above_it_and_who_harvests():
    found = (standing(), standing(level="limited", until=NOW + HOUR), standing(harvest=True))
    assert kinds(offenders=found) == [
        ("invalid_recipients", "medium"), ("invalid_recipients", "high"), ("address_harvest", "high"),
    ]  # fmt: skip


EVERYTHING = forecasts(
    Outlook(
        NOW,
        (
            replace(OFFICE, rows=(row(shown=certificate(NOW + DAY)), row("192.0.2.2", works=False))),
            replace(OFFICE, rows=(row(tls="TLSv1.1 AES256-SHA"),), moved=Moved(NOW, ("192.0.2.7",), ("192.0.2.1",))),
            replace(OFFICE, messages=1, expires_at=NOW + HOUR, lifetime=DAY),
        ),
        Growth(1000, 0),
        (Room("queue", 900, 1000, 1), Room("disk", 0, 100 << 20, 1 << 20)),
        (Lapsed("contoso.example", NOW, NOW - DAY),),
        (*(standing(dimension=d) for d in DIMENSIONS), standing(harvest=True)),
        guessers=(Guesser("client", "192.0.2.66", "smtp", 20, 3, 9, NOW),),
    )
)  # fmt: skip


def test_every_kind_can_be_foreseen():
    assert {f.kind for f in EVERYTHING} == set(KINDS)
    assert len({f.key for f in EVERYTHING}) == len(EVERYTHING)


@pytest.mark.parametrize("forecast", EVERYTHING, ids=lambda f: f.key)
def test_each_has_a_sentence_evidence_and_a_next_step_in_both_languages(forecast):
    """B10."""
    chinese = translator("zh-CN")
    for because in (forecast.sentence, forecast.next_step, *forecast.evidence):
        english = because.text.format(**because.values)
        assert english
        assert chinese(because.text).format(**because.values) != english
    assert forecast.evidence
