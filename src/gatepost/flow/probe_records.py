"""Results of probes as JSON, as they are kept and shown, and back."""

from collections.abc import Mapping
from typing import Any

from gatepost.model.failure import LastError, from_iso, iso
from gatepost.model.ids import from_text, to_text
from gatepost.model.probe import ProbeResult, ProbeStage

PROBE = "probe"


def stage_json(stage: ProbeStage) -> dict[str, object]:
    """Return a stage in the documented form."""
    return {
        "stage": stage.stage,
        "target": stage.target,
        "ok": stage.ok,
        "verdict": stage.verdict,
        "ms": round(stage.ms, 1),
        "evidence": dict(stage.evidence),
    }


def probe_json(result: ProbeResult) -> dict[str, object]:
    """Return a result in the documented form."""
    return {
        "id": to_text(result.id),
        "at": iso(result.at),
        "why": result.why,
        "connector": result.connector,
        "destination_id": str(result.destination_id),
        "ok": result.ok,
        "verdict": result.verdict,
        "hosts": result.hosts,
        "working": result.working,
        "stages": [stage_json(stage) for stage in result.stages],
        "last_error": result.last_error.to_json() if result.last_error is not None else None,
    }


def probe_of(data: Mapping[str, Any]) -> ProbeResult | None:
    """Return the result of a document, None where it cannot be read."""
    try:
        stages = tuple(
            ProbeStage(s["stage"], s["target"], s["verdict"], float(s["ms"]), dict(s["evidence"]))
            for s in data["stages"]
        )
        return ProbeResult(
            from_text(data["id"]), from_iso(data["at"]), data["why"], data["connector"],
            int(data.get("destination_id", 0)), bool(data["ok"]), data["verdict"], stages,
            _error(data.get("last_error")), int(data["hosts"]), int(data["working"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None


def _error(data: Mapping[str, Any] | None) -> LastError | None:
    if not data:
        return None
    text = str(data.get("text", ""))
    gateway, _, rest = text.rpartition("[")[2].rstrip("]").partition(" ")
    return LastError(
        smtp=int(data["smtp"]), code=data["code"], title=data["title"], phase=data["phase"],
        reason=data["reason"], failure_class=data["class"], flow_code=data["flow_code"], message=data["message"],
        server=data["server"], address=data["address"], at=from_iso(data["at"]), gateway=gateway,
        session=rest.rpartition(" ")[2],
    )  # fmt: skip
