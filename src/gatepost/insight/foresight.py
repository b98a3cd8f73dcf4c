"""What will stop mail, seen in what still works: rules over facts, with evidence and a next step each (B7; pure).

Rule 1: a forecast is about what works still; where mail is already held back, an insight says so and it ends.
Rule 2: the same facts give the same forecasts; nothing here reads a clock or asks anybody.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gatepost.i18n import tr
from gatepost.insight.guesses import Guesser
from gatepost.insight.invalid import Standing
from gatepost.model.attempt import endpoint
from gatepost.model.evidence import Because
from gatepost.model.failure import clean, iso
from gatepost.model.forecast import Forecast
from gatepost.model.insight import CertificateSummary, HostRow
from gatepost.model.waiting import Growth

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
# days before the end of a certificate, and how much that matters from then on
CERTIFICATE_STEPS = ((1, "critical"), (7, "high"), (14, "medium"), (30, "low"))
OLD_TLS = ("TLSv1", "TLSv1.0", "TLSv1.1", "SSLv3")
FORWARD_SECRET = (
    "TLS_",
    "ECDHE-",
    "DHE-",
)  # how the ciphers begin that are not about to be refused (RFC 9325)
ABOUT_TO_EXPIRE = 4 * HOUR
FORGET_CHANGE = DAY
LIMIT_STEPS = ((2 * HOUR, "high"), (12 * HOUR, "medium"))
GROWING_LEAST = 10  # messages an hour
NAMED = 3
NOT_GROWING = Growth(0, 0)


@dataclass(frozen=True, slots=True)
class Moved:
    """Where the names of a destination led before, and lead now."""

    at: int
    before: tuple[str, ...]  # addresses
    now: tuple[str, ...]
    hosts_before: tuple[str, ...] = ()
    hosts_now: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """One destination, as far as forecasts look at it."""

    destination_id: int
    connector: str
    name: str
    rows: Sequence[HostRow] = ()  # of the addresses that its names lead to now
    broken: bool = False  # it fails as a whole: no forecast is needed
    moved: Moved | None = None
    messages: int = 0
    expires_at: int = 0  # the first message
    lifetime: int = 0  # of that message in all
    use_mx: bool = False
    validates: bool = True  # whether mail stops where a certificate is not good


class Room(NamedTuple):
    """How full something is that refuses mail when it is full."""

    resource: str  # queue | disk
    used: int
    limit: int
    unit: int  # of what one message adds, in octets; 1 for messages


class Lapsed(NamedTuple):
    """A name of ours that the DNS does not know any more."""

    name: str
    at: int  # since when
    worked_at: int  # when it was there last, 0 where that is not known
    connector: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Everything that is looked at."""

    now: int
    places: Sequence[Place] = ()
    growth: Growth = NOT_GROWING
    rooms: Sequence[Room] = ()
    lapsed: Sequence[Lapsed] = ()
    offenders: Sequence[Standing] = ()
    guessers: Sequence[Guesser] = ()


def forecasts(outlook: Outlook) -> list[Forecast]:
    """Return what is foreseen, in the order of the rules."""
    found: list[Forecast] = []
    for place in outlook.places:
        if not place.broken:
            found += _certificates(place, outlook.now)
            found += _last_host(place)
            found += _old_tls(place)
            found += _moved(place, outlook.now)
        found += _expiring(place, outlook.now)
    for room in outlook.rooms:
        found += _filling(room, outlook.growth, outlook.now)
    found += [_lapsed(name, outlook.now) for name in outlook.lapsed]
    found += [_offender(standing) for standing in outlook.offenders]
    found += [_guessing(guesser) for guesser in outlook.guessers]
    return found


# ---------------------------------------------------------------- certificates


def _certificates(place: Place, now: int) -> Iterator[Forecast]:
    """One forecast for each certificate, however many addresses show it."""
    seen: dict[str, HostRow] = {}
    for row in place.rows:
        if row.certificate is not None and row.works is not False and row.certificate.not_after > now:
            seen.setdefault(row.certificate.fingerprint, row)
    for row in seen.values():
        assert row.certificate is not None
        ends = row.certificate.not_after
        severity = next((s for days, s in CERTIFICATE_STEPS if ends - now <= days * DAY), "")
        if not severity:
            continue
        yield _ending(place, row, row.certificate, severity if place.validates else "low", now)


