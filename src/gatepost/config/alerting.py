"""Alert policies and notification channels as text, like the other objects."""

import re
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gatepost.config import values
from gatepost.config.problems import BadValue
from gatepost.config.record import Record
from gatepost.i18n import LANGUAGES
from gatepost.model.alert import CONDITIONS, SEVERITIES, AlertPolicy, Channel
from gatepost.model.failure import FailureClass
from gatepost.model.forecast import KINDS as FORECASTS

MASK = "********"
POLICY_FIELDS = tuple(AlertPolicy.__dataclass_fields__)
CHANNEL_FIELDS = tuple(Channel.__dataclass_fields__)
KINDS = ("email", "webhook", "apprise")
_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)(?: (\S+))?")
_span = partial(values.duration_or_off, low=0, high=30 * 86400)


def policy(record: Record, name: str) -> AlertPolicy:
    """Return a policy; what is wrong is noted in the record."""
    found = AlertPolicy(
        name=name,
        on=record.get("on", "insight", partial(values.choice, known=CONDITIONS)),
        classes=record.each("classes", _class),
        least_severity=record.get("least_severity", "low", partial(values.choice, known=SEVERITIES)),
        connectors=record.each("connectors", values.text),
        to=record.get("to", "", partial(values.choice, known=("", "on-premises", "partner"))),
        messages=record.get("messages", 0, partial(values.whole, low=0, high=1_000_000_000)),
        older_than=record.get("older_than", 0, _span),
        share=record.get("share", 0.0, values.share),
        expires_within=record.get("expires_within", 0, _span),
        pending=record.get("pending", 0, _span),
        keep_firing=record.get("keep_firing", 300, _span),
        severity=record.get("severity", "", partial(values.choice, known=("", *SEVERITIES))),
        channels=record.each("channels", values.text),
        daily_limit=record.get("daily_limit", 0, partial(values.whole, low=0, high=100_000)),
        quiet=record.get("quiet", "", _quiet),
        enabled=record.get("enabled", True, values.boolean),
        comment=record.get("comment", "", values.text),
    )
    if found.on == "queue" and not (
        found.messages or found.share or found.expires_within or found.older_than
    ):
        record.wrong("messages", "missing", "say when: messages, older_than, share or expires_within")
    return found


def channel(record: Record, name: str) -> Channel:
    """Return a channel; what is wrong is noted in the record."""
    kind = record.get("kind", "email", partial(values.choice, known=KINDS))
    found = Channel(
        name=name,
        kind=kind,
        to=record.each("to", values.mail_address),
        url=record.get("url", "", values.text),
        password=record.get("password", "", values.text),
        language=record.get("language", "en", partial(values.choice, known=LANGUAGES)),
        resolved=record.get("resolved", True, values.boolean),
        enabled=record.get("enabled", True, values.boolean),
        comment=record.get("comment", "", values.text),
    )
    if kind == "email" and not found.to:
        record.wrong("to", "missing", "name the addresses that are told")
    if kind != "email" and not found.url:
        record.wrong("url", "missing", "name where notices go")
    if kind == "webhook" and found.url and not found.url.startswith(("https://", "http://")):
        record.wrong("url", "is no http or https address", "write https://host/path")
    return found


def policy_dict(found: AlertPolicy) -> dict[str, object]:
    """Return a policy as JSON-able values with TOML's names."""
    shown = {key: values.show_duration(getattr(found, key)) for key in _SPANS}
    shown["share"] = f"{found.share * 100:g}%"
    return {key: shown[key] if key in shown else _plain(getattr(found, key)) for key in POLICY_FIELDS}


_SPANS = ("older_than", "expires_within", "pending", "keep_firing")


def channel_dict(found: Channel, *, secrets: bool) -> dict[str, object]:
    """Return a channel as JSON-able values; the address of Apprise is a secret as a whole."""
    data = {key: _plain(getattr(found, key)) for key in CHANNEL_FIELDS}
    if not secrets and found.password:
        data["password"] = MASK
    if not secrets and found.kind == "apprise" and found.url:
        data["url"] = MASK
    return data


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _class(value: object) -> str:
    return values.choice(value, [*FORECASTS, *(str(c) for c in FailureClass)])


def _quiet(value: object) -> str:
    text = values.text(value)
    match = _QUIET.fullmatch(text)
    if text and match is None:
        raise BadValue(f"{values.shown(text)} is no span of a day", 'write "22:00-07:00 Europe/Berlin"')
    if match is not None and match[5]:
        try:
            ZoneInfo(match[5])
        except (ZoneInfoNotFoundError, ValueError):
            raise BadValue(f"{values.shown(match[5])} is no time zone", 'write "Asia/Shanghai"') from None
    return text
