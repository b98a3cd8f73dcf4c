"""Overrides as text: temporary changes over connectors, read and written like the other objects."""

from collections.abc import Mapping
from dataclasses import asdict, replace

from gatepost.config import values
from gatepost.config.problems import BadObjects, BadValue, Problem
from gatepost.model.objects import OVERRIDES, Connector, Objects, Override, TlsMode

KIND = "override"


def to_dict(override: Override) -> dict[str, object]:
    """Return an override as JSON-able values."""
    return asdict(override)


def from_dict(data: Mapping[str, object]) -> Override:
    """Return an override; raise `BadObjects` where it is none."""
    what, until = data.get("what"), data.get("until")
    if what not in OVERRIDES or not isinstance(until, int):
        raise BadObjects([Problem(KIND, "is no override", f"what is one of {', '.join(OVERRIDES)}")])
    texts = {key: str(data.get(key, "")) for key in ("name", "connector", "value", "who", "reason")}
    override = Override(what=str(what), until=until, **texts)
    problem = problem_of(override)
    if problem:
        raise BadObjects([Problem(f'{KIND} "{override.name}"', problem)])
    return override


def problem_of(override: Override) -> str:
    """Return what is wrong with the value of an override, "" where it is right."""
    try:
        if override.what == "tls":
            TlsMode(values.choice(override.value, [str(mode) for mode in TlsMode]))
        elif override.what == "expiry":
            values.duration(override.value, low=60, high=30 * 86400)
        elif override.what == "addresses":
            pinned(override.value)
        elif override.what == "certificate" and (
            len(override.value) != 64 or set(override.value) - set("0123456789abcdef")
        ):
            return "is no SHA-256 fingerprint: 64 hexadecimal digits"
    except BadValue as problem:
        return str(problem)
    return ""


def pinned(value: str) -> tuple[str, tuple[str, ...]]:
    """Return the host and the addresses that an override of addresses names; raise `BadValue`."""
    host, _, text = value.partition("=")
    addresses = tuple(address.strip() for address in text.split(",") if address.strip())
    if not host or not addresses:
        raise BadValue(f"{values.shown(value)} names no host with addresses", "write mail.example=192.0.2.7")
    for address in addresses:
        if values.ip_address(address) is None:
            raise BadValue(f"{values.shown(address)} is no IP address", "write mail.example=192.0.2.7")
    return host.lower().rstrip("."), addresses


def effective(connector: Connector, objects: Objects, now: int) -> Connector:
    """Return a connector with what lies over it at a time (ms since 1970)."""
    for override in objects.overrides:
        if override.connector != connector.name or override.until <= now:
            continue
        if override.what == "tls":
            mode = TlsMode(override.value)
            keep = connector.tls_domain if mode is TlsMode.DOMAIN_VALIDATION else ""
            connector = replace(connector, tls=mode, tls_domain=keep)
        elif override.what == "expiry":
            connector = replace(connector, expiry=values.duration(override.value, low=60, high=30 * 86400))
    return connector


def certificates(connector: str, objects: Objects, now: int) -> frozenset[str]:
    """Return the fingerprints of certificates that a connector takes as they are."""
    return frozenset(
        o.value
        for o in objects.overrides
        if o.what == "certificate" and o.connector == connector and o.until > now
    )


def addresses(objects: Objects, now: int) -> dict[str, tuple[str, ...]]:
    """Return what names lead to whatever the DNS says."""
    return dict(pinned(o.value) for o in objects.overrides if o.what == "addresses" and o.until > now)


def reroutes(objects: Objects, now: int) -> dict[str, str]:
    """Return which connector is used instead of which."""
    return {o.connector: o.value for o in objects.overrides if o.what == "reroute" and o.until > now}
