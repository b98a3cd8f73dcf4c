"""The use cases: what they show is the documented form, what they change is counted, a dry run changes nothing."""

import asyncio

import pytest
from tests.support.fake_gateway import DONE, FIRST, HOUR, NOW, OFFICE, PARTNER, SECOND, attempt, make

from gatepost.admin.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from gatepost.admin.messages import MessageQuery
from gatepost.admin.queue import DestinationFilter, moment
from gatepost.config.problems import Problem
from gatepost.config.settings import BadSettings
from gatepost.model.ids import to_text

ROW = [
    "connector",
    "destination",
    "state",
    "messages",
    "bytes",
    "queued_since",
    "oldest_at",
    "oldest_expires_at",
    "next_attempt_at",
    "attempts",
    "last_error",
]
ERROR = ["smtp", "code", "title", "phase", "reason", "message", "server", "address", "at", "text"]


def run(work):
    return asyncio.run(work)


def test_a_row_of_the_queue_has_the_documented_fields():
    """R19: since when, when the oldest expires, destination server, address, last error."""
    _, service = make()
    row = run(service.queue.rows())[0]
    assert set(ROW) <= set(row)
    assert (row["connector"], row["destination"], row["state"]) == (
        "to-office",
        "mail.contoso.example",
        "retry",
    )
    assert (row["messages"], row["bytes"], row["attempts"]) == (2, 2560, 3)
    assert row["queued_since"] == "2026-11-23T06:00:00.000Z"
    assert row["oldest_expires_at"] == "2026-11-24T06:00:00.000Z"
    assert row["next_attempt_at"] == "2026-11-23T08:01:00.000Z"
    assert set(ERROR) <= set(row["last_error"])
    assert row["last_error"]["text"].startswith("450 4.4.316 Connection refused [Message=")


def test_the_state_in_this_process_wins_over_the_stored_one():
    gateway, service = make()
    active = gateway.store.states[PARTNER.id]._replace(state="active")
    gateway.live = lambda: {PARTNER.id: active}
    rows = {row["connector"]: row["state"] for row in run(service.queue.rows())}
    assert rows == {"to-office": "retry", "to-partner": "active"}


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (DestinationFilter(connector="to-office"), {"to-office"}),
        (DestinationFilter(connector="to-*"), {"to-office", "to-partner"}),
        (DestinationFilter(destination="MAIL.contoso.example"), {"to-office"}),
        (DestinationFilter(destination="fabrikam.example"), {"to-partner"}),
        (DestinationFilter(destination=str(PARTNER.id)), {"to-partner"}),
        (DestinationFilter(state="retry"), {"to-office"}),
        (DestinationFilter(connector="[t]o-office"), set()),
    ],
)
def test_destinations_are_found_by_connector_name_host_and_id(which, expected):
    _, service = make()
    assert {row["connector"] for row in run(service.queue.rows(which))} == expected


def test_retry_says_what_it_does_and_a_dry_run_does_nothing():
    """B5."""
    gateway, service = make()
    answer = run(service.queue.retry(DestinationFilter(connector="to-office"), dry_run=True))
    assert (answer["dry_run"], answer["destinations"], answer["messages"]) == (True, 1, 2)
    assert gateway.done == []
    run(service.queue.retry(DestinationFilter(connector="to-office"), dry_run=False))
    assert gateway.done == [("retry", OFFICE.id)]


def test_a_suspension_has_who_why_and_until():
    """B5."""
    gateway, service = make()
    which = DestinationFilter(connector="to-office")
    run(service.queue.suspend(which, "ann", "firewall", "4h", everything=False, dry_run=False))
    assert gateway.done == [("suspend", OFFICE.id, "ann", "firewall", NOW + 4 * HOUR)]
    answer = run(service.queue.resume(DestinationFilter(), "ann", dry_run=False))
    assert answer["destinations"] == 1
    assert gateway.done[-1] == ("resume", OFFICE.id, "ann")


