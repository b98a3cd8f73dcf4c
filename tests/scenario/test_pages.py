"""The pages over real HTTP: each as JSON, the map, one queue, previews, jobs, a test message, the size of a visit."""

import gzip
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.browser import Browser, signed_in
from tests.support.gateway import GatewayProcess
from tests.support.office import OFFICE, PARTNER
from tests.support.peers import free_port, wait_until
from tests.support.smtp_server import FaultServer

OBJECTS = OFFICE + PARTNER
SHOWN = (
    "/overview", "/map", "/insights", "/queues", "/messages", "/trace", "/connectors", "/connectors/to-office",
    "/sources", "/domains", "/diagnostics", "/alerts", "/policies", "/channels", "/reports", "/audit", "/knowledge",
    "/settings",
)  # fmt: skip
FIRST_VISIT = 600_000  # octets over the wire, charts aside


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with (
        FaultServer() as good,
        GatewayProcess(tmp_path_factory.mktemp("pages"), delivery='retry = ["1h"]') as process,
    ):
        process.apply(OBJECTS.format(closed=free_port(), partner=good.port))
        process.send("ann@contoso.example", "bob@contoso.example")
        process.send("ann@contoso.example", "eve@contoso.example")
        process.error("to-office")
        yield process


def data(browser: Browser, path: str) -> Any:
    status, text, headers = browser.ask("GET", path)
    assert status == 200, (path, status, text[:300])
    assert headers["content-type"] == "application/json"
    return json.loads(text)


def office(browser: Browser) -> dict[str, Any]:
    (row,) = [r for r in data(browser, "/queues.json")["rows"] if r["connector"] == "to-office"]
    return row


def test_every_page_gives_its_data_to_programs_by_the_same_door(gateway: GatewayProcess) -> None:
    """One door: `.json` behind the address of a page, for whoever may see the page, with a token too."""
    browser = signed_in(gateway)
    for path in SHOWN:
        assert data(browser, f"{path}.json")
    stranger = Browser(gateway.admin_port)
    for path in SHOWN:
        assert stranger.ask("GET", f"{path}.json")[0] == 401, path
    token = gateway.json("token", "create", "reads-pages", "--scope", "read")["token"]
    status, text, _ = stranger.ask("GET", "/queues.json", Authorization=f"Bearer {token}")
    assert status == 200
    assert json.loads(text)["rows"]


def test_the_trace_finds_addresses_and_whole_domains_and_has_further_pages(gateway: GatewayProcess) -> None:
    """R20: an address or a domain in any case; what `next` of a page leads to are older messages."""
    browser = signed_in(gateway)
    found = {
        query: {
            r["address"]
            for m in data(browser, f"/trace.json?q={query}")["found"]["messages"]
            for r in m["recipients"]
        }
        for query in ("BOB%40contoso.example", "%40Contoso.example", "contoso.example", "%40example")
    }
    both = {"bob@contoso.example", "eve@contoso.example"}
    assert list(found.values()) == [{"bob@contoso.example"}, both, both, set()]
    newest = data(browser, "/trace.json")["found"]["messages"]
    older = data(browser, f"/trace.json?before={newest[0]['id']}")["found"]["messages"]
    assert [m["id"] for m in older] == [m["id"] for m in newest[1:]]
    assert browser.ask("GET", "/trace?before=nonsense")[0] == 422


def test_the_map_shows_where_mail_went_and_agrees_with_the_queue(gateway: GatewayProcess) -> None:
    browser = signed_in(gateway)
    number = gateway.json("message", "test", "someone@partner.example")["id"]
    wait_until(lambda: gateway.ask(f"messages/{number}")["state"] == "delivered", what="the test message")
    found = data(browser, "/map.json?window=1h")["data"]
    assert found["outcomes"]["waiting"] == office(browser)["recipients"]
    assert found["outcomes"]["delivered"] == 1
    chosen = data(browser, "/map.json?window=1h&connector=to-office")["data"]
    assert {row["connector"] for row in chosen["rows"]} == {"to-office"}
    text = browser.get("/map?window=1h&connector=to-office")
    assert 'data-chart="map"' in text
    assert browser.ask("GET", "/map?window=forever")[0] == 422


def test_the_counts_of_the_map_outlive_a_restart(tmp_path: Path) -> None:
    with FaultServer() as good, GatewayProcess(tmp_path) as gateway:
        gateway.apply(OBJECTS.format(closed=free_port(), partner=good.port))
        gateway.send("ann@contoso.example", "someone@partner.example")
        wait_until(lambda: gateway.ask("flow")["outcomes"].get("delivered"), what="the delivery")
        gateway.drained()  # a delivery is counted a moment before it is on disk and off the queue
        before = gateway.ask("flow")["rows"]
        assert [row["outcome"] for row in before] == ["delivered"]
        gateway.stop()
        gateway.start()
        assert gateway.ask("flow")["rows"] == before


