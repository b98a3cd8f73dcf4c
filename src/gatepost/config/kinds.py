"""The kinds of values that settings have, with their names in the manual."""

from functools import partial
from pathlib import Path

from gatepost.config import values
from gatepost.config.problems import BadValue
from gatepost.config.schema import Kind
from gatepost.model.objects import SmartHost


def _number_from_text(text: str) -> object:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text


def _boolean_from_text(text: str) -> object:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)


def _list_from_text(text: str) -> object:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _table_from_text(text: str) -> object:
    return {
        key.strip(): value.strip()
        for key, _, value in (entry.partition("=") for entry in text.split(",") if entry)
    }


def _path(value: object) -> Path:
    text = values.text(value)
    if not text or "\x00" in text:
        raise BadValue(f"{values.shown(value)} is not a path")
    return Path(text).expanduser()


def _optional_path(value: object) -> Path | None:
    return None if value == "" else _path(value)


def _optional_name(value: object) -> str:
    return "" if value == "" else values.domain_name(value)


def _optional_address(value: object) -> str:
    return "" if value == "" else values.mail_address(value)


def _optional_smart_host(value: object) -> SmartHost | None:
    return None if value == "" else values.smart_host(value)


def _language(value: object) -> str:
    return values.choice(value, ("en", "zh-CN"))


def _languages(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise BadValue(f"{values.shown(value)} is not a table", 'write { "contoso.example" = "zh-CN" }')
    return tuple((values.domain_name(domain), _language(language)) for domain, language in value.items())


def _roles(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise BadValue(f"{values.shown(value)} is not a table", 'write { "mail-team" = "operator" }')
    known = ("viewer", "operator", "administrator")
    return tuple((str(group), values.choice(role, known)) for group, role in value.items())


def _web_address(value: object) -> str:
    text = values.text(value)
    if text and not (text.startswith(("https://", "http://")) and len(text) > 8 and " " not in text):
        raise BadValue(f"{values.shown(value)} is not a web address", 'write "https://gateway.example"')
    return text.rstrip("/")


def _store(value: object) -> str:
    text = values.text(value)
    if text.startswith("sqlite:") and text.endswith("/"):
        raise BadValue("names a folder", 'write the file of the database, "sqlite:/srv/gatepost/gatepost.db"')
    if text.startswith(("sqlite:", "postgresql://")) and text != "postgresql://":
        return text
    raise BadValue("is not the address of a store", 'write "sqlite:" or "postgresql://user@host/database"')


def _mailboxes(value: object) -> str:
    text = values.text(value)
    scheme, _, rest = text.partition(":")
    if scheme == "maildir":
        return text
    if scheme == "lmtp" and rest.startswith("//"):
        values.endpoint(rest[2:])
        return text
    raise BadValue(
        f"{values.shown(value)} is not a mailbox store", 'write "maildir:PATH" or "lmtp://host:port"'
    )


def whole(low: int, high: int) -> Kind:
    """Return the kind of a whole number within bounds."""
    return Kind(f"number, {low} to {high}", partial(values.whole, low=low, high=high), _number_from_text)


def duration(low: str, high: str) -> Kind:
    """Return the kind of a duration within bounds."""
    limits = {"low": values.seconds(low), "high": values.seconds(high)}
    return Kind(f"duration, {low} to {high}", partial(values.duration, **limits))


def duration_or_off(low: str, high: str) -> Kind:
    """Return the kind of a duration that can be switched off (0 then)."""
    limits = {"low": values.seconds(low), "high": values.seconds(high)}
    return Kind(f'duration, {low} to {high}, or "off"', partial(values.duration_or_off, **limits))


def one_of(*known: str) -> Kind:
    """Return the kind of a word out of a few."""
    return Kind(" or ".join(f'"{name}"' for name in known), partial(values.choice, known=known))


def _timeout_or_off(value: object) -> float:
    return 0.0 if value == "off" else values.timeout(value)


def _endpoints(value: object, default_port: int | None = None) -> tuple[values.Endpoint, ...]:
    return values.listed(value, partial(values.address_endpoint, default_port=default_port))


TEXT = Kind("text", values.text)
BOOLEAN = Kind("true or false", values.boolean, _boolean_from_text)
SIZE = Kind("size", values.size, _number_from_text)
SHARE = Kind("percentage", values.share)
THRESHOLD = Kind("percentage or size", values.threshold)
TIMEOUT = Kind("duration", values.timeout)
TIMEOUT_OR_OFF = Kind('duration, or "off"', _timeout_or_off)
SCHEDULE = Kind("list of durations", values.schedule, _list_from_text)
PATH = Kind("path", _path)
OPTIONAL_PATH = Kind("path", _optional_path)
NAME = Kind("host name", values.domain_name)
OPTIONAL_NAME = Kind("host name", _optional_name)
OPTIONAL_SMART_HOST = Kind("host, host:port", _optional_smart_host)
OPTIONAL_ADDRESS = Kind("mail address", _optional_address)
LISTEN = Kind("address and port", values.address_endpoint)
LISTEN_LIST = Kind("list of addresses with ports", _endpoints, _list_from_text)
DNS_SERVERS = Kind(
    "list of addresses, with ports or without", partial(_endpoints, default_port=53), _list_from_text
)
NETWORKS = Kind("list of networks", partial(values.listed, read=values.network), _list_from_text)
LANGUAGE = Kind('"en" or "zh-CN"', _language)
LANGUAGES = Kind("table: domain to language", _languages, _table_from_text)
ROLES = Kind("table: value to role", _roles, _table_from_text)
WEB_ADDRESS = Kind("web address", _web_address)
STORE = Kind("address of a store", _store)
MAILBOXES = Kind("mailbox store", _mailboxes)
