"""Insights as users see them: the answer first, the eight fields, filters, people."""

from itertools import count

import pytest
from tests.support.fake_gateway import HOUR, NOW, OFFICE, PARTNER, REFUSED, make
from tests.unit.admin.test_api import LOCAL, ask

from gatepost.admin.insight_words import Shown, Words
from gatepost.insight.hosts import Sight
from gatepost.model.evidence import Because, RankedCause, Ranking
from gatepost.model.insight import Fingerprint
from gatepost.model.waiting import Expiring


@pytest.fixture
def broken():
    gateway, service = make()
    insight = gateway.break_office()
    gateway.break_office(NOW - 60_000)
    gateway.insights.hosts.failed(
        Sight(OFFICE.id, "mail.contoso.example", "192.0.2.7", 25, NOW - 60_000), REFUSED
    )
    return gateway, service, insight.fingerprint.text


def get(service, path, lang=""):
    answer = ask(service, "GET", f"/api/v1/{path}", extra=LOCAL, headers={"accept-language": lang})
    assert answer.status == 200, answer.json
    return answer.json


def post(service, path, body):
    return ask(service, "POST", f"/api/v1/{path}", body, extra=LOCAL)


def test_the_sentence_says_what_where_since_when_how_many_whose_side_and_what_happens_next(broken):
    """R19: the answer first."""
    (row,) = get(broken[1], "insights")
    assert row["sentence"] == (
        "Connection refused: for 2 h 0 min no mail reaches mail.contoso.example "
        "(connector to-office, 2 attempts). 2 messages wait. Whose side: the network team. "
        "Next attempt in 1 min."
    )


def test_the_sentence_is_chinese_for_those_who_prefer_it(broken):
    """B10."""
    (row,) = get(broken[1], "insights", "zh-CN")
    assert row["sentence"] == (
        "连接被拒绝：已有 2 小时 0 分钟 没有邮件能到达 mail.contoso.example（连接器 to-office，已尝试 2 次）。"
        "有 2 封邮件在排队。责任方：网络团队。1 分钟 后进行下一次尝试。"
    )


@pytest.mark.parametrize(
    ("hours", "said"), [(3, "63 messages expire within 3 h 0 min."), (12, "within 12 h 0 min."), (13, "")]
)
def test_an_expiry_is_said_when_it_is_near(hours, said):
    """R19, B7: what is a day off is a field of the insight, and no news."""
    insight = make()[0].break_office()
    near = Shown(insight, NOW, messages=63, expiring=Expiring(63, hours * 3_600_000))
    sentence = Words("en").sentence(near)
    assert said in sentence
    assert ("expire" in sentence) is bool(said)


def test_every_insight_carries_the_eight_fields(broken):
    """R19."""
    (row,) = get(broken[1], "insights")
    assert row["messages"] == 2
    assert row["connector"] == "to-office"
    assert row["queued_since"] == "2026-11-23T06:00:00.000Z"
    assert row["oldest_expires_at"] == "2026-11-24T06:00:00.000Z"
    assert row["destination_server"] == "mail.contoso.example"
    assert row["last_address"] == "192.0.2.7:25"
    assert row["last_error"]["code"] == "4.4.316"
    assert row["how_to_fix"]


def test_an_insight_shown_holds_its_evidence(broken):
    _, service, text = broken
    found = get(service, f"insights/{text}")
    (host,) = found["hosts_known"]
    assert (host["works"], host["failures"], host["address"]) == (False, 1, "192.0.2.7:25")
    assert sum(row["messages"] for row in found["expiry"]) == 2
    assert sum(row["messages"] for row in found["ages"]) == 2
    assert found["facets"]["recipient_domains"] == [{"domain": "contoso.example", "recipients": 2}]
    assert found["fixes"][0]["command"].startswith(f"gatepost fix apply {text} ")
    assert found["ranking"] is None
    assert found["known_causes"]
    assert [bucket["attempts"] for bucket in found["trend"]] == [1, 1]