def test_one_queue_has_the_eight_fields_and_what_can_be_done(gateway: GatewayProcess) -> None:
    """R19, B5."""
    browser = signed_in(gateway)
    row = office(browser)
    text = browser.get(f"/queues/{row['id']}")
    for title in (
        "Number of queued messages", "Connector name", "Queue started time", "Oldest messages expire",
        "Destination server", "Last IP address", "Last error", "How to fix",
    ):  # fmt: skip
        assert title in text
    for action in ("retry", "suspend", "reroute", "extend_expiry", "return_now"):
        assert f"/fixes/{row['id']}/{action}/preview" in text
    assert browser.ask("GET", "/queues/1")[0] == 404
    status, text, _ = browser.ask("POST", f"/fixes/{row['id']}/suspend/preview", {}, HX_Request="true")
    assert status == 200
    assert "held" in text


def test_a_change_of_a_domain_is_previewed_with_what_becomes_of_waiting_mail(gateway: GatewayProcess) -> None:
    """R14, R15: the dry run of a type change."""
    browser = signed_in(gateway)
    form = {"old": "contoso.example", "type": "authoritative", "recipients": "ann@contoso.example"}
    status, text, _ = browser.ask("POST", "/domains/preview", form, HX_Request="true")
    assert status == 200
    assert "authoritative" in text
    assert "2 recipients: returned to the sender at once" in text
    assert gateway.json("domain", "show", "contoso.example")["type"] == "internal-relay"


def test_an_action_on_what_a_filter_means_is_previewed_confirmed_and_undone(gateway: GatewayProcess) -> None:
    """B5."""
    browser = signed_in(gateway)
    assert "bob@contoso.example" in browser.get("/messages?filter=connector:to-office")
    status, text, _ = browser.ask("GET", "/messages?filter=colour:red")
    assert status == 422
    assert "colour" in text
    form = {"action": "suspend", "filter": "to:bob@contoso.example", "until": "4h"}
    status, text, _ = browser.ask("POST", "/messages/act", form)
    assert status == 200
    assert "1 recipients of 1 messages" in text
    status, _, headers = browser.ask("POST", "/messages/act", {**form, "go": "yes", "reason": "a test"})
    assert status == 303
    where = headers["location"]
    wait_until(lambda: 'data-state="done"' in browser.get(where), what="the job")
    assert browser.ask("POST", f"{where}/undo", {})[0] == 303
    wait_until(lambda: 'data-state="undone"' in browser.get(where), what="the undoing")
    ends = {"action": "delete", "filter": "to:eve@contoso.example", "go": "yes", "typed": "7"}
    assert browser.ask("POST", "/messages/act", ends)[0] == 422
    assert gateway.json("message", "list", "--filter", "to:eve@contoso.example")["messages"]


def test_a_test_message_can_be_followed(gateway: GatewayProcess) -> None:
    browser = signed_in(gateway)
    status, _, headers = browser.ask("POST", "/test-mail", {"recipient": "friend@partner.example"})
    assert status == 303
    wait_until(lambda: "gp-state-delivered" in browser.get(headers["location"]), what="the delivery")
    assert browser.ask("POST", "/test-mail", {"recipient": "nonsense"})[0] == 422
    assert browser.ask("POST", "/test-mail", {"recipient": "x\r\nBcc: y@partner.example"})[0] == 422


def test_a_change_is_told_to_whoever_listens(gateway: GatewayProcess) -> None:
    """Two browsers see each other's change."""
    listener, changer = signed_in(gateway), signed_in(gateway)
    connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=30)
    cookies = "; ".join(f"{name}={value}" for name, value in listener.cookies.items())
    connection.request("GET", "/api/v1/events", headers={"Cookie": cookies})
    stream = connection.getresponse()
    assert stream.readline() == b"retry: 3000\n"
    silence = {"connector": "to-office", "until": "1h", "reason": "seen by both"}
    assert changer.ask("POST", "/alerts/silence", silence)[0] == 303
    lines = iter(stream.readline, b"")
    assert any(line == b"event: changed\n" for line in lines)
    connection.close()


def test_a_first_visit_is_small_and_what_does_not_change_is_kept(gateway: GatewayProcess) -> None:
    browser = signed_in(gateway)
    text = browser.get("/")
    files = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', text))
    assert len(files) > 5
    total = len(gzip.compress(text.encode()))
    for file in files:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=20)
        connection.request("GET", file, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        total += len(answer.read())
        assert "immutable" in (answer.headers["cache-control"] or ""), file
        connection.close()
    assert total < FIRST_VISIT
    assert "echarts" not in "".join(files)
