# ruff: noqa: E501 (a pattern is one line)
"""Lines of JSON: KumoMTA, Gatepost, and any other system that names its fields in a way that can be understood."""

import json
import re
from collections.abc import Iterator
from typing import Any

from gatepost.explain.lines.syslog import Head, iso_ms
from gatepost.explain.record import Record
from gatepost.explain.stages import phase_of_stage

_DEPTH = 6
_TEXT = (
    "diagnosticcode", "diagnostic_code", "diagnostic-code", "smtp_msg", "smtp_response", "smtpresponse", "response", "bounce_reason", "last_error",
    "dsndiag", "dsn_diag", "reason", "error", "err", "details", "description", "detail", "content", "output", "result", "log", "message", "msg", "text",
)  # fmt: skip
_RECIPIENT = (
    "recipient",
    "rcpt",
    "rcpt_to",
    "to",
    "email",
    "recipients",
    "emailaddress",
    "final_recipient",
    "final-recipient",
)
_SERVER = (
    "mx",
    "mx_host",
    "mxhost",
    "mx_server",
    "remote_host",
    "remote_server",
    "remotemtaip",
    "remote_mta",
    "reportingmta",
    "hostname",
    "host",
    "server",
    "relay",
    "dsnmta",
)
_ADDRESS = ("remote_ip", "remoteip", "peer_ip", "mx_ip", "ip", "address", "addr")
_TYPES = {
    "delivery": "delivered", "bounce": "failed", "transientfailure": "deferred", "expiration": "expired", "rejection": "failed",
    "adminbounce": "failed", "oob": "failed", "feedback": "",
}  # fmt: skip
_AT = re.compile(r"\{.*\}", re.DOTALL)


def read(head: Head) -> Record | None:
    """Return the failure or delivery that a JSON object tells, words before it included; None where there is none."""
    found = _AT.search(head.rest[:60_000])
    if found is None:
        return None
    try:
        value = json.loads(found[0])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    record = _kumo(value) or _ours(value) or _our_log(value) or _any(value)
    return record._replace(raw=head.rest.strip(), at=record.at or head.at) if record else None


def _kumo(value: dict[str, Any]) -> Record | None:
    response = value.get("response")
    if not (isinstance(response, dict) and "type" in value and "content" in response):
        return None
    peer = value.get("peer_address")
    peer = peer if isinstance(peer, dict) else {}
    code, command = response.get("code"), response.get("command")
    recipient = value.get("recipient")
    recipient = recipient[0] if isinstance(recipient, list) and recipient else recipient
    return Record(
        "kumomta",
        _str(response["content"]),
        smtp=code if isinstance(code, int) and 200 <= code <= 599 else 0,
        enhanced=_enhanced(response.get("enhanced_code")),
        phase=phase_of_stage(_str(command)),
        server=_str(peer.get("name")).rstrip("."),
        address=_str(peer.get("addr")),
        recipient=_str(recipient),
        sender=_str(value.get("sender")),
        at=_seconds(value.get("timestamp") or value.get("event_time")),
        outcome=_TYPES.get(_str(value["type"]).lower(), ""),
        message=_str(value.get("id")),
        destination=_str(value.get("queue")),
    )


def _ours(value: dict[str, Any]) -> Record | None:
    """Read a `last_error` of this gateway, alone or in a line of its log."""
    error = value.get("last_error") if isinstance(value.get("last_error"), dict) else value
    if not isinstance(error, dict) or not {"smtp", "code", "title", "phase"} <= error.keys():
        return None
    words = f"{_str(error.get('title'))} {_str(error.get('message'))}"
    smtp = error["smtp"]
    return Record(
        "gatepost",
        words.strip(),
        smtp=smtp if isinstance(smtp, int) else 0,
        enhanced=_str(error["code"]),
        phase=_str(error["phase"]),
        reason=_str(error.get("reason")),
        server=_str(error.get("server")),
        address=_str(error.get("address")),
        recipient=_str(value.get("recipient")),
        at=iso_ms(_str(error.get("at"))) or iso_ms(_str(value.get("ts") or value.get("at"))),
        destination=_str(value.get("destination")),
    )


_EVENTS = {
    "message.delivered": "delivered",
    "message.relayed": "delivered",
    "message.deferred": "deferred",
    "message.failed": "failed",
    "message.returned": "failed",
    "message.expired": "expired",
    "destination.failed": "deferred",
    "host.failed": "deferred",
}


def _our_log(value: dict[str, Any]) -> Record | None:
    """Read a line of this gateway's own log; what is no failure and no delivery says nothing."""
    if not {"time", "level", "event"} <= value.keys():
        return None
    outcome = _EVENTS.get(_str(value["event"]), "")
    smtp = value.get("smtp")
    delay = value.get("delay")
    return Record(
        "gatepost",
        _str(value.get("error")) or _str(value.get("reply")) or _str(value["event"]),
        smtp=smtp if isinstance(smtp, int) else 0,
        enhanced=_str(value.get("code")),
        phase=_str(value.get("phase")),
        reason=_str(value.get("reason")),
        server=_str(value.get("server")),
        address=_str(value.get("address")),
        recipient=_str(value.get("recipient")),
        at=iso_ms(_str(value["time"])),
        outcome=outcome,
        message=_str(value.get("message_id")),
        destination=_str(value.get("destination")),
        delay=int(delay) if isinstance(delay, int | float) else 0,
    )


def _any(value: dict[str, Any]) -> Record | None:
    flat = dict(reversed(list(_flat(value, _DEPTH))))
    texts = [flat[key] for key in _TEXT if flat.get(key)]
    if not texts:
        return None
    smtp = next(
        (
            int(flat[key])
            for key in ("smtp_code", "smtpcode", "code", "status_code")
            if flat.get(key, "").isdigit()
        ),
        0,
    )
    enhanced = next(
        (v for k, v in flat.items() if re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", v) and "version" not in k), ""
    )
    return Record(
        "json",
        "\n".join(dict.fromkeys(texts[:3])),
        smtp=smtp if 200 <= smtp <= 599 else 0,
        enhanced=enhanced,
        server=next((flat[key].rstrip(".") for key in _SERVER if flat.get(key)), "")
        if "target" not in flat
        else "",
        address=next((flat[key] for key in _ADDRESS if flat.get(key)), ""),
        recipient=next((flat[key].strip("<>") for key in _RECIPIENT if "@" in flat.get(key, "")), ""),
        at=iso_ms(flat.get("timestamp", "") or flat.get("time", "") or flat.get("ts", "")),
    )


def _flat(value: Any, depth: int, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth:
        for key, inner in value.items():
            yield from _flat(inner, depth - 1, str(key).lower())
    elif isinstance(value, list) and depth:
        for inner in value[:20]:
            yield from _flat(inner, depth - 1, name)
    elif value is not None and not isinstance(value, bool | dict | list):
        yield name, str(value)


def _str(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _enhanced(value: object) -> str:
    if isinstance(value, dict):
        parts = [str(value.get(key, "")) for key in ("class", "subject", "detail")]
        return ".".join(parts) if all(parts) else ""
    return _str(value)


def _seconds(value: object) -> int:
    if isinstance(value, int | float):
        return int(value * 1000) if abs(value) < 1e11 else int(value)
    return iso_ms(_str(value))