def test_ranked_causes_are_said_with_their_because_and_decide_whose_side_it_is(broken):
    """B3."""
    gateway, service, text = broken
    because = Because("port_closed", "the host answers, port {port} refuses", {"port": 25})
    cause = RankedCause("firewall", 0.8, "network", (because,))
    gateway.ranked = Ranking((cause,), decided=True, owner="network")
    found = get(service, f"insights/{text}")
    assert found["ranking"]["causes"][0]["because"] == ["the host answers, port 25 refuses"]
    assert "Whose side: the network team." in found["sentence"]


def test_one_of_two_hosts_is_said_so():
    """B2."""
    gateway, service = make()
    gateway.break_office(scope="hosts")
    hosts = gateway.insights.hosts
    hosts.failed(Sight(OFFICE.id, "mx1.contoso.example", "192.0.2.7", 25, NOW), REFUSED)
    hosts.opened(Sight(OFFICE.id, "mx2.contoso.example", "192.0.2.8", 25, NOW))
    (row,) = get(service, "insights?scope=hosts")
    assert row["hosts"] == {
        "known": 2,
        "working": 1,
        "sentence": "1 of 2 hosts broken: mx1.contoso.example (Connection refused)",
    }
    assert row["sentence"].startswith(
        "1 of 2 hosts broken: mx1.contoso.example (Connection refused), for 2 h 0 min; "
        "mail to mail.contoso.example depends on the last one that works."
    )
    assert row["messages"] == 0


def test_one_of_four_addresses_is_named():
    """A destination that is broken only on one of four addresses is named as such."""
    gateway, service = make()
    gateway.break_office(scope="hosts")
    hosts = gateway.insights.hosts
    for number in range(3):
        hosts.opened(Sight(OFFICE.id, "mail.contoso.example", f"192.0.2.{number}", 25, NOW))
    hosts.failed(Sight(OFFICE.id, "mail.contoso.example", "192.0.2.9", 25, NOW), REFUSED)
    (row,) = get(service, "insights")
    assert row["sentence"].startswith("1 of 4 addresses broken: 192.0.2.9:25 (Connection refused), ")
    assert row["sentence"].count("goes by the others") == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 1), ("state=new", 1), ("state=resolved", 1), ("state=all", 2), ("severity=high", 1),
        ("severity=critical", 0), ("class=connection_refused", 1), ("class=cert_invalid", 0), ("code=4.4.316", 1),
        ("scope=messages", 0), ("connector=to-*", 1), ("connector=nope", 0), ("destination=mail.*", 1),
        (f"destination={OFFICE.id}", 1), ("limit=1&state=all", 1),
    ],
)  # fmt: skip
def test_filters(broken, query, found):
    gateway, service, _ = broken
    gateway.break_office(connector="to-partner", destination_id=PARTNER.id)
    gateway.insights.book.recovered(PARTNER.id, NOW)
    assert len(get(service, f"insights?{query}")) == found


def test_a_word_that_is_no_state_is_refused(broken):
    answer = ask(broken[1], "GET", "/api/v1/insights?state=bad", extra=LOCAL)
    assert answer.status == 422
    assert "regressed" in answer.json["detail"]


def test_what_another_insight_explains_is_hidden_unless_asked_for(broken):
    gateway, service, text = broken
    gateway.insights.book.explain(text, "v1:0123456789abcdef")
    assert get(service, "insights") == []
    assert len(get(service, "insights?explained=true")) == 1


def test_an_insight_of_the_gateway_adds_up_what_it_explains(broken):
    """B3: our own network, and one insight says so."""
    gateway, service, text = broken
    whole = gateway.break_office(scope="gateway", connector="", destination_id=0)
    counted = (("failing", 12), ("working", 1), ("since", NOW))
    gateway.insights.book.group(whole.fingerprint.text, (text,), counted)
    gateway.insights.book.explain(text, whole.fingerprint.text)
    (row,) = get(service, "insights")
    assert row["messages"] == 2
    assert row["owner"] == "us"
    assert "12 destinations began to fail alike" in row["sentence"]
    found = get(service, f"insights/{row['id']}")
    assert found["members"][0]["id"] == text
    assert found["why"]["counted"]["failing"] == 12


