"""Warn, with evidence, where an outage is the likelier story than a shut-down (B4; pure)."""

from dataclasses import dataclass

from gatepost.i18n import tr
from gatepost.model.evidence import Because

DAY = 24 * 3_600_000
RECENT = 7 * DAY
TAKES_MAIL_AWAY = frozenset({"fix_now", "return_now", "delete", "delete_connector"})


@dataclass(frozen=True, slots=True)
class GuardFacts:
    """What speaks for an outage. Times are ms since 1970, 0 for never or unknown."""

    now: int
    last_success: int = 0
    first_failure: int = 0
    hosts: int = 0  # addresses of this destination that are known
    working: int = 0  # of them, that worked at their last attempt
    gateway_wide: bool = False  # an insight says that our own network, resolver or clock is broken
    probe_works: bool = False  # the latest probe found the destination well
    changed_at: int = 0  # the connector, when it was last changed


def warnings(action: str, facts: GuardFacts) -> tuple[Because, ...]:
    """Return what the guard has against a fix; () where it has nothing."""
    if action not in TAKES_MAIL_AWAY:
        return ()
    found: list[Because] = []
    if facts.gateway_wide:
        text = tr("Many destinations fail at once: our own network or resolver is the likelier cause.")
        found.append(Because("gateway_wide", text, {}))
    if facts.probe_works:
        text = tr("A probe reached the destination a moment ago: its mail would go by itself.")
        found.append(Because("probe_works", text, {}))
    if facts.working and facts.working < facts.hosts:
        text = tr("{working} of {hosts} addresses of this destination work.")
        values = {"working": facts.working, "hosts": facts.hosts}
        found.append(Because("hosts_work", text, values))
    if facts.last_success and facts.now - facts.last_success < RECENT:
        text = tr("The destination took mail {ago} ago: this looks like an outage, not like a shut-down.")
        found.append(Because("worked_lately", text, {"ago": _span(facts.now - facts.last_success)}))
    if facts.first_failure and facts.now - facts.first_failure < DAY // 2 and facts.last_success:
        text = tr("It has failed for {span} only.")
        found.append(Because("fails_shortly", text, {"span": _span(facts.now - facts.first_failure)}))
    return tuple(found)


def _span(milliseconds: int) -> str:
    """Return a span in its largest unit that gives a whole number: `40s`, `12m`, `5h`, `3d`."""
    seconds = max(0, milliseconds) // 1000
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
