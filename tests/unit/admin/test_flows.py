"""The map of mail flow: sums agree with the queue, nodes filter, rare ones are drawn together."""

from tests.support.fake_gateway import NOW, OFFICE, PARTNER, make
from tests.unit.admin.test_api import LOCAL, ask

from gatepost.admin.flows import MOST, Flow, picture
from gatepost.telemetry.flows import ACCEPTED, DEFERRED


def counted(gateway):
    flows = gateway.flows
    flows.accepted_domain = lambda domain: domain if domain == "contoso.example" else ""
    for _ in range(5):
        flows.count("cloud", "ann@contoso.example", OFFICE.id, ACCEPTED)
    for _ in range(3):
        flows.count("cloud", "ann@contoso.example", OFFICE.id, "delivered")
    flows.count("branch", "x@partner.example", PARTNER.id, ACCEPTED)
    flows.count("branch", "x@partner.example", PARTNER.id, "returned")
    flows.count("", "", OFFICE.id, DEFERRED)


def get(service, path):
    answer = ask(service, "GET", f"/api/v1/{path}", extra=LOCAL)
    assert answer.status == 200, answer.body
    return answer


def waiting(found, **which):
    rows = [r for r in found["rows"] if r["outcome"] == "waiting"]
    return sum(r["recipients"] for r in rows if all(r[k] == v for k, v in which.items()))


def test_every_recipient_is_on_the_map_and_what_waits_agrees_with_the_queue():
    gateway, service = make()
    counted(gateway)
    found = get(service, "flow").json
    assert found["outcomes"]["delivered"] == 3
    assert found["outcomes"]["returned"] == 1
    queued = {row["connector"]: row["recipients"] for row in get(service, "queue").json}
    for connector, number in queued.items():
        assert waiting(found, connector=connector) == number
    assert waiting(found, source="cloud", domain="contoso.example") == 2
    assert (
        sum(link["recipients"] for link in found["links"] if link["column"] == "source")
        == found["recipients"]
    )


def test_a_node_filters_everything():
    gateway, service = make()
    counted(gateway)
    found = get(service, "flow?source=branch").json
    assert {(r["source"], r["outcome"]) for r in found["rows"]} == {("branch", "returned")}
    assert found["filter"] == {"source": "branch"}
    assert ask(service, "GET", "/api/v1/flow?window=2y", extra=LOCAL).status == 422


def test_the_course_of_a_day_has_every_hour():
    gateway, service = make()
    counted(gateway)
    course = service.flows.course()
    assert len(course) == 24
    assert (course[-1]["delivered"], course[-1]["deferred"], course[-1]["failed"]) == (3, 1, 1)
    assert sum(hour["delivered"] for hour in course[:-1]) == 0
    lately = service.flows.lately()
    assert lately["returned_last_hour"] == 1
    assert lately["delivered_per_minute"] > 0


def test_rare_nodes_of_a_column_are_drawn_as_one():
    flows = [Flow(f"s{n}", "", "c", "d", "delivered", n + 1) for n in range(MOST + 5)]
    drawn = picture(flows)
    names = [node["name"] for node in drawn["nodes"] if node["column"] == "source"]
    assert len(names) == MOST + 1
    assert sum(n["recipients"] for n in drawn["nodes"] if n["column"] == "source") == sum(
        f.recipients for f in flows
    )


def test_the_report_of_flows_is_a_spreadsheet_too():
    gateway, service = make()
    counted(gateway)
    text = get(service, "reports/flow?format=csv").body
    assert "source,domain,connector,destination,outcome,recipients" in str(text)
    assert gateway.now() == NOW
