"""Connectors, accepted domains and sources as text: read them, and say all that is wrong with them.

Rule: the names in TOML, in JSON and in the admin centre are the same; `to_dict` and `from_dict` are inverses.
Rule: a secret is never written: `********` stands for it, and where it is read means "as it is" (`changes`).
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from gatepost.config import alerting, values
from gatepost.config.problems import BadObjects, BadValue, Problem, did_you_mean
from gatepost.config.record import ReadFile, Record, no_files
from gatepost.model.alert import AlertPolicy, Channel
from gatepost.model.objects import QUIRKS, AcceptedDomain, Connector, Objects, SmartHost, Source, TlsMode

__all__ = [
    "MASK",
    "BadObjects",
    "ConfigObject",
    "Problem",
    "from_dict",
    "kind_of",
    "load",
    "parse",
    "to_dict",
    "validate",
]

MASK = "********"
ConfigObject: TypeAlias = Connector | AcceptedDomain | Source | AlertPolicy | Channel
KINDS: dict[str, type[ConfigObject]] = {
    "accepted_domain": AcceptedDomain,
    "connector": Connector,
    "source": Source,
    "alert_policy": AlertPolicy,
    "notification_channel": Channel,
}
HashPassword = Callable[[str], str]

_CONNECTOR = (
    "name",
    "to",
    "domains",
    "all_accepted_domains",
    "smart_hosts",
    "use_mx",
    "port",
    "tls",
    "tls_domain",
    "tls_ca",
    "expiry",
    "retry",
    "concurrency",
    "username",
    "password",
    "quirks",
    "source_addresses",
    "enabled",
    "comment",
)
_DOMAIN = (
    "name",
    "type",
    "match_subdomains",
    "recipients",
    "recipients_file",
    "comment",
)
_SOURCE = (
    "name",
    "networks",
    "certificate_names",
    "logins",
    "may_relay",
    "require_tls",
    "allow_bare_newlines",
    "enabled",
    "comment",
)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_NAME = re.compile(r"[^\x00-\x20\x7f-\xa0/](?:[^\x00-\x1f\x7f-\x9f/]{0,62}[^\x00-\x20\x7f-\xa0/])?")
_expiry = partial(values.duration, low=60, high=30 * 86400)  # R3: from a minute to 30 days


def kind_of(value: ConfigObject) -> str:
    """Return `connector`, `accepted_domain`, `source`, `alert_policy` or `notification_channel`."""
    return next(kind for kind, cls in KINDS.items() if isinstance(value, cls))


def load(path: str | Path, *, hash_password: HashPassword | None = None) -> Objects:
    """Return the objects of a TOML file; files that it names are found beside it; raise `BadObjects`."""
    file = Path(path)

    def beside(name: str) -> str:
        try:
            return (file.parent / Path(name).expanduser()).read_bytes().decode()
        except OSError as problem:
            raise BadValue(f"{values.shown(name)} cannot be read: {problem.strerror}") from None
        except UnicodeDecodeError:
            raise BadValue(f"{values.shown(name)} is not UTF-8") from None

    try:
        text = file.read_bytes().decode()
    except OSError as problem:
        raise BadObjects([Problem(str(path), f"cannot be read: {problem.strerror}")]) from None
    except UnicodeDecodeError:
        raise BadObjects([Problem(file.name, "is not UTF-8", "save it as UTF-8")]) from None
    return parse(text, read_file=beside, hash_password=hash_password, where=file.name)


def parse(
    text: str,
    *,
    read_file: ReadFile = no_files,
    hash_password: HashPassword | None = None,
    where: str = "objects",
) -> Objects:
    """Return the objects of a TOML text; raise `BadObjects` with every problem that it has."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        hint = "texts stand in quotes, objects start with [[connector]]"
        raise BadObjects([Problem(where, f"is not TOML: {problem}", hint)]) from None
    return from_tables(tables, read_file=read_file, hash_password=hash_password)


