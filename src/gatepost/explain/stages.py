"""Which phase of a session the words of a mail system mean: `in reply to RCPT TO command`, `after end of data`."""

import re

from gatepost.model.failure import Phase

_ARGUMENT = re.compile(r":\s?<|<")

_STAGES = (  # the first that a stage begins with or has in it; the longer before the shorter
    ("initial server greeting", Phase.BANNER),
    ("initial protocol", Phase.EHLO),
    ("initial connection", Phase.BANNER),
    ("greeting", Phase.BANNER),
    ("banner", Phase.BANNER),
    ("handshake", Phase.EHLO),
    ("end of data", Phase.EOD),
    ("end-of-data", Phase.EOD),
    ("end-of-message", Phase.EOD),
    ("end of message", Phase.EOD),
    ("end of headers", Phase.DATA),
    ("message body", Phase.DATA),
    ("message data", Phase.DATA),
    ("data block", Phase.EOD),
    ("sent the message", Phase.EOD),
    ("final", Phase.EOD),
    ("dot", Phase.EOD),
    ("starttls", Phase.STARTTLS),
    ("tls", Phase.TLS),
    ("sasl", Phase.AUTH),
    ("auth", Phase.AUTH),
    ("mail", Phase.MAIL),
    ("rcpt", Phase.RCPT),
    ("recipient", Phase.RCPT),
    ("ehlo", Phase.EHLO),
    ("helo", Phase.EHLO),
    ("lhlo", Phase.EHLO),
    ("bdat", Phase.DATA),
    ("data", Phase.DATA),
    ("text", Phase.EOD),
    ("connect", Phase.CONNECT),
)


def phase_of_stage(stage: str) -> str:
    """Return the phase that a stage or a command means; "" where it is none that is known."""
    stage = _ARGUMENT.split(stage.lower().replace("_", " "), maxsplit=1)[0]
    return next((str(phase) for words, phase in _STAGES if words in stage), "")
