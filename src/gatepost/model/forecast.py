"""A forecast: mail flows still, and will not for long; said in words, with evidence and what to do (B7)."""

from typing import NamedTuple

from gatepost.model.evidence import Because

KINDS = (
    "certificate_expires",
    "last_host",
    "addresses_changed",
    "tls_outdated",
    "mail_expires",
    "queue_limit",
    "domain_lapsed",
    "invalid_recipients",
    "address_harvest",
    "passwords_guessed",
)


class Forecast(NamedTuple):
    """One forecast; times in ms since 1970, 0 for none."""

    key: str  # stable while it is about the same thing: kind, then what it is about
    kind: str  # one of KINDS
    severity: str
    sentence: Because
    next_step: Because
    evidence: tuple[Because, ...] = ()
    connector: str = ""
    destination_id: int = 0
    destination: str = ""  # what people call it
    due: int = 0  # when it comes true if nobody does anything
    since: int = 0  # when it was foreseen first
