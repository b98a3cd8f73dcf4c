"""The line of time of an insight: attempts that say the same are one entry, everything else stands for itself."""

from gatepost.admin.pages.insights import folded


def entry(at, text="4.4.316 Connection refused", kind="attempt"):
    return {"at": at, "kind": kind, "text": text, "more": "mail.contoso.example", "tone": "bad", "where": ""}


def test_attempts_that_say_the_same_are_one_entry_with_their_number_and_the_first_time():
    found = folded([entry("5"), entry("4"), entry("3")])
    assert [(e["at"], e["times"], e["first_at"]) for e in found] == [("5", 3, "3")]


def test_a_change_between_them_keeps_what_was_before_and_after_apart():
    found = folded(
        [entry("5"), entry("4", "to-office", "change"), entry("3"), entry("2", "4.4.315 Timed out")]
    )
    assert [(e["kind"], e["times"]) for e in found] == [
        ("attempt", 1),
        ("change", 1),
        ("attempt", 1),
        ("attempt", 1),
    ]


def test_checks_are_never_folded():
    assert len(folded([entry("5", kind="probe"), entry("4", kind="probe")])) == 2