def _ending(place: Place, row: HostRow, shown: CertificateSummary, severity: str, now: int) -> Forecast:
    left, seen = shown.not_after - now, max(row.last_success, row.last_failure)
    values: dict[str, object] = {
        "server": row.server, "days": left // DAY, "hours": left // HOUR, "date": iso(shown.not_after)[:10],
        "names": ", ".join(shown.names[:NAMED]), "issuer": shown.issuer,
        "address": endpoint(row.address, row.port), "time": _time(seen),
    }  # fmt: skip
    text = tr("The certificate of {server} ends in {days} days, on {date}.")
    if left < 2 * DAY:
        text = tr("The certificate of {server} ends in {hours} hours, on {date}.")
    then = tr("The connector checks certificates: mail stops then.")
    if not place.validates:
        then = tr("The connector does not check certificates: mail goes on all the same.")
    evidence = (
        Because("names", tr("It is for {names}, issued by {issuer}."), values),
        Because("seen", tr("It was shown by {address} at {time}."), values),
        Because("then", then, values),
    )
    step = tr("Have it renewed by who runs {server}; gatepost check then shows the new date.")
    return _about(
        place, "certificate_expires", shown.fingerprint[:16], severity, Because("certificate_expires", text, values),
        Because("renew", step, values), evidence, shown.not_after,
    )  # fmt: skip


# ---------------------------------------------------------------- hosts and addresses


def _last_host(place: Place) -> Iterator[Forecast]:
    bad = [row for row in place.rows if row.works is False]
    rest = [row for row in place.rows if row.works is not False]
    if not bad or len(rest) != 1:
        return
    values: dict[str, object] = {
        "destination": place.name, "all": len(place.rows), "good": endpoint(rest[0].address, rest[0].port),
        "bad": ", ".join(endpoint(row.address, row.port) for row in bad[:NAMED]),
    }  # fmt: skip
    evidence = [
        Because("fails", tr("{address} failed last at {time}: {error}."),
                {"address": endpoint(row.address, row.port), "time": _time(row.last_failure),
                 "error": row.last_error.title if row.last_error is not None else ""})
        for row in bad[:NAMED]
    ]  # fmt: skip
    text = tr("Mail to {destination} depends on its last address that works, {good}, of {all}.")
    step = tr("Have {bad} repaired, or take it out of the connector, before {good} fails too.")
    yield _about(
        place, "last_host", "", "medium",
        Because("last_host", text, values), Because("repair", step, values),
        tuple(evidence),
    )  # fmt: skip


def _moved(place: Place, now: int) -> Iterator[Forecast]:
    """Names that lead elsewhere: worth a look until mail has gone to the new address."""
    moved = place.moved
    if moved is None or now - moved.at > FORGET_CHANGE:
        return
    fresh = set(moved.now) - set(moved.before)
    untried = [row for row in place.rows if row.address in fresh and not row.last_success]
    values: dict[str, object] = {
        "destination": place.name, "time": _time(moved.at),
        "before": ", ".join(moved.before[:NAMED]), "now": ", ".join(moved.now[:NAMED]),
        "hosts_before": ", ".join(moved.hosts_before[:NAMED]), "hosts_now": ", ".join(moved.hosts_now[:NAMED]),
    }  # fmt: skip
    text = tr("{destination} leads to {now} since {time}; before it was {before}.")
    if place.use_mx and set(moved.hosts_before) != set(moved.hosts_now):
        text = tr(
            "The mail servers of {destination} are {hosts_now} since {time}; before they were {hosts_before}."
        )
    said = (
        tr("No mail has gone to the new address yet.") if untried else tr("Mail has gone to the new address.")
    )
    step = tr("Ask who runs {destination} whether that was meant; gatepost check tries the new address.")
    more = "" if place.destination_id else place.name
    yield _about(
        place, "addresses_changed", more, "medium" if untried and fresh else "low",
        Because("addresses_changed", text, values), Because("expected", step, values), (Because("tried", said, {}),),
    )  # fmt: skip


