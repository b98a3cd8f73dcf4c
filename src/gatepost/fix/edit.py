"""What a fix makes of the objects (pure): the objects before go in, the objects after come out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gatepost.config import overrides, values
from gatepost.config.problems import BadValue
from gatepost.i18n import tr
from gatepost.model.objects import (
    QUIRKS,
    AcceptedDomain,
    Connector,
    Objects,
    Override,
    SmartHost,
    TlsMode,
)

HOUR = 3_600_000
DEFAULT_HOURS = 24
MOST_HOURS = 24 * 90
Parameters = Mapping[str, object]


class BadFix(Exception):
    """A fix that cannot be made as asked: an English template, and what fills it."""

    def __init__(self, text: str, /, **filling: object) -> None:
        super().__init__(text.format(**filling))
        self.text = text
        self.values = filling


@dataclass(frozen=True, slots=True)
class Target:
    """What a fix is for: a destination (0: every destination of the connector)."""

    connector: str
    destination_id: int = 0
    insight: str = ""  # the fingerprint, "" where there is none
    failure_class: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What an edit needs beside objects and parameters; `now` in ms since 1970."""

    now: int
    who: str
    reason: str


def edit(action: str, objects: Objects, target: Target, parameters: Parameters, context: Context) -> Objects:
    """Return the objects after a fix; they are the same where it changes none; raises `BadFix`."""
    known = _EDITS.get(action)
    return objects if known is None else known(objects, target, parameters, context)


def _connector(objects: Objects, target: Target) -> Connector:
    for connector in objects.connectors:
        if connector.name == target.connector:
            return connector
    raise BadFix(tr("No connector carries this mail, so there is none to change; add one first."))


def _with(objects: Objects, connector: Connector) -> Objects:
    kept = tuple(connector if c.name == connector.name else c for c in objects.connectors)
    return replace(objects, connectors=kept)


def _lay_over(objects: Objects, override: Override) -> Objects:
    problem = overrides.problem_of(override)
    if problem:
        raise BadFix("{problem}", problem=problem)
    kept = tuple(o for o in objects.overrides if o.name != override.name)
    return replace(objects, overrides=(*kept, override))


def _until(parameters: Parameters, context: Context, default: int = DEFAULT_HOURS) -> int:
    given = parameters.get("hours", default)
    try:
        hours = float(str(given))
    except ValueError:
        hours = 0.0
    if not 0 < hours <= MOST_HOURS:
        raise BadFix(
            tr('"{hours}" is no number of hours between 0 and {most}.'), hours=given, most=MOST_HOURS
        )
    return context.now + round(hours * HOUR)


def hours_from(parameters: Parameters, now: int, default: int = 4) -> int:
    """Return when a time of `hours` ends (ms since 1970); raises `BadFix`."""
    return _until(parameters, Context(now, "", ""), default)