def test_suspending_everything_must_be_said():
    _, service = make()
    with pytest.raises(Invalid, match="say all"):
        run(service.queue.suspend(DestinationFilter(), "ann", "", "", everything=False, dry_run=False))
    answer = run(service.queue.suspend(DestinationFilter(), "ann", "", "", everything=True, dry_run=True))
    assert answer["destinations"] == 2


@pytest.mark.parametrize("text", ["yesterday", "0s", "2020-01-01T00:00:00Z", "99999999d", "4 hours", "NaN"])
def test_a_time_that_is_none_or_has_gone_is_refused(text):
    with pytest.raises(Invalid):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (MessageQuery(), [FIRST, SECOND, FIRST]),
        (MessageQuery(connector="to-office"), [FIRST, SECOND]),
        (MessageQuery(sender=""), [SECOND]),
        (MessageQuery(recipient="@fabrikam.example"), [FIRST]),
        (MessageQuery(recipient="ann@contoso.example"), [SECOND]),
        (MessageQuery(code="4.4.316"), [FIRST, SECOND]),
        (MessageQuery(code="4.4.312"), []),
        (MessageQuery(state="ready"), [FIRST]),
        (MessageQuery(state="deferred"), []),
        (MessageQuery(older_than="90m"), [FIRST, FIRST]),
        (MessageQuery(ids=(to_text(SECOND),)), [SECOND]),
        (MessageQuery(ids=(to_text(SECOND), to_text(FIRST)), connector="to-partner"), [FIRST]),
    ],
)
def test_messages_are_found_by_every_filter(query, expected):
    _, service = make()
    rows = run(service.messages.listed(query))["messages"]
    assert sorted(row["id"] for row in rows) == sorted(to_text(number) for number in expected)


