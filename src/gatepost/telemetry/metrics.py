"""What is counted, for Prometheus: bounded labels only (connector, code, phase), never an address.

Rule: counted as things happen; a scrape reads numbers and scans nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

MAX_CHILDREN = 2000  # label sets of one metric; what comes after is counted as "other"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class QueueSample(NamedTuple):
    """How much waits behind a connector in a state (ready, active, retry, suspended)."""

    connector: str
    state: str
    messages: int
    bytes: int = 0


class _HasSize(Protocol):
    @property
    def size(self) -> int: ...


class Children:
    """The children of a metric with labels, found fast and bounded in number."""

    def __init__(self, metric: Any, labels: int) -> None:
        self._metric = metric
        self._known: dict[tuple[str, ...], Any] = {}
        self._other = ("other",) * labels

    def __getitem__(self, labels: tuple[str, ...]) -> Any:
        child = self._known.get(labels)
        if child is None:
            if len(self._known) >= MAX_CHILDREN:
                labels = self._other
            child = self._known[labels] = self._metric.labels(*labels)
        return child


class Tally(Collector):
    """A counter for the path of every message: an addition, without a lock; the loop alone counts."""

    def __init__(self, name: str, doc: str, label: str = "") -> None:
        self._family = (f"gatepost_{name}", doc)
        self._labels = [label] if label else []
        self._values: dict[str, int] = {} if label else {"": 0}

    def add(self, label: str = "", number: int = 1) -> None:
        """Count."""
        values = self._values
        if label in values:
            values[label] += number
        elif len(values) < MAX_CHILDREN:
            values[label] = number
        else:
            values["other"] = values.get("other", 0) + number

    def collect(self) -> Iterator[Metric]:
        """Yield the counter as it is now."""
        family = CounterMetricFamily(*self._family, labels=self._labels)
        for label, value in sorted(self._values.copy().items()):
            family.add_metric([label] if self._labels else [], value)
        yield family


class Metrics:
    """All metrics of a process on a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._received = Tally("received", "Messages accepted (250 to the final dot).")
        self._received_bytes = Tally("received_bytes", "Octets of accepted messages.")
        self._refused = self._labelled("refused", "Refusals to clients, by why.", "code")
        self._delivered = Tally("delivered", "Recipients delivered.", "connector")
        self._deferred = self._labelled(
            "deferred", "Failed attempts that will be repeated.", "connector", "code", "phase"
        )
        self._returned = self._labelled("returned", "Recipients whose sender got a report.", "connector")
        self._cancelled = self._labelled("cancelled", "Recipients that an administrator ended.", "connector")
        self._failed = self._labelled("failed", "Recipients that ended without a report.", "connector")
        self._invalid = self._labelled(
            "invalid_recipients", "Recipients that do not exist, by how they were met.", "how", "connector"
        )
        self._quota = _Quota()
        self._forecasts = _Forecasts()
        for counted in (self._quota, self._forecasts):
            self.registry.register(counted)
        self._in_doubt = self._counter("in_doubt", "Messages that a crash left in doubt: perhaps sent twice.")
        self._events = self._labelled("events", "Other things that happen, by name and why.", "name", "why")
        self._connections = Children(
            self._gauge("connections", "Open connections.", "direction", "connector"), 2
        )
        self._open: dict[str, int] = {"in": 0, "out": 0}
        self._pressure = Children(self._gauge("pressure", "1 while a resource is short.", "resource"), 1)
        self._batch = Histogram(
            "gatepost_commit_changes",
            "Changes that one sync of the store made durable.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
            registry=self.registry,
        )
        self._commit = Histogram(
            "gatepost_commit_seconds",
            "How long a commit of the store took, its sync included.",
            buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
            registry=self.registry,
        )
        self._queue = _Queue()
        for collector in (self._received, self._received_bytes, self._delivered, self._queue):
            self.registry.register(collector)
        self._insights = _Insights()
        self.registry.register(self._insights)

    def _counter(self, name: str, doc: str) -> Counter:
        return Counter(f"gatepost_{name}_total", doc, registry=self.registry)

    def _labelled(self, name: str, doc: str, *labels: str) -> Children:
        return Children(Counter(f"gatepost_{name}_total", doc, labels, registry=self.registry), len(labels))

    def _gauge(self, name: str, doc: str, *labels: str) -> Gauge:
        return Gauge(f"gatepost_{name}", doc, labels, registry=self.registry)

    def accepted(self, message: _HasSize) -> None:
        """Count a message that is now ours."""
        self._received.add()
        self._received_bytes.add(number=message.size)

    def refused(self, code: str) -> None:
        """Count a refusal to a client; `code` is a word or code of ours, never the client's text."""
        self._refused[(code,)].inc()

    def count(self, name: str, /, why: str = "") -> None:
        """Count something that the receiving side names: `refused` with its why, or another event."""
        if name == "refused":
            self._refused[(why,)].inc()
        else:
            self._events[name, why].inc()

    def delivered(self, connector: str) -> None:
        """Count a recipient that was delivered."""
        self._delivered.add(connector)

    def deferred(self, connector: str, code: str, phase: str) -> None:
        """Count a failed attempt; `code` is one of the six codes or `other`."""
        self._deferred[connector, code, phase].inc()

    def ended(self, connector: str, outcome: str) -> None:
        """Count a recipient that ended undelivered: `returned`, `cancelled` or `failed`."""
        children = {"returned": self._returned, "cancelled": self._cancelled}.get(outcome, self._failed)
        children[(connector,)].inc()

    def invalid_recipient(self, how: str, connector: str) -> None:
        """Count a recipient that does not exist: `refused` here, `rejected` by a destination, `returned` by us."""
        self._invalid[how, connector].inc()

    def watch_quota(self, count: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """Name the function that counts who is above a threshold, by dimension and level (`snapshot`)."""
        self._quota.count = count

    def watch_forecasts(self, count: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """Name the function that counts forecasts by kind and severity (`snapshot`)."""
        self._forecasts.count = count

    def in_doubt(self) -> None:
        """Count a message whose delivery a crash left in doubt."""
        self._in_doubt.inc()

    def commit(self, changes: int, seconds: float) -> None:
        """Count a commit of the store: how many changes it held, how long it took."""
        self._batch.observe(changes)
        self._commit.observe(seconds)

    def connections(self, direction: str, connector: str, change: int) -> None:
        """Note that connections were opened (+1) or closed (-1); direction is `in` or `out`."""
        self._connections[direction, connector].inc(change)
        self._open[direction] += change

    def open_connections(self) -> dict[str, int]:
        """Return how many connections are open, by direction."""
        return dict(self._open)

    def pressure(self, resource: str, *, on: bool) -> None:
        """Note that a resource has become short, or is not short any more."""
        self._pressure[(resource,)].set(1 if on else 0)

    def watch_queue(self, samples: Callable[[], Iterable[QueueSample]]) -> None:
        """Name the function that tells what is queued; it is called on the loop (`snapshot`)."""
        self._queue.samples = samples

    def watch_insights(self, count: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """Name the function that counts open insights by severity and scope; called on the loop (`snapshot`)."""
        self._insights.count = count

    def snapshot(self) -> None:
        """Ask how much is queued and what is broken; on the loop, so that a thread can render afterwards."""
        self._queue.take()
        self._insights.take()
        self._quota.take()
        self._forecasts.take()

    def render(self) -> bytes:
        """Return everything in the text form of Prometheus; may run in a thread after `snapshot`."""
        return generate_latest(self.registry)


class _Queue(Collector):
    """Gauges that are read when somebody looks."""

    def __init__(self) -> None:
        self.samples: Callable[[], Iterable[QueueSample]] = tuple
        self._taken: list[QueueSample] = []

    def take(self) -> None:
        self._taken = list(self.samples())

    def collect(self) -> Iterator[Metric]:
        sums: dict[tuple[str, str], list[int]] = {}
        for sample in self._taken:
            entry = sums.setdefault((sample.connector, sample.state), [0, 0])
            entry[0] += sample.messages
            entry[1] += sample.bytes
        labels = ("connector", "state")
        messages = GaugeMetricFamily("gatepost_queued", "Messages that wait.", labels=labels)
        size = GaugeMetricFamily("gatepost_queued_bytes", "Octets that wait.", labels=labels)
        for key, (count, octets) in sorted(sums.items()):
            messages.add_metric(key, count)
            size.add_metric(key, octets)
        yield messages
        yield size


class _Counted(Collector):
    """A gauge with two labels, counted when somebody looks."""

    name, doc, labels = "", "", ("", "")

    def __init__(self) -> None:
        self.count: Callable[[], Mapping[tuple[str, str], int]] = dict
        self._taken: Mapping[tuple[str, str], int] = {}

    def take(self) -> None:
        self._taken = self.count()

    def collect(self) -> Iterator[Metric]:
        found = GaugeMetricFamily(self.name, self.doc, labels=self.labels)
        for key, number in sorted(self._taken.items()):
            found.add_metric(key, number)
        yield found


class _Insights(_Counted):
    """What is broken."""

    name, doc = "gatepost_insights", "Open insights, explained ones left out."
    labels = ("severity", "scope")


class _Quota(_Counted):
    """Who names too many recipients that do not exist."""

    name, doc = (
        "gatepost_quota",
        "Clients, senders, sources, domains and connectors above a threshold of the quota.",
    )
    labels = ("dimension", "level")


class _Forecasts(_Counted):
    """What will stop mail."""

    name, doc = "gatepost_forecasts", "What is foreseen to stop mail, by kind and severity."
    labels = ("kind", "severity")
