"""What a foreign mail system tells of itself, by its log: failures of its own, counted as insights of ours."""

from typing import NamedTuple

PREFIX = "foreign:"  # of the connector of such an insight; the name of the system follows


class ForeignRow(NamedTuple):
    """One destination in one class, as a log says now. Times are ms since 1970, 0 for unknown."""

    destination: str
    failure_class: str
    sub: str = ""
    phase: str = ""
    stuck: int = 0  # recipients that wait
    attempts: int = 0  # failed ones since the log began
    returned: int = 0
    oldest_at: int = 0
    server: str = ""
    address: str = ""
    text: str = ""
    over: bool = False  # nothing of its kind has failed for a while


class ForeignReport(NamedTuple):
    """Everything that a log of a system says at a moment."""

    system: str
    source_kind: str
    rows: tuple[ForeignRow, ...]


def connector_of(system: str) -> str:
    """Return what stands where insights of our own name their connector."""
    return PREFIX + system


def system_of(connector: str) -> str:
    """Return the name of the foreign system, "" for a connector of our own."""
    return connector.removeprefix(PREFIX) if connector.startswith(PREFIX) else ""