def test_a_list_goes_on_where_its_page_ended():
    _, service = make()
    seen, after = [], ""
    for _page in range(5):
        answer = run(service.messages.listed(MessageQuery(), 1, after))
        seen += [(row["id"], row["connector"]) for row in answer["messages"]]
        after = answer["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 3


def test_a_message_in_the_list_shows_its_error_and_its_end():
    _, service = make()
    row = run(service.messages.listed(MessageQuery(connector="to-office")))["messages"][0]
    assert row["last_error"]["code"] == "4.4.316"
    assert row["expires_at"] == "2026-11-24T06:00:00.000Z"


def test_a_message_of_its_own_attempts_shows_its_own_error():
    gateway, service = make()
    message = gateway.store.queued[PARTNER.id, FIRST]
    tried = message.recipients[0]._replace(attempts=1)
    gateway.store.queued[PARTNER.id, FIRST] = message._replace(recipients=(tried,))
    gateway.store.attempts_of[FIRST] = [attempt(FIRST, PARTNER, code="4.2.2", flow_code="other")]
    row = run(service.messages.listed(MessageQuery(code="4.2.2")))["messages"][0]
    assert row["last_error"]["code"] == "4.2.2"


def test_one_message_shows_recipients_events_and_all_attempts():
    """R20, B2."""
    _, service = make()
    found = run(service.messages.show(to_text(FIRST)))
    assert found["state"] == "queued"
    assert found["client"] == {"address": "192.0.2.99"}
    assert [r["address"] for r in found["recipients"]] == ["bob@contoso.example", "cy@fabrikam.example"]
    assert found["recipients"][0]["last_error"]["server"] == "mail.contoso.example"
    assert found["recipients"][1]["last_error"] is None
    assert found["events"][0]["kind"] == "delay notice"
    assert found["attempts"][0]["scope"] == "destination"
    assert found["attempts"][0]["error"]["address"] == "192.0.2.7:25"


def test_a_message_that_is_not_there_is_not_found():
    _, service = make()
    with pytest.raises(NotFound):
        run(service.messages.show("0000000000001"))
    with pytest.raises(Invalid):
        run(service.messages.show("../../etc/pwd"))


async def _content(service, number):
    return b"".join([piece async for piece in await service.messages.content(to_text(number), "ann")])


def test_an_export_is_unstuffed_across_pieces():
    """B5: the .eml file is what was sent, not the wire form."""
    _, service = make()
    assert run(_content(service, FIRST)) == b"Subject: hi\r\n\r\n.dots\r\n"


def test_the_content_of_a_finished_message_is_gone():
    _, service = make()
    with pytest.raises(Conflict):
        run(_content(service, DONE))


def test_a_long_cancel_tells_how_far_it_is(monkeypatch):
    monkeypatch.setattr("gatepost.admin.jobs.STEP", 0.0)
    gateway, service = make()

    async def story():
        query = MessageQuery()
        steps = service.jobs.cancelling(query, "ann", ndr=True, everything=True, dry_run=False)
        return [step async for step in steps]

    *progress, last = run(story())
    assert progress[0] == {"progress": {"done": 0, "of": 3}}
    assert last["result"]["ended"] == len(gateway.done) == 3


def test_a_cancel_is_previewed_with_counts_and_then_done():
    """B5: preview first; the null sender gets no report (R4)."""
    gateway, service = make()
    query = MessageQuery(connector="to-office")
    preview = run(service.jobs.cancel(query, "ann", ndr=True, everything=False, dry_run=True))
    assert (preview["messages"], preview["recipients"], preview["reports"], preview["bytes"]) == (
        2,
        2,
        1,
        2560,
    )
    assert gateway.done == []
    answer = run(service.jobs.cancel(query, "ann", ndr=True, everything=False, dry_run=False))
    assert (answer["ended"], answer["under_way"]) == (2, 0)
    assert gateway.done[0] == ("cancel", OFFICE.id, FIRST, (1,), "ann", True)


def test_ending_every_message_must_be_said():
    _, service = make()
    with pytest.raises(Invalid, match="say all"):
        run(service.jobs.cancel(MessageQuery(), "ann", ndr=False, everything=False, dry_run=True))
    answer = run(service.jobs.cancel(MessageQuery(), "ann", ndr=False, everything=True, dry_run=True))
    assert (answer["messages"], answer["recipients"], answer["reports"]) == (2, 3, 0)


def test_an_object_is_added_changed_and_deleted():
    """R15."""
    gateway, service = make()
    data = {"name": "new", "domains": ["new.example"], "use_mx": True}
    answer = run(service.objects.add("connector", data, "ann"))
    assert (answer["counts"]["add"], answer["revision"]) == (1, 8)
    answer = run(service.objects.set("connector", "new", {"port": 2525}, "ann"))
    assert answer["changes"][0]["fields"] == {"port": {"before": 25, "after": 2525}}
    answer = run(service.objects.delete("connector", "new", "ann"))
    assert answer["counts"] == {"add": 0, "change": 0, "remove": 1}
    assert [c.name for c in gateway.objects.connectors] == ["to-office", "to-partner"]


def test_a_dry_run_shows_the_difference_and_saves_nothing():
    """R15."""
    gateway, service = make()
    fields = {"type": "authoritative"}
    answer = run(service.objects.set("accepted_domain", "contoso.example", fields, "ann", dry_run=True))
    assert answer["changes"][0]["fields"]["type"] == {"before": "internal-relay", "after": "authoritative"}
    assert (gateway.saved, gateway.objects.revision) == ([], 7)


def test_nothing_to_change_saves_nothing():
    gateway, service = make()
    answer = run(service.objects.set("connector", "to-office", {"port": 25}, "ann"))
    assert answer["changes"] == gateway.saved == []


def test_apply_deletes_only_with_prune():
    _, service = make()
    tables = {"source": [{"name": "cloud", "networks": ["192.0.2.0/24"], "may_relay": True}]}
    assert run(service.objects.apply(tables, "ann", dry_run=True))["changes"] == []
    answer = run(service.objects.apply(tables, "ann", prune=True, dry_run=True))
    assert answer["counts"] == {"add": 0, "change": 0, "remove": 3}


def test_all_problems_of_objects_are_said_at_once():
    _, service = make()
    with pytest.raises(Invalid) as caught:
        run(service.objects.add("connector", {"name": "bad", "port": 0, "tls": "always"}, "ann"))
    assert len(caught.value.problems) >= 3


def test_a_change_made_from_an_old_revision_is_a_conflict():
    gateway, service = make()
    with pytest.raises(Conflict, match="revision 7, not 3"):
        run(service.objects.apply({}, "ann", revision=3))
    gateway.beaten_by = 9
    with pytest.raises(Conflict, match="revision 9"):
        run(service.objects.set("connector", "to-office", {"port": 26}, "ann"))


def test_known_recipients_are_added_and_removed():
    gateway, service = make()
    run(service.objects.recipients("contoso.example", "ann", add=["Bob@Contoso.example"], dry_run=False))
    assert "bob@contoso.example" in {a.lower() for a in gateway.objects.domains[0].recipients}
    with pytest.raises(NotFound):
        run(service.objects.recipients("contoso.example", "ann", remove=["x@contoso.example"], dry_run=False))


def test_a_password_is_never_shown():
    """Security rule 26: secrets are write-only."""
    gateway, service = make()
    fields = {"username": "gw", "password": "hunter2"}
    answer = run(service.objects.set("connector", "to-office", fields, "ann"))
    shown = [answer, service.objects.everything(), service.objects.export(), run(service.objects.history())]
    assert "hunter2" not in str(shown)
    assert "sealed" not in str(shown)
    assert gateway.objects.connectors[0].password == "hunter2"


def test_a_token_opens_what_its_scope_says_until_it_expires():
    """Security rule 28: hashed, scoped, with an end."""
    gateway, service = make()
    made = run(service.tokens.create("watch", "read", "1h", "ann", dry_run=False))
    assert made["token"] not in str(gateway.kept_tokens)
    caller = run(service.tokens.caller(f"Bearer {made['token']}"))
    caller.need("read")
    with pytest.raises(Forbidden):
        caller.need("operate")
    assert "token" not in run(service.tokens.listed())[0]
    gateway.now = lambda: NOW + HOUR
    with pytest.raises(Unauthorized, match="expired"):
        run(service.tokens.caller(f"Bearer {made['token']}"))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer gp_unknown", "Basic Z3A6Z3A=", "Bearer x"])
def test_an_unknown_token_opens_nothing(header):
    _, service = make()
    run(service.tokens.create("watch", "admin", "", "ann", dry_run=False))
    with pytest.raises(Unauthorized):
        run(service.tokens.caller(header))


def test_a_deleted_token_opens_nothing():
    _, service = make()
    made = run(service.tokens.create("watch", "read", "", "ann", dry_run=False))
    run(service.tokens.delete("watch", "ann", dry_run=False))
    with pytest.raises(Unauthorized):
        run(service.tokens.caller(f"Bearer {made['token']}"))


def test_a_route_says_who_was_weighed_and_why():
    """R1."""
    _, service = make()
    answer = service.route_explain("ann@contoso.example")
    assert answer["connector"] == "to-office"
    assert [c["won"] for c in answer["candidates"]] == [True, False]
    with pytest.raises(Invalid):
        service.route_explain("nobody")


def test_health_and_readiness_say_why_not():
    gateway, service = make()
    assert service.health()["ok"] is True
    gateway.store.ok = False
    assert service.health()["store"]["problem"] == "disk I/O error"
    gateway.why = "disk is low"
    assert service.ready() == {"ready": False, "why": "disk is low"}


def test_bad_settings_stay_out_of_force():
    gateway, service = make()
    gateway.bad_settings = BadSettings([Problem("smtp.listen", "no port")])
    with pytest.raises(Invalid) as caught:
        run(service.reload())
    assert caught.value.problems[0].where == "smtp.listen"
