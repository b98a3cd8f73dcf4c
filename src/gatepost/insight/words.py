"""Say of hosts which of them are broken: "1 of 4 addresses broken: 192.0.2.9:25 (Connection refused)" (pure)."""

from collections.abc import Sequence

from gatepost.i18n import tr
from gatepost.insight.hosts import broken
from gatepost.model.attempt import endpoint
from gatepost.model.evidence import Because
from gatepost.model.insight import HostRow

NAMED = 3


def hosts_sentence(rows: Sequence[HostRow]) -> Because | None:
    """Return which hosts, or which addresses of the only host, are broken; None where none or all of them are.

    `rows` are the current ones of a destination; what was never tried is not called broken.
    """
    bad, _ = broken(rows)
    rest = [row for row in rows if row.works is not False]
    if not bad or not rest:
        return None
    title = bad[0].last_error.title if bad[0].last_error is not None else ""
    if len({row.server for row in rows}) == 1:
        names = [endpoint(row.address, row.port) for row in bad]
        text = tr("{count} of {all} addresses broken: {names} ({title})")
        return Because("addresses_broken", text, _values(names, len(rows), title))
    working = {row.server for row in rest}
    wholly = sorted({row.server for row in bad} - working)
    names = wholly or [f"{row.server} {endpoint(row.address, row.port)}" for row in bad]
    hosts = len({row.server for row in rows})
    if not wholly:  # every host has an address that works
        text = tr("{count} of {all} addresses broken: {names} ({title})")
        return Because("addresses_broken", text, _values(names, len(rows), title))
    text = tr("{count} of {all} hosts broken: {names} ({title})")
    return Because("hosts_broken", text, _values(wholly, hosts, title))


def _values(names: Sequence[str], everything: int, title: str) -> dict[str, object]:
    more = ", ..." if len(names) > NAMED else ""
    return {"count": len(names), "all": everything, "names": ", ".join(names[:NAMED]) + more, "title": title}
