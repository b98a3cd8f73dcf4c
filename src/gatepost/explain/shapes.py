"""Judgements as the documented JSON, and in words."""

from typing import Any

from gatepost.diagnose.catalogue import Advice, explain
from gatepost.explain.record import Judgement
from gatepost.model.failure import FailureClass, clean, iso

TEXT = 1000  # characters of a diagnostic that are handed on
LEAST = 0.05  # a judgement that is less sure than this says nothing


def is_explained(judgement: Judgement) -> bool:
    """Tell whether there is anything in a text that a rule knows."""
    return bool(judgement.why) and judgement.confidence > LEAST


def advice_for(judgement: Judgement, lang: str) -> Advice:
    """Return what the catalogue says of a judgement in a language."""
    record = judgement.record
    return explain(judgement.failure_class, lang, sub=judgement.sub, server=record.server)


def to_json(judgement: Judgement, lang: str = "en") -> dict[str, Any]:
    """Return the documented object of `gatepost explain --json`; unknown is null, nothing remote is left unescaped."""
    record, advice = judgement.record, advice_for(judgement, lang)
    return {
        "source_kind": record.kind,
        "smtp": record.smtp or None,
        "enhanced": _text(record.enhanced),
        "code": judgement.flow_code,
        "class": str(judgement.failure_class),
        "sub": _text(judgement.sub),
        "title": advice.title,
        "phase": judgement.phase,
        "reason": judgement.reason,
        "server": _text(record.server),
        "address": _text(record.address),
        "recipient": _text(record.recipient),
        "sender": _text(record.sender),
        "message": _text(record.message),
        "at": iso(record.at) if record.at else None,
        "outcome": _text(record.outcome),
        "permanent": judgement.permanent,
        "confidence": judgement.confidence,
        "also": [str(failure_class) for failure_class in judgement.also],
        "why": list(judgement.why),
        "side": advice.side,
        "explanation": advice.explanation,
        "causes": [{"id": cause.id, "text": cause.text} for cause in advice.causes],
        "fixes": [
            {"owner": fix.owner, "owner_name": fix.owner_name, "text": fix.text, "action": fix.action or None}
            for fix in advice.fixes
        ],
        "text": clean(record.text, TEXT),
    }


def title_of(failure_class: FailureClass, lang: str) -> str:
    """Return what a class is called."""
    return explain(failure_class, lang).title


def _text(value: str) -> str | None:
    return clean(value, TEXT) if value else None
