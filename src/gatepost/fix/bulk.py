"""What can be done to any set of queued mail: the actions, what each needs, what it makes of a row (data and pure)."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatepost.config.problems import BadValue
from gatepost.config.values import seconds
from gatepost.fix.edit import BadFix
from gatepost.i18n import tr
from gatepost.model.failure import from_iso
from gatepost.model.objects import Connector, Objects
from gatepost.model.route import DestinationKey
from gatepost.smtp.address import domain_of

LATEST = 253402300799999  # the end of the year 9999, in ms since 1970


@dataclass(frozen=True, slots=True)
class BulkAction:
    """One action; `undo` is full or none, `fate` the word of `model.fix.Effect` for what it does to a recipient."""

    name: str
    title: str
    does: str
    undo: str
    fate: str
    destructive: bool = False
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()


_ALL = (
    BulkAction(
        "retry", tr("Try again now"), tr("Tries the mail at once instead of at its next time."), "none", "retried"
    ),
    BulkAction(
        "suspend",
        tr("Hold the mail back"),
        tr("Sends this mail nowhere until it is resumed or the time is over; its expiry goes on."),
        "full",
        "held",
        takes=("until",),
    ),
    BulkAction("resume", tr("Let the mail go on"), tr("Ends the holding back of this mail."), "full", "retried"),
    BulkAction(
        "reroute",
        tr("Send by another connector"),
        tr(
            "Moves this mail to the destination of another connector; it stays there, whatever objects change, until "
            "it is delivered or this is undone."
        ),
        "full",
        "rerouted",
        needs=("by",),
    ),
    BulkAction(
        "expire",
        tr("Set when the mail expires"),
        tr("Extends or shortens how long this mail waits: after that time it is returned."),
        "full",
        "held",
        needs=("until",),
    ),
    BulkAction(
        "return_now",
        tr("Return the mail to its senders now"),
        tr("Ends the waiting: each sender gets a report with the reason."),
        "none",
        "returned",
        destructive=True,
    ),
    BulkAction(
        "delete",
        tr("Delete the mail"),
        tr("Ends the waiting without a word to the senders."),
        "none",
        "deleted",
        destructive=True,
    ),
)  # fmt: skip
BULK = {action.name: action for action in _ALL}
ENDS = frozenset({"return_now", "delete"})
STEPWISE = ENDS | {"reroute"}  # carried out step by step; the others in one transaction a page


def checked(action: str, parameters: Mapping[str, object], objects: Objects, now: int) -> dict[str, object]:
    """Return the parameters of an action as they are kept: `until` in ms since 1970; raises `BadFix`."""
    known = BULK.get(action)
    if known is None:
        raise BadFix(
            tr('There is no action "{name}" for messages: use one of {names}.'),
            name=action,
            names=", ".join(BULK),
        )
    missing = [name for name in known.needs if not parameters.get(name)]
    if missing:
        raise BadFix(tr("This action needs {names}."), names=", ".join(missing))
    found: dict[str, object] = {}
    if parameters.get("until") and "until" in (*known.takes, *known.needs):
        found["until"] = moment(str(parameters["until"]), now)
    if action == "reroute":
        found["by"] = deputy(objects, str(parameters["by"])).name
    return found


def moment(text: str, now: int) -> int:
    """Return the time that a duration from now (`4h`) or a time (RFC 3339) means; it must be in the future."""
    try:
        at = now + seconds(text) * 1000
    except BadValue:
        try:
            at = from_iso(text)
        except (ValueError, OverflowError, OSError):
            raise BadFix(
                tr('"{text}" is no time: write a duration like 4h, or a time like 2026-11-23T08:00:00Z.'),
                text=text,
            ) from None
    if not now < at <= LATEST:
        raise BadFix(tr('"{text}" is not in the future.'), text=text)
    return at


def deputy(objects: Objects, name: str) -> Connector:
    """Return the connector that is to carry mail of another one; raises `BadFix`."""
    found = next((c for c in objects.connectors if c.name == name), None)
    if found is None:
        raise BadFix(tr('There is no other connector "{name}" to send by.'), name=name)
    if not found.enabled:
        raise BadFix(tr("The connector {name} is disabled: enable it first."), name=name)
    return found


def key_by(connector: Connector, address: str) -> DestinationKey:
    """Return the destination of an address if a connector carries it."""
    if connector.use_mx:
        return DestinationKey("mx", connector.name, domain_of(address))
    return DestinationKey("smart", connector.name, "")
