"""The states of a server session and the table of what leads from one to another (RFC 5321 section 4.1.4)."""

from enum import StrEnum


class State(StrEnum):
    """Where a session stands."""

    START = "start"
    READY = "ready"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BDAT = "bdat"
    AUTH = "auth"
    TLS = "tls"
    CLOSED = "closed"


_ALWAYS = {"EHLO": State.READY, "HELO": State.READY, "QUIT": State.CLOSED}

# state -> verb -> state after a 2xx or 3xx; a verb that is missing is answered with 503
MOVES: dict[State, dict[str, State]] = {
    State.START: _ALWAYS
    | {"RSET": State.START, "NOOP": State.START, "VRFY": State.START, "HELP": State.START},
    State.READY: _ALWAYS
    | {"RSET": State.READY, "NOOP": State.READY, "VRFY": State.READY, "HELP": State.READY}
    | {"MAIL": State.MAIL, "AUTH": State.READY, "STARTTLS": State.TLS},
    State.MAIL: _ALWAYS
    | {"RSET": State.READY, "NOOP": State.MAIL, "VRFY": State.MAIL, "HELP": State.MAIL}
    | {"RCPT": State.RCPT},
    State.RCPT: _ALWAYS
    | {"RSET": State.READY, "NOOP": State.RCPT, "VRFY": State.RCPT, "HELP": State.RCPT}
    | {"RCPT": State.RCPT, "DATA": State.DATA, "BDAT": State.BDAT},
    State.DATA: {"end of data": State.READY},
    State.BDAT: _ALWAYS
    | {"RSET": State.READY, "NOOP": State.BDAT}
    | {"BDAT": State.BDAT, "end of data": State.READY},
    State.AUTH: {"end of login": State.READY},
    State.TLS: {"handshake": State.START},
    State.CLOSED: {},
}
KNOWN = frozenset(verb for moves in MOVES.values() for verb in moves if verb.isupper())
VERBS = {verb.encode(): verb for verb in KNOWN}  # as nearly all clients write them