def test_messages_that_wait_for_themselves_are_not_counted_as_the_destinations():
    gateway, service = make()
    gateway.break_office(scope="messages")
    (row,) = get(service, "insights")
    assert row["messages"] is None
    assert "itself works" in row["sentence"]


def test_what_is_over_says_when_and_why(broken):
    gateway, service, _ = broken
    gateway.insights.book.recovered(OFFICE.id, NOW)
    (row,) = get(service, "insights?state=resolved")
    assert row["sentence"] == (
        "Over: Connection refused at mail.contoso.example, from 2026-11-23 06:00 UTC to 2026-11-23 08:00 UTC "
        "(2 attempts): it works again."
    )


def test_the_beginning_of_an_id_is_enough_where_no_other_begins_so(broken):
    gateway, service, text = broken
    assert get(service, f"insights/{text[3:9]}")["id"] == text
    assert get(service, f"insights/{text.upper()}")["id"] == text
    number = get(service, "insights")[0]["number"]
    assert get(service, f"insights/{number}")["id"] == text
    assert ask(service, "GET", "/api/v1/insights/zzzz", extra=LOCAL).status == 404
    prints = (Fingerprint("destination", "to-office", n, "connection_refused") for n in count(1))
    twin = next(p.destination_id for p in prints if p.text[:7] == text[:7])
    gateway.break_office(destination_id=twin)
    assert ask(service, "GET", f"/api/v1/insights/{text[3:7]}", extra=LOCAL).status == 409


def test_people_look_after_insights_and_write_notes(broken):
    _, service, text = broken
    tried = post(service, f"insights/{text}/acknowledge", {"dry_run": True}).json
    assert tried == {
        "dry_run": True, "id": text, "state": "new", "acknowledged_by": "", "acknowledged_at": None,
        "note": "", "resolved_at": None,
    }  # fmt: skip
    assert post(service, f"insights/{text}/acknowledge", {}).json["acknowledged_by"] == "administrator"
    assert post(service, f"insights/{text}/note", {"text": " firewall team "}).json["note"] == "firewall team"
    assert post(service, f"insights/{text}/unacknowledge", {}).json["acknowledged_at"] is None
    assert post(service, f"insights/{text}/resolve", {}).json["state"] == "resolved"
    assert post(service, f"insights/{text}/resolve", {}).status == 409
    assert post(service, f"insights/{text}/acknowledge", {}).status == 409


def test_why_names_the_parts_of_the_fingerprint_and_the_rule(broken):
    _, service, text = broken
    found = get(service, f"insights/{text}/why")
    assert found["rule"] == "v1"
    assert found["parts"]["class"] == "connection_refused"
    assert found["parts"]["connector"] == "to-office"
    assert "one destination" in found["text"]


def test_history_keeps_every_episode(broken):
    gateway, service, text = broken
    gateway.insights.book.recovered(OFFICE.id, NOW - HOUR)
    gateway.break_office(NOW)
    found = get(service, f"insights/{text}/history")
    assert found["episodes"] == 2
    (past,) = found["past"]
    assert (past["attempts"], past["why"]) == (2, "recovered")
    assert found["attempts"][0]["error"]["code"] == "4.4.316"


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "insights", "read"), ("GET", "insights/{id}", "read"), ("GET", "insights/{id}/why", "read"),
        ("GET", "insights/{id}/history", "read"), ("POST", "insights/{id}/note", "operate"),
        ("POST", "insights/{id}/acknowledge", "operate"), ("POST", "insights/{id}/unacknowledge", "operate"),
        ("POST", "insights/{id}/resolve", "operate"),
    ],
)  # fmt: skip
def test_who_may(broken, method, path, scope):
    _, service, text = broken
    target = "/api/v1/" + path.format(id=text)
    assert ask(service, method, target, {}).status == 401
    made = post(service, "tokens", {"name": "t", "scope": "read"}).json["token"]
    expected = 200 if scope == "read" else 403
    assert ask(service, method, target, {}, headers={"authorization": f"Bearer {made}"}).status == expected
