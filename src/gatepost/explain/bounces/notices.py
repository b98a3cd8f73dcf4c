"""Bounce notices that come as JSON in a mail: Amazon SES, directly or through SNS."""

import json
from typing import Any

from gatepost.explain.bounces.dsn import Group

_MAX = 256 * 1024


def read(text: str) -> tuple[str, tuple[Group, ...]]:
    """Return the type of a JSON notice in lower case ("" for none), and its recipients as fields of a report."""
    text = text.strip()
    if not text.startswith("{") or "otificationType" not in text[:_MAX]:
        return "", ()
    notice = _object(text)
    inner = notice.get("Message")
    if isinstance(inner, str):
        notice = _object(inner)
    kind = str(notice.get("notificationType", "")).lower()
    return kind, tuple(_groups(notice)) if kind == "bounce" else ()


def _object(text: str) -> dict[str, Any]:
    try:
        value, _ = json.JSONDecoder().raw_decode(text[:_MAX])
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _groups(notice: dict[str, Any]) -> list[Group]:
    bounce = notice.get("bounce")
    if not isinstance(bounce, dict):
        return []
    transient = bounce.get("bounceType") == "Transient"
    recipients = bounce.get("bouncedRecipients")
    return [
        _group(entry, transient=transient)
        for entry in (recipients if isinstance(recipients, list) else [])[:500]
        if isinstance(entry, dict)
    ]


def _group(entry: dict[str, Any], *, transient: bool) -> Group:
    def said(name: str) -> str:
        value = entry.get(name)
        return value[:4000] if isinstance(value, str) else ""

    return Group(
        {
            "final-recipient": f"rfc822; {said('emailAddress')}",
            "action": said("action") or ("delayed" if transient else "failed"),
            "status": said("status"),
            "diagnostic-code": said("diagnosticCode"),
        }
    )