def _old_tls(place: Place) -> Iterator[Forecast]:
    for row in place.rows:
        version, _, cipher = row.tls.partition(" ")
        if not row.works or not version or (version not in OLD_TLS and cipher.startswith(FORWARD_SECRET)):
            continue
        values = {"server": row.server, "tls": row.tls, "address": endpoint(row.address, row.port)}
        yield _about(
            place, "tls_outdated", row.server, "medium",
            Because("tls_outdated", tr("{server} encrypts with {tls}, which is about to be refused."), values),
            Because("upgrade", tr("Have TLS 1.3, or TLS 1.2 with forward secrecy, turned on at {server}."), values),
            (Because("handshake", tr("{address} chose it in the last handshake."), values),),
        )  # fmt: skip
        return


# ---------------------------------------------------------------- the queue


def _expiring(place: Place, now: int) -> Iterator[Forecast]:
    left = place.expires_at - now
    horizon = min(ABOUT_TO_EXPIRE, place.lifetime // 6)
    if not place.messages or not place.expires_at or not 0 < left <= horizon:
        return
    values = {
        "destination": place.name,
        "n": place.messages,
        "time": _time(place.expires_at),
        "minutes": left // MINUTE,
    }
    text = tr("Mail to {destination} is returned to its senders from {time} on; {n} messages wait.")
    step = tr("Repair the way, or give the mail more time: gatepost fix plan.")
    yield _about(
        place, "mail_expires", "", "high",
        Because("mail_expires", text, values), Because("extend", step, values),
        (Because("left", tr("The first message expires in {minutes} minutes."), values),),
        place.expires_at,
    )  # fmt: skip


def _filling(room: Room, growth: Growth, now: int) -> Iterator[Forecast]:
    """Growth of the last hour, carried on: when the limit is reached that refuses all mail."""
    if not room.limit or growth.last_hour < GROWING_LEAST or room.used >= room.limit:
        return
    an_hour = growth.last_hour * room.unit
    left = (room.limit - room.used) * HOUR // max(an_hour, 1)
    severity = next((s for within, s in LIMIT_STEPS if left <= within), "")
    if not severity:
        return
    values: dict[str, object] = {
        "n": growth.last_hour, "used": room.used, "limit": room.limit, "time": _time(now + left),
        "mib": (room.limit - room.used) >> 20,
    }  # fmt: skip
    text = tr("The queue reaches its limit of {limit} messages at {time}; from then on no mail is accepted.")
    evidence = tr("{used} messages wait now, {n} of them came in the last hour.")
    if room.resource == "disk":
        text = tr("The disk of the queue is full at {time}; from then on no mail is accepted.")
        evidence = tr("{mib} MiB are left, {n} of the messages that wait came in the last hour.")
    step = tr("Repair what holds the mail back, or raise the limit: see gatepost insight list.")
    yield Forecast(
        f"queue_limit/{room.resource}", "queue_limit", severity,
        Because("queue_limit", text, values), Because("make_room", step, values),
        (Because("grows", evidence, values),),
        due=now + left,
    )  # fmt: skip


# ---------------------------------------------------------------- names and recipients


def _lapsed(name: Lapsed, now: int) -> Forecast:
    values: dict[str, object] = {"name": name.name, "time": _time(name.at), "worked": _time(name.worked_at)}
    was = tr("It was there at {worked}.") if name.worked_at else tr("It was never seen there.")
    return Forecast(
        f"domain_lapsed/{name.name}", "domain_lapsed", "high" if name.worked_at else "medium",
        Because("domain_lapsed", tr("The DNS says since {time} that {name} does not exist."), values),
        Because("renew_domain", tr("Look whether the registration of {name} has ended, and have it renewed."), values),
        (Because("was", was, values),),
        name.connector, destination=name.name, since=name.at,
    )  # fmt: skip


_WHO: Mapping[str, str] = {
    "organisation": tr("{n} recipients that do not exist were named in all."),
    "domain": tr("{n} recipients that do not exist were named in the domain {name}."),
    "connector": tr("{n} recipients that do not exist were named to the connector {name}."),
    "source": tr("The source {name} named {n} recipients that do not exist."),
    "client": tr("The client {name} named {n} recipients that do not exist."),
    "sender": tr("The sender {name} named {n} recipients that do not exist."),
}


def _offender(standing: Standing) -> Forecast:
    values: dict[str, object] = {
        "name": standing.name, "n": standing.total, "refused": standing.refused, "rejected": standing.rejected,
        "returned": standing.returned, "limit": standing.limited_at, "until": _time(standing.until),
        "addresses": standing.addresses, "examples": ", ".join(standing.examples),
    }  # fmt: skip
    kind = "address_harvest" if standing.harvest else "invalid_recipients"
    sentence = _WHO[standing.dimension]
    if standing.harvest:
        sentence = tr(
            "The client {name} tries which of our addresses exist: {addresses} were named that do not."
        )
    limited = standing.level == "limited"
    then, step = _consequence(standing)
    how = tr("{refused} were refused here, {rejected} by their destinations, {returned} were returned.")
    return Forecast(
        f"{kind}/{standing.dimension}/{standing.name}", kind, "high" if limited or standing.harvest else "medium",
        Because(kind, sentence, values),
        Because("quota_step", step, values),
        (
            Because("how", how, values),
            Because("examples", tr("Among them: {examples}."), values),
            Because("then", then, values),
        ),
        standing.name if standing.dimension == "connector" else "",
        destination=standing.name, since=standing.first_at,
    )  # fmt: skip


def _consequence(standing: Standing) -> tuple[str, str]:
    """Return what follows for its mail, and what to do."""
    step = tr("See who sends them (gatepost report quota), and have the list of recipients cleaned.")
    if standing.dimension == "connector":
        step = tr(
            "If the servers behind it were shut down, Fix now refuses such mail at once: gatepost fix plan."
        )
    if standing.harvest:
        return tr("Its mail is answered 450; mail of others is not touched."), tr(
            "Nothing has to be done; a client that goes on can be blocked at the firewall."
        )
    if standing.level == "limited":
        return tr("Its mail is answered 450 until {until}; mail of others is not touched."), step
    if standing.limited_at:
        return tr("From {limit} on its mail is answered 450; mail of others is not touched."), step
    return tr("No mail is held back for it."), step


def _guessing(guesser: Guesser) -> Forecast:
    values: dict[str, object] = {
        "name": clean(guesser.name, 100), "n": guesser.tries, "others": guesser.others, "waited": guesser.waited,
    }  # fmt: skip
    text = tr("The client {name} guesses passwords by SMTP: {n} logins failed within an hour.")
    if guesser.door == "admin":
        text = tr("The client {name} guesses passwords of the admin centre: {n} failed within an hour.")
    tried = tr("{others} accounts were tried.")
    step = tr("Block the address at the firewall, or see whether a program there has an old password.")
    if guesser.about == "user":
        text = tr(
            "The password of {name} is guessed from {others} addresses: {n} logins failed within an hour."
        )
        tried = tr("Whoever knows the password can sign in still, once the waiting is over.")
        step = tr("Give the account a long password, and the admin centre a second factor.")
    waited = tr(
        "{waited} of them were refused without a look at the password, since too many had failed before."
    )
    key = f"passwords_guessed/{guesser.door}/{guesser.about}/{guesser.name}"
    return Forecast(
        key, "passwords_guessed", guesser.severity,
        Because("passwords_guessed", text, values), Because("block", step, values),
        (Because("tried", tried, values), Because("waited", waited, values)),
        since=guesser.since,
    )  # fmt: skip


# ---------------------------------------------------------------- words


def _about(
    place: Place,
    kind: str,
    more: str,
    severity: str,
    sentence: Because,
    next_step: Because,
    evidence: tuple[Because, ...],
    due: int = 0,
) -> Forecast:
    key = f"{kind}/{place.destination_id}" + (f"/{more}" if more else "")
    return Forecast(
        key,
        kind,
        severity,
        sentence,
        next_step,
        evidence,
        place.connector,
        place.destination_id,
        place.name,
        due,
    )


def _time(milliseconds: int) -> str:
    text = iso(milliseconds)
    return f"{text[:10]} {text[11:16]} UTC"
