"""Previews of reports to senders: every kind of failure, in both languages, as an independent parser reads it."""

from email import message_from_string

import pytest
from flufl.bounce import all_failures
from tests.support.fake_gateway import make
from tests.unit.admin.test_api import LOCAL, ask

from gatepost.admin.ndr import CLASSES, KINDS, Wanted


@pytest.mark.parametrize("failure_class", CLASSES)
def test_a_returned_message_of_every_class_is_understood_as_permanent(failure_class):
    """R4, B10."""
    _gateway, service = make()
    for language in ("en", "zh-CN"):
        found = service.ndr.preview(Wanted(failure_class, language=language))
        assert all_failures(message_from_string(found["raw"])) == (set(), {b"bob@contoso.example"})
        assert found["human"].strip()
        assert "Action: failed\nStatus: 5." in found["machine"]
        assert f"Content-Language: {language}" in found["headers"]


def test_a_failure_of_ours_expires_and_a_refusal_is_the_servers_own():
    _gateway, service = make()
    refused = service.ndr.preview(Wanted("connection_refused"))
    assert "Status: 5.4.316" in refused["machine"]
    assert "550 5.4.316 Message expired, connection refused" in refused["machine"]
    unknown = service.ndr.preview(Wanted("recipient_unknown"))
    assert "Status: 5.1.1" in unknown["machine"]
    assert "expired" not in unknown["machine"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_report_has_its_action(kind):
    _gateway, service = make()
    found = service.ndr.preview(Wanted(kind=kind))
    action = {"failure": "failed", "delay": "delayed", "relayed": "relayed", "over": "relayed"}[kind]
    assert f"Action: {action}" in found["machine"]
    assert ("Will-Retry-Until" in found["machine"]) == (kind == "delay")


def test_the_language_is_that_of_the_senders_domain_where_none_is_asked_for():
    _gateway, service = make()
    assert service.ndr.preview(Wanted(sender="ann@contoso.example"))["language"] == "zh-CN"
    assert service.ndr.preview(Wanted(sender="ann@elsewhere.example"))["language"] == "en"
    assert service.ndr.preview(Wanted(sender="ann@contoso.example", language="en"))["language"] == "en"


def test_who_can_mend_it_follows_whose_servers_failed():
    _gateway, service = make()
    ours, theirs = (service.ndr.preview(Wanted(to=to))["human"] for to in ("on-premises", "partner"))
    assert "The administrators of this mail gateway" in ours
    assert "The administrators of the recipient's mail system" in theirs


@pytest.mark.parametrize(
    "query",
    [
        "failure_class=nothing", "failure_class=delivered", "kind=letter", "language=fr", "to=nowhere", "sender=ann",
        "sender=ann%40contoso.example%0D%0ABcc:%20eve%40far.example",
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(query):
    _gateway, service = make()
    assert ask(service, "GET", f"/api/v1/ndr/preview?{query}", extra=LOCAL).status == 422