def from_tables(
    tables: Mapping[str, object], *, read_file: ReadFile = no_files, hash_password: HashPassword | None = None
) -> Objects:
    """Return the objects of tables as TOML or JSON give them, `{"connector": [...]}`; raise `BadObjects`."""
    problems = [
        Problem(key, "no such object", did_you_mean(key, KINDS)) for key in tables if key not in KINDS
    ]
    found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for kind in KINDS:
        entries = tables.get(kind, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            problems.append(
                Problem(kind, "must be a list of tables", f"start each one with a line [[{kind}]]")
            )
            continue
        for number, entry in enumerate(entries, 1):
            found[kind].append(_read(kind, entry, number, read_file, hash_password, problems))
    objects = Objects(
        connectors=tuple(found["connector"]),
        domains=tuple(found["accepted_domain"]),
        sources=tuple(found["source"]),
        policies=tuple(found["alert_policy"]),
        channels=tuple(found["notification_channel"]),
    )
    problems += validate(objects)
    if problems:
        raise BadObjects(problems)
    return objects


def from_dict(
    kind: str,
    data: Mapping[str, object],
    *,
    read_file: ReadFile = no_files,
    hash_password: HashPassword | None = None,
) -> ConfigObject:
    """Return one object from a dictionary with the names that TOML has; raise `BadObjects`."""
    if kind not in KINDS:
        raise BadObjects([Problem(kind, "no such object", did_you_mean(kind, KINDS))])
    problems: list[Problem] = []
    value = _read(kind, data, 0, read_file, hash_password, problems)
    if problems:
        raise BadObjects(problems)
    return value


def validate(objects: Objects) -> list[Problem]:
    """Return what is wrong between objects that are each right alone."""
    problems: list[Problem] = []
    collections: tuple[tuple[str, tuple[ConfigObject, ...]], ...] = (
        ("accepted_domain", objects.domains),
        ("connector", objects.connectors),
        ("source", objects.sources),
        ("alert_policy", objects.policies),
        ("notification_channel", objects.channels),
    )
    for kind, entries in collections:
        seen: set[str] = set()
        for entry in entries:
            if entry.name in seen:
                problems.append(
                    Problem(f'{kind} "{entry.name}"', "is defined twice", "give one of them another name")
                )
            if entry.name:
                seen.add(entry.name)
    networks: dict[str, str] = {}
    for source in objects.sources:
        for network in source.networks if source.enabled else ():
            other = networks.setdefault(network, source.name)
            if other != source.name:
                message = f'{network} belongs to the source "{other}" already'
                problems.append(
                    Problem(f'source "{source.name}".networks', message, "name it in one of them")
                )
    return problems


def _read(
    kind: str,
    data: Mapping[str, object],
    number: int,
    read_file: ReadFile,
    hash_password: HashPassword | None,
    problems: list[Problem],
) -> ConfigObject:
    name = data.get("name")
    label = f'{kind} "{name}"' if isinstance(name, str) and name else f"{kind} {number}" if number else kind
    if kind == "connector":
        return _connector(Record(data, label, _CONNECTOR, problems), read_file)
    if kind == "accepted_domain":
        return _domain(Record(data, label, _DOMAIN, problems), read_file)
    if kind == "alert_policy":
        record = Record(data, label, alerting.POLICY_FIELDS, problems)
        return alerting.policy(record, _name(record, _plain_name))
    if kind == "notification_channel":
        record = Record(data, label, alerting.CHANNEL_FIELDS, problems)
        return alerting.channel(record, _name(record, _plain_name))
    return _source(Record(data, label, _SOURCE, problems), hash_password)


def _name(record: Record, reader: Callable[[object], str]) -> str:
    if not record.has("name"):
        record.wrong("name", "missing", "every object has a name of its own")
    return record.get("name", "", reader)


def _plain_name(value: object) -> str:
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise BadValue(
            f"{values.shown(value)} is not a name", "1 to 64 characters, no slash, no space at the ends"
        )
    return value


# ------------------------------------------------------------------ connectors


def _connector(record: Record, read_file: ReadFile) -> Connector:
    connector = Connector(
        name=_name(record, _plain_name),
        to=record.get("to", "on-premises", partial(values.choice, known=("on-premises", "partner"))),
        domains=record.each("domains", values.pattern),
        all_accepted_domains=record.get("all_accepted_domains", False, values.boolean),
        smart_hosts=record.each("smart_hosts", values.smart_host),
        use_mx=record.get("use_mx", False, values.boolean),
        port=record.get("port", 25, partial(values.whole, low=1, high=65535)),
        tls=record.get("tls", TlsMode.OPPORTUNISTIC, _tls),
        tls_domain=record.get("tls_domain", "", _optional(values.certificate_name)),
        tls_ca=record.get("tls_ca", "", partial(_certificate, read_file=read_file)),
        expiry=record.get("expiry", None, _expiry),
        retry=record.get("retry", None, values.schedule),
        concurrency=record.get("concurrency", None, partial(values.whole, low=1, high=1000)),
        username=record.get("username", "", values.text),
        password=record.get("password", "", values.text),
        quirks=record.each("quirks", partial(values.choice, known=QUIRKS)),
        source_addresses=record.each("source_addresses", values.own_address),
        enabled=record.get("enabled", True, values.boolean),
        comment=record.get("comment", "", values.text),
    )
    _check_connector(record, connector)
    return connector


def _check_connector(record: Record, connector: Connector) -> None:
    """Note what is wrong between the fields of a connector."""
    if not record.has("domains") and not connector.all_accepted_domains:
        record.wrong("domains", "missing", "name recipient domains, or set all_accepted_domains = true")
    elif record.data.get("domains") == [] and not connector.all_accepted_domains:
        record.wrong("domains", "is empty", "name recipient domains, or set all_accepted_domains = true")
    if record.data.get("smart_hosts") and connector.use_mx:
        record.wrong(
            "use_mx", "contradicts smart_hosts", "keep one of the two: named hosts, or the domain's MX"
        )
    if not record.data.get("smart_hosts") and not connector.use_mx and "use_mx" not in _wrong_keys(record):
        record.wrong("smart_hosts", "missing", "name a smart host, or set use_mx = true")
    if (
        connector.tls_domain
        and connector.tls is not TlsMode.DOMAIN_VALIDATION
        and "tls" not in _wrong_keys(record)
    ):
        record.wrong(
            "tls_domain", f'has no effect with tls = "{connector.tls}"', 'set tls = "domain-validation"'
        )
    families = [":" in address for address in connector.source_addresses]
    if len(set(families)) < len(families):
        record.wrong("source_addresses", "names two of one family", "one IPv4 and one IPv6 address at most")
    if connector.password and not connector.username:
        record.wrong("username", "missing", "a password needs the user name that it belongs to")
    if connector.username and not connector.password:
        record.wrong("password", "missing", "a user name needs the password that belongs to it")


def _wrong_keys(record: Record) -> set[str]:
    """Return the fields of a record that have a problem already."""
    start = f"{record.where}."
    return {problem.where[len(start) :] for problem in record.problems if problem.where.startswith(start)}


def _tls(value: object) -> TlsMode:
    return TlsMode(values.choice(value, [str(mode) for mode in TlsMode]))


def _optional(reader: Callable[[object], str]) -> Callable[[object], str]:
    return lambda value: "" if value == "" else reader(value)


def _certificate(value: object, read_file: ReadFile) -> str:
    """Return the PEM text of trusted certificates; a value that is none is the path of a file with one."""
    text = values.text(value)
    if not text:
        return ""
    named = "the text" if "-----BEGIN" in text else values.shown(text)
    if "-----BEGIN" not in text:
        text = read_file(text)
    found = _CERTIFICATE.findall(text)
    if not found or not _loads("\n".join(found)):
        raise BadValue(f"{named} holds no certificate in PEM form", "-----BEGIN CERTIFICATE----- starts one")
    return "\n".join(found) + "\n"


def _loads(pem: str) -> bool:
    from cryptography import x509  # noqa: PLC0415 - heavy, and few connectors bring a CA of their own

    try:
        return bool(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError:
        return False


# ------------------------------------------------------------- accepted domains


def _domain(record: Record, read_file: ReadFile) -> AcceptedDomain:
    name = _name(record, values.domain_name)
    subdomains = record.get("match_subdomains", False, values.boolean)
    recipients = {*record.each("recipients", values.mail_address), *_from_file(record, read_file)}
    for address in sorted(recipients) if name else ():
        domain = address.rpartition("@")[2]
        if domain != name and not (subdomains and domain.endswith(f".{name}")):
            record.wrong(
                "recipients", f'"{address}" is not in this domain', f'write its part before "@{name}"'
            )
    return AcceptedDomain(
        name=name,
        type=record.get(
            "type", "authoritative", partial(values.choice, known=("authoritative", "internal-relay"))
        ),
        match_subdomains=subdomains,
        recipients=frozenset(recipients),
        comment=record.get("comment", "", values.text),
    )


def _from_file(record: Record, read_file: ReadFile) -> tuple[str, ...]:
    """Return the addresses of the recipients' file: one a line, `#` starts a comment."""
    text = record.get("recipients_file", "", lambda value: read_file(values.text(value)))
    found: list[str] = []
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        address = line.partition("#")[0].strip()
        try:
            if address:
                found.append(values.mail_address(address))
        except BadValue as problem:
            record.wrong("recipients_file", f"line {number}: {problem.message}", problem.hint)
    return tuple(found)


# ---------------------------------------------------------------------- sources


def _source(record: Record, hash_password: HashPassword | None) -> Source:
    source = Source(
        name=_name(record, _plain_name),
        networks=record.each("networks", values.network),
        certificate_names=record.each("certificate_names", values.certificate_name),
        logins=record.get("logins", (), partial(_logins, hash_password=hash_password)),
        may_relay=record.get("may_relay", False, values.boolean),
        require_tls=record.get("require_tls", False, values.boolean),
        allow_bare_newlines=record.get("allow_bare_newlines", False, values.boolean),
        enabled=record.get("enabled", True, values.boolean),
        comment=record.get("comment", "", values.text),
    )
    if not any(record.data.get(key) for key in ("networks", "certificate_names", "logins")):
        record.wrong("", "matches nobody", "name networks, certificate_names or logins")
    everyone = [network for network in source.networks if network.endswith("/0")]
    if everyone and source.may_relay:
        record.wrong(
            "may_relay", f"would let everyone in {everyone[0]} relay", "name the networks that are yours"
        )
    return source


def _logins(value: object, hash_password: HashPassword | None) -> tuple[tuple[str, str], ...]:
    """Return user names with hashes; a plain password is hashed by the caller's function, if there is one."""
    if not isinstance(value, dict):
        raise BadValue(
            f"{values.shown(type(value).__name__)} is not a table", 'write { "ann" = "PASSWORD HASH" }'
        )
    logins: list[tuple[str, str]] = []
    for user, secret in value.items():
        if not user or not isinstance(secret, str) or not secret:
            raise BadValue(f"{values.shown(user)} has no password", 'write { "ann" = "PASSWORD HASH" }')
        if secret.startswith("$argon2") or secret == MASK:
            logins.append((user, secret))
        elif hash_password is not None:
            logins.append((user, hash_password(secret)))
        else:
            raise BadValue(f"{values.shown(user)} has no argon2 hash", "it starts with $argon2id$")
    return tuple(sorted(logins))


# ---------------------------------------------------------------------- as text


def to_dict(value: ConfigObject, *, secrets: bool = False) -> dict[str, object]:
    """Return an object as JSON-able values with TOML's names; secrets are masked unless asked for."""
    if isinstance(value, Connector):
        return _connector_dict(value, secrets=secrets)
    if isinstance(value, AlertPolicy):
        return alerting.policy_dict(value)
    if isinstance(value, Channel):
        return alerting.channel_dict(value, secrets=secrets)
    if isinstance(value, AcceptedDomain):
        return {
            "name": value.name,
            "type": value.type,
            "match_subdomains": value.match_subdomains,
            "recipients": sorted(value.recipients),
            "comment": value.comment,
        }
    return {
        "name": value.name,
        "networks": list(value.networks),
        "certificate_names": list(value.certificate_names),
        "logins": {user: secret if secrets else MASK for user, secret in value.logins},
        "may_relay": value.may_relay,
        "require_tls": value.require_tls,
        "allow_bare_newlines": value.allow_bare_newlines,
        "enabled": value.enabled,
        "comment": value.comment,
    }


def _connector_dict(value: Connector, *, secrets: bool) -> dict[str, object]:
    return {
        "name": value.name,
        "to": value.to,
        "domains": list(value.domains),
        "all_accepted_domains": value.all_accepted_domains,
        "smart_hosts": [host.text() for host in value.smart_hosts],
        "use_mx": value.use_mx,
        "port": value.port,
        "tls": str(value.tls),
        "tls_domain": value.tls_domain,
        "tls_ca": value.tls_ca,
        "expiry": None if value.expiry is None else values.show_duration(value.expiry),
        "retry": None if value.retry is None else values.show_schedule(value.retry),
        "concurrency": value.concurrency,
        "username": value.username,
        "password": value.password if secrets or not value.password else MASK,
        "quirks": list(value.quirks),
        "source_addresses": list(value.source_addresses),
        "enabled": value.enabled,
        "comment": value.comment,
    }


def smart_host(text: str) -> SmartHost:
    """Return the smart host that a text names (`check --smart-host`); raise `BadObjects`."""
    try:
        return values.smart_host(text)
    except BadValue as problem:
        raise BadObjects([problem.at("smart_host")]) from None
