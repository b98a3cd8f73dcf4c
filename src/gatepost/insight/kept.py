"""Insights and hosts as documents, and back: what an older or newer version wrote is read as far as it is known."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from gatepost.model.document import Document
from gatepost.model.failure import LastError
from gatepost.model.insight import (
    CertificateSummary,
    Episode,
    Fingerprint,
    HostRow,
    Insight,
    InsightState,
    Severity,
)

INSIGHT = "insight"
HOST = "host"


def insight_document(insight: Insight, at: int) -> Document:
    """Return the document of an insight."""
    data = {field.name: getattr(insight, field.name) for field in fields(insight)}
    data["fingerprint"] = asdict(insight.fingerprint)
    data["last_error"] = None if insight.last_error is None else asdict(insight.last_error)
    data["past"] = [list(episode) for episode in insight.past]
    return Document(INSIGHT, insight.fingerprint.text, at, data)


def insight_of(data: Mapping[str, Any]) -> Insight | None:
    """Return the insight of a document, None where it cannot be read."""
    try:
        values = _known(Insight, data)
        values["fingerprint"] = Fingerprint(**_known(Fingerprint, data["fingerprint"]))
        values["state"] = InsightState(data["state"])
        values["severity"] = Severity(data["severity"])
        values["last_error"] = _error(data.get("last_error"))
        for name in ("trend", "grouping"):
            values[name] = tuple((first, second) for first, second in data.get(name, ()))
        values["members"] = tuple(data.get("members", ()))
        values["past"] = tuple(Episode(*row) for row in data.get("past", ()))
        return Insight(**values)
    except (KeyError, TypeError, ValueError):
        return None


def host_key(destination_id: int, server: str, address: str, port: int) -> str:
    """Return the key of a host's document: the destination, the server, and where it listens."""
    return f"{destination_id}/{server}/{address}:{port}"


def host_document(row: HostRow) -> Document:
    """Return the document of a row."""
    key = host_key(row.destination_id, row.server, row.address, row.port)
    return Document(HOST, key, max(row.last_success, row.last_failure), asdict(row))


def host_of(data: Mapping[str, Any]) -> HostRow | None:
    """Return the row of a document, None where it cannot be read."""
    try:
        values = _known(HostRow, data)
        values["last_error"] = _error(data.get("last_error"))
        for name in ("certificate", "certificate_before"):
            values[name] = _certificate(data.get(name))
        return HostRow(**values)
    except (KeyError, TypeError, ValueError):
        return None


def _known(kind: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in data.items() if name in names}


def _error(data: Mapping[str, Any] | None) -> LastError | None:
    return None if data is None else LastError(**_known(LastError, data))


def _certificate(data: Mapping[str, Any] | None) -> CertificateSummary | None:
    if data is None:
        return None
    values = _known(CertificateSummary, data)
    return CertificateSummary(**{**values, "names": tuple(values["names"])})