def _texts(value: object) -> list[str]:
    """Return a list of texts; one text may hold several, separated by commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [str(part) for part in value] if isinstance(value, Sequence) else []


def _set_enabled(enabled: bool) -> "Edit":
    def change(objects: Objects, target: Target, _parameters: Parameters, _context: Context) -> Objects:
        return _with(objects, replace(_connector(objects, target), enabled=enabled))

    return change


def _delete(objects: Objects, target: Target, _parameters: Parameters, _context: Context) -> Objects:
    gone = _connector(objects, target)
    return replace(objects, connectors=tuple(c for c in objects.connectors if c is not gone))


def _fix_now(objects: Objects, target: Target, parameters: Parameters, context: Context) -> Objects:
    """R14: the connector off (or deleted), and the domains behind it authoritative."""
    connector = _connector(objects, target)
    if connector.to != "on-premises":
        raise BadFix(
            tr("Fix now is for connectors to on-premises; {name} goes to a partner: contact the partner."),
            name=connector.name,
        )
    domains = frozenset(d.name for d in domains_behind(objects, connector))
    seen = _addresses(parameters)
    changed = tuple(_turned(d, seen) if d.name in domains else d for d in objects.domains)
    objects = replace(objects, domains=changed)
    if str(parameters.get("delete", "")).lower() in ("true", "yes", "1"):
        return _delete(objects, target, parameters, context)
    return _with(objects, replace(connector, enabled=False))


def _turned(domain: AcceptedDomain, seen: set[str]) -> AcceptedDomain:
    """Return a domain made authoritative, with those recipients that are its own."""
    own = {address for address in seen if address.rpartition("@")[2] == domain.name}
    return replace(domain, type="authoritative", recipients=domain.recipients | own)


def _addresses(parameters: Parameters) -> set[str]:
    found: set[str] = set()
    for text in _texts(parameters.get("recipients", "")):
        try:
            found.add(values.mail_address(text))
        except BadValue as problem:
            raise BadFix("{problem}", problem=problem.message) from None
    return found


def domains_behind(objects: Objects, connector: Connector) -> list[AcceptedDomain]:
    """Return the internal relay domains whose mail a connector carries."""
    relays = [d for d in objects.domains if d.type == "internal-relay"]
    return [d for d in relays if carries(connector, d)]


def carries(connector: Connector, domain: AcceptedDomain) -> bool:
    """Tell whether a connector names a domain, or all of ours."""
    if connector.all_accepted_domains or "*" in connector.domains or domain.name in connector.domains:
        return True
    patterns = [p[1:] for p in connector.domains if p.startswith("*.")]
    below = domain.match_subdomains and any(p[1:] == domain.name for p in patterns)
    return below or any(domain.name.endswith(p) for p in patterns)


def _set_smart_hosts(objects: Objects, target: Target, parameters: Parameters, _context: Context) -> Objects:
    hosts: list[SmartHost] = []
    for text in _texts(parameters.get("smart_hosts", "")):
        try:
            hosts.append(values.smart_host(text))
        except BadValue as problem:
            raise BadFix("{problem}", problem=problem.message) from None
    if not hosts:
        raise BadFix(tr("Name the smart hosts, in the order in which they are to be tried."))
    return _with(objects, replace(_connector(objects, target), smart_hosts=tuple(hosts), use_mx=False))


def _use_addresses(objects: Objects, target: Target, parameters: Parameters, context: Context) -> Objects:
    host = str(parameters.get("host", "")).lower().rstrip(".")
    addresses = ",".join(_texts(parameters.get("addresses", "")))
    if not host or not addresses:
        raise BadFix(tr("No address is known that worked before: give host and addresses."))
    value = f"{host}={addresses}"
    until = _until(parameters, context, 12)
    name = f"{host}/addresses"
    return _lay_over(
        objects, Override(name, target.connector, "addresses", value, until, context.who, context.reason)
    )


def _set_tls_domain(objects: Objects, target: Target, parameters: Parameters, _context: Context) -> Objects:
    name = str(parameters.get("tls_domain", ""))
    try:
        name = values.certificate_name(name)
    except BadValue as problem:
        raise BadFix("{problem}", problem=problem.message) from None
    connector = _connector(objects, target)
    return _with(objects, replace(connector, tls=TlsMode.DOMAIN_VALIDATION, tls_domain=name))


def _trust_issuer(objects: Objects, target: Target, parameters: Parameters, _context: Context) -> Objects:
    pem = str(parameters.get("certificate", "")).strip()
    if "-----BEGIN CERTIFICATE-----" not in pem:
        raise BadFix(tr("No certificate of an issuer is known: give it in PEM form."))
    connector = _connector(objects, target)
    if pem in connector.tls_ca:
        return objects
    return _with(objects, replace(connector, tls_ca=f"{connector.tls_ca}{pem}\n"))


def _pin(objects: Objects, target: Target, parameters: Parameters, context: Context) -> Objects:
    connector = _connector(objects, target)
    fingerprint = str(parameters.get("fingerprint", "")).replace(":", "").lower()
    until = _until(parameters, context, 24 * 30)
    name = f"{connector.name}/certificate"
    return _lay_over(
        objects,
        Override(name, connector.name, "certificate", fingerprint, until, context.who, context.reason),
    )


def _relax_tls(objects: Objects, target: Target, parameters: Parameters, context: Context) -> Objects:
    connector = _connector(objects, target)
    mode = str(parameters.get("tls", "")) or str(TlsMode.OPPORTUNISTIC)
    if mode not in {str(m) for m in TlsMode}:
        raise BadFix(tr('"{mode}" is no TLS mode.'), mode=mode)
    order = list(TlsMode)
    if order.index(TlsMode(mode)) >= order.index(connector.tls):
        raise BadFix(
            tr('The connector demands "{now}" already; "{mode}" would not relax it.'),
            now=connector.tls,
            mode=mode,
        )
    until = _until(parameters, context)
    name = f"{connector.name}/tls"
    return _lay_over(objects, Override(name, connector.name, "tls", mode, until, context.who, context.reason))


def _set_quirks(objects: Objects, target: Target, parameters: Parameters, _context: Context) -> Objects:
    connector = _connector(objects, target)
    quirks = tuple(dict.fromkeys(_texts(parameters.get("quirks", "no-pipelining"))))
    strange = [q for q in quirks if q not in QUIRKS]
    if strange:
        raise BadFix(
            tr('"{name}" is no quirk: use some of {names}.'), name=strange[0], names=", ".join(QUIRKS)
        )
    number = parameters.get("concurrency")
    concurrency = connector.concurrency
    if number not in (None, ""):
        try:
            concurrency = values.whole(int(str(number)), 1, 1000)
        except (ValueError, BadValue):
            raise BadFix(tr('"{number}" is no number of connections.'), number=number) from None
    return _with(objects, replace(connector, quirks=quirks, concurrency=concurrency))


def _extend(objects: Objects, target: Target, parameters: Parameters, context: Context) -> Objects:
    connector = _connector(objects, target)
    expiry = str(parameters.get("expiry", "") or "3d")
    until = _until(parameters, context, 72)
    name = f"{connector.name}/expiry"
    return _lay_over(
        objects, Override(name, connector.name, "expiry", expiry, until, context.who, context.reason)
    )


def _reroute(objects: Objects, target: Target, parameters: Parameters, context: Context) -> Objects:
    connector = _connector(objects, target)
    by = str(parameters.get("by", ""))
    deputy = next((c for c in objects.connectors if c.name == by), None)
    if deputy is None or deputy is connector:
        raise BadFix(tr('There is no other connector "{name}" to send by.'), name=by)
    if not deputy.enabled:
        raise BadFix(tr("The connector {name} is disabled: enable it first."), name=by)
    until = _until(parameters, context)
    name = f"{connector.name}/reroute"
    return _lay_over(
        objects, Override(name, connector.name, "reroute", by, until, context.who, context.reason)
    )


def _import(objects: Objects, _target: Target, parameters: Parameters, _context: Context) -> Objects:
    name = str(parameters.get("domain", "")).lower()
    domain = next((d for d in objects.domains if d.name == name), None)
    if domain is None:
        raise BadFix(tr("There is no accepted domain {name}."), name=name)
    addresses = _addresses(parameters)
    strangers = [a for a in sorted(addresses) if a.rpartition("@")[2] != name and not domain.match_subdomains]
    if strangers:
        raise BadFix(tr("{address} is not in the domain {domain}."), address=strangers[0], domain=name)
    wanted = replace(domain, recipients=domain.recipients | addresses)
    return replace(objects, domains=tuple(wanted if d is domain else d for d in objects.domains))


Edit = Callable[[Objects, Target, Parameters, Context], Objects]
_EDITS: dict[str, Edit] = {
    "fix_now": _fix_now,
    "disable_connector": _set_enabled(enabled=False),
    "enable_connector": _set_enabled(enabled=True),
    "delete_connector": _delete,
    "set_smart_hosts": _set_smart_hosts,
    "use_last_addresses": _use_addresses,
    "set_tls_domain": _set_tls_domain,
    "trust_issuer": _trust_issuer,
    "pin_certificate": _pin,
    "relax_tls": _relax_tls,
    "set_quirks": _set_quirks,
    "extend_expiry": _extend,
    "reroute": _reroute,
    "import_recipients": _import,
}
