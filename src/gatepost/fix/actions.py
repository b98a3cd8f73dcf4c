"""The fixes that there are: what each is called, what it needs, whether it can be undone (data)."""

from dataclasses import dataclass

from gatepost.i18n import tr


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of fix. `undo` is full, partly or none; `needs` names parameters that somebody has to give."""

    name: str
    title: str
    does: str
    undo: str
    destructive: bool = False
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()  # further parameters, with values of their own where nobody gives them


_ALL = (
    Action(
        "retry", tr("Try again now"), tr("Tries the destination at once, with fresh DNS answers."), "none"
    ),
    Action(
        "fix_now",
        tr("Fix now: stop delivering there"),
        tr(
            "Disables the connector and makes its domains authoritative: mail for known recipients goes to our "
            "mailbox store, mail for invalid recipients is returned at once instead of after 24 hours."
        ),
        "partly",
        destructive=True,
        takes=("delete", "recipients"),
    ),
    Action(
        "disable_connector",
        tr("Disable the connector"),
        tr("Mail takes the route that is then the best; what has none waits."),
        "full",
    ),
    Action(
        "enable_connector", tr("Enable the connector"), tr("Mail goes through the connector again."), "full"
    ),
    Action(
        "delete_connector",
        tr("Delete the connector"),
        tr("Mail takes the route that is then the best; what has none waits."),
        "full",
        destructive=True,
    ),
    Action(
        "set_smart_hosts",
        tr("Change the smart hosts"),
        tr("Uses these hosts in this order from the next attempt on."),
        "full",
        needs=("smart_hosts",),
    ),
    Action(
        "use_last_addresses",
        tr("Use the last known addresses for a while"),
        tr(
            "Connects to the addresses that worked before, whatever the DNS says, and stops doing so by itself."
        ),
        "full",
        takes=("host", "addresses", "hours"),
    ),
    Action(
        "flush_dns",
        tr("Forget DNS answers and try again"),
        tr("Asks the DNS anew and tries the destination at once."),
        "none",
    ),
    Action(
        "set_tls_domain",
        tr("Expect the name that the certificate has"),
        tr("Sets the certificate name of the connector to a name that the server's certificate carries."),
        "full",
        takes=("tls_domain",),
    ),
    Action(
        "trust_issuer",
        tr("Trust the issuer of this certificate"),
        tr("Adds the issuer that the server presented to what this connector trusts."),
        "full",
        takes=("certificate",),
    ),
    Action(
        "pin_certificate",
        tr("Take this certificate as it is, until a date"),
        tr("Accepts exactly this certificate for this connector, and stops doing so by itself."),
        "full",
        takes=("fingerprint", "hours"),
    ),
    Action(
        "relax_tls",
        tr("Relax TLS for a while"),
        tr("Lowers what the connector demands of TLS, and demands it again by itself."),
        "full",
        takes=("tls", "hours"),
    ),
    Action(
        "set_quirks",
        tr("Be careful with this server"),
        tr("Leaves out what the server does not bear, such as PIPELINING, or uses fewer connections."),
        "full",
        takes=("quirks", "concurrency"),
    ),
    Action(
        "suspend",
        tr("Suspend with a reason and an end"),
        tr("Sends nothing there until it is resumed or the time is over; nothing is lost meanwhile."),
        "full",
        takes=("hours",),
    ),
    Action("resume", tr("Resume"), tr("Sends again at once."), "full"),
    Action(
        "extend_expiry",
        tr("Keep the mail longer"),
        tr("Mail waits longer before it is returned, so that it outlives the outage."),
        "full",
        takes=("expiry", "hours"),
    ),
    Action(
        "reroute",
        tr("Send by another connector for a while"),
        tr("Mail of this connector leaves through another one, and returns to its own way by itself."),
        "full",
        needs=("by",),
        takes=("hours",),
    ),
    Action(
        "return_now",
        tr("Return the mail to its senders now"),
        tr("Ends the waiting: each sender gets a report with the reason."),
        "none",
        destructive=True,
    ),
    Action(
        "delete",
        tr("Delete the mail"),
        tr("Ends the waiting without a word to the senders."),
        "none",
        destructive=True,
    ),
    Action(
        "import_recipients",
        tr("Import recipients that were seen to be good"),
        tr("Adds addresses to the known recipients of an accepted domain."),
        "full",
        needs=("domain", "recipients"),
    ),
)
ACTIONS = {action.name: action for action in _ALL}
QUEUE_ACTIONS = frozenset({"retry", "flush_dns", "suspend", "resume", "return_now", "delete"})
