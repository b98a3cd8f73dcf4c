"""What is counted, and that no label can grow without bound."""

from types import SimpleNamespace

import gatepost.telemetry.metrics as module
from gatepost.telemetry.metrics import Metrics, QueueSample


def value(metrics, name, /, **labels):
    return metrics.registry.get_sample_value(name, labels)


def test_the_journey_of_mail_is_counted():
    metrics = Metrics()
    metrics.accepted(SimpleNamespace(size=2048))
    metrics.delivered("to-office")
    metrics.deferred("to-office", "4.4.316", "connect")
    metrics.deferred("to-office", "4.4.316", "connect")
    metrics.ended("to-office", "returned")
    metrics.ended("to-office", "cancelled")
    metrics.ended("to-office", "failed")
    metrics.in_doubt()
    assert value(metrics, "gatepost_received_total") == 1
    assert value(metrics, "gatepost_received_bytes_total") == 2048
    assert value(metrics, "gatepost_delivered_total", connector="to-office") == 1
    assert (
        value(metrics, "gatepost_deferred_total", connector="to-office", code="4.4.316", phase="connect") == 2
    )
    assert value(metrics, "gatepost_returned_total", connector="to-office") == 1
    assert value(metrics, "gatepost_cancelled_total", connector="to-office") == 1
    assert value(metrics, "gatepost_failed_total", connector="to-office") == 1
    assert value(metrics, "gatepost_in_doubt_total") == 1


def test_the_receiving_side_counts_refusals_by_their_why():
    metrics = Metrics()
    metrics.count("refused", why="pressure")
    metrics.count("sessions_ended", why="quit")
    assert value(metrics, "gatepost_refused_total", code="pressure") == 1
    assert value(metrics, "gatepost_events_total", name="sessions_ended", why="quit") == 1


def test_the_queue_is_summed_by_connector_and_state():
    metrics = Metrics()
    metrics.watch_queue(
        lambda: [
            QueueSample("a", "retry", 2, 10),
            QueueSample("a", "retry", 3, 5),
            QueueSample("b", "ready", 1),
        ]
    )
    metrics.snapshot()
    assert value(metrics, "gatepost_queued", connector="a", state="retry") == 5
    assert value(metrics, "gatepost_queued_bytes", connector="a", state="retry") == 15
    assert b'gatepost_queued{connector="b",state="ready"} 1.0' in metrics.render()


def test_labels_stay_bounded(monkeypatch):
    monkeypatch.setattr(module, "MAX_CHILDREN", 3)
    metrics = Metrics()
    for number in range(10):
        metrics.delivered(f"connector-{number}")
    assert value(metrics, "gatepost_delivered_total", connector="connector-2") == 1
    assert value(metrics, "gatepost_delivered_total", connector="connector-9") is None
    assert value(metrics, "gatepost_delivered_total", connector="other") == 7


def test_commits_connections_and_pressure_are_seen():
    metrics = Metrics()
    metrics.commit(12, 0.004)
    metrics.connections("out", "to-office", 1)
    metrics.connections("out", "to-office", -1)
    metrics.pressure("disk", on=True)
    assert value(metrics, "gatepost_commit_changes_sum") == 12
    assert value(metrics, "gatepost_commit_seconds_count") == 1
    assert value(metrics, "gatepost_connections", direction="out", connector="to-office") == 0
    assert value(metrics, "gatepost_pressure", resource="disk") == 1


def test_open_insights_are_counted_by_severity_and_scope():
    metrics = Metrics()
    metrics.watch_insights(lambda: {("high", "destination"): 2})
    metrics.snapshot()
    assert value(metrics, "gatepost_insights", severity="high", scope="destination") == 2
