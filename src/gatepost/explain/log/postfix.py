# ruff: noqa: E501 (a pattern is one line)
"""Postfix's logs by the block: only lines that tell what became of a recipient are looked at.

Rule: a block is searched for the words that such lines have; everything else costs a search and no more.
Rule: a line that has the words and not the form is read as any other line would be, and counted as bad where that fails.
"""

import re
from collections.abc import Iterator

from gatepost.explain.judge import judge
from gatepost.explain.lines.fields import host
from gatepost.explain.log.bad import Bad
from gatepost.explain.log.reasons import Reasons, said_of, server_in
from gatepost.explain.log.stamps import Clock
from gatepost.explain.log.tally import Event, Tally
from gatepost.explain.opening import relay_name, with_port
from gatepost.explain.stages import phase_of_stage
from gatepost.explain.texts import read_one

_HEAD = rb"(?:<\d{1,3}>)?((?:[A-Z][a-z]{2} [ \d]\d [\d: ]{8,13}|\d{4}-[\dT:.,Z+-]{13,30})) [^\]\n]{1,200}\]: "
_SENT = re.compile(_HEAD + rb"(\w{5,20}): to=<([^>\n]{0,400})>,")
_FAILED = re.compile(
    _HEAD + rb"(\w{5,20}): to=<([^>\n]{0,400})>,(?: orig_to=<[^>\n]{0,400}>,)? relay=([^,\n]{0,300}),"
    rb"(?: conn_use=\d{1,6},)? delay=([\d.]{1,15}),(?: delays=[\d./]{1,40},)?(?: dsn=(\d\.\d{1,3}\.\d{1,3}),)? status=([a-zA-Z-]{3,20})(?: \(([^\n]*))?"
)
_ENDED = re.compile(
    _HEAD + rb"([0-9A-Za-z]{5,20}): from=<[^>\n]{0,400}>,(?:[^\n]{0,100}?) status=(?:force-)?expired"
)
_REJECT = re.compile(
    _HEAD
    + rb"[0-9A-Za-z]{5,20}: (?:milter-)?reject: ([A-Z-]{4,20})(?: COMMAND)? from \S{1,300}: ([^\n]{1,4000})"
)
_REMOVED = re.compile(rb"postfix[\w./-]*/postsuper\[\d{1,10}\]: ([0-9A-Za-z]{5,20}): removed")
_TO = re.compile(rb" to=<([^>\n]{0,400})>")
_LOCAL = ("local", "virtual", "maildrop", "procmail", "pipe")
MAX_LINE = 20_000  # octets of an odd line that are read
MAX_RELAYS = MAX_NAMES = 20_000
_OUTCOME = {
    b"deferred": "deferred",
    b"bounced": "failed",
    b"expired": "expired",
    b"undeliverable": "failed",
    b"SOFTBOUNCE": "deferred",
}
_WAS_SENT = b"sent "
_FILTER = b" relay=127.0.0.1["


class PostfixReader:
    """Feeds a tally with the blocks of a log."""

    kind = "postfix"

    def __init__(self, tally: Tally, bad: Bad, now: int) -> None:
        self._tally = tally
        self._bad = bad
        self.written(now)
        self._reasons = Reasons(self.kind)
        self._names: dict[bytes, str] = {}
        self._relays: dict[bytes, tuple[str, str, str]] = {}

    def written(self, now: int) -> None:
        """Hear when the log that is read next was written last (ms since 1970)."""
        self._now = now
        self._clock = Clock(now)

    def block(self, data: bytes) -> None:
        """Read whole lines."""
        self._bad.look(data)
        self._edges(data)
        self._statuses(data)
        for start, end, _ in _places(data, b"reject: "):
            self._refused(data, start, end)
        if b"/postsuper[" in data:
            for found in _REMOVED.finditer(data):
                self._tally.removed(found[1])

    def _edges(self, data: bytes) -> None:
        """Note when the first and the last line of a block were written."""
        last = data.rfind(b"\n", 0, len(data) - 1) + 1
        for start in (0, last):
            found = _STAMP.match(data, start)
            if found:
                self._tally.seen(self._clock(found[1]))

    def _statuses(self, data: bytes) -> None:
        """Read the lines of deliveries; what is on the path of every message is written out here."""
        tally, clock = self._tally, self._clock
        waiting, places = tally.waiting, tally.places
        find, rfind, sent, next_place = data.find, data.rfind, _SENT.match, 0
        filtered, since = _FILTER in data, tally.since
        while (position := find(b" status=", next_place)) >= 0:
            start, next_place = rfind(b"\n", 0, position) + 1, position + 8
            found = sent(data, start) if data.startswith(_WAS_SENT, next_place) else None
            if found is None:
                end = next_place = find(b"\n", position)
                self._other(data, start, end)
                continue
            stamp, message, recipient = found.groups()
            if filtered and self._comes_back(data, start, position):
                continue
            if message in waiting:
                tally.ended(message, recipient)
            at = clock(stamp)
            if at < since:
                continue
            place = places.get(recipient[recipient.rfind(b"@") + 1 :])
            if place is None:
                tally.arrived(recipient[recipient.rfind(b"@") + 1 :], at)
            else:
                place[0] += 1
                place[1] = at
                tally.delivered += 1

    @staticmethod
    def _comes_back(data: bytes, start: int, position: int) -> bool:
        """Tell whether a filter on this machine took the mail, so that it comes once more."""
        if data.find(_FILTER, start, position) < 0:
            return False
        return data.find(b"queued as", position, data.find(b"\n", position)) > 0

    def _other(self, data: bytes, start: int, end: int) -> None:
        """Read a line of a delivery that did not succeed, or that has not the usual form."""
        found = _FAILED.match(data, start, end)
        if found is None:
            self._odd(data[start:end])
            return
        stamp, message, recipient, relay, delay, dsn, status, text = found.groups()
        at = self._clock(stamp)
        if status == b"deliverable":
            self._tally.seen(at)
        else:
            self._failed(at, message, recipient, relay, delay, dsn, status, text or b"")

    def _relay(self, relay: bytes) -> tuple[str, str, str]:
        """Return the phase that a relay means where it is no server, else its name and address."""
        found = self._relays.get(relay)
        if found is None:
            name, address, port = host(relay.decode("utf-8", "replace"))
            server = relay_name(name)
            phase = "queue" if name in _LOCAL else ""
            found = (phase, server, with_port(address, port) if server else "")
            if len(self._relays) >= MAX_RELAYS:
                self._relays.clear()
            self._relays[relay] = found
        return found

    def _name(self, domain: bytes) -> str:
        """Return a domain as text; the same object for the same domain."""
        name = self._names.get(domain)
        if name is not None:
            return name
        if len(self._names) >= MAX_NAMES:
            self._names.clear()
        name = domain.decode("utf-8", "replace").lower()
        self._names[domain] = name
        return name

    def _failed(
        self, at: int, message: bytes, recipient: bytes, relay: bytes, delay: bytes, dsn: bytes | None,
        status: bytes, text: bytes,
    ) -> None:  # fmt: skip
        words = text.decode("utf-8", "replace").strip().removesuffix(")")
        phase, server, where = self._relay(relay)
        if not server:
            server, where = server_in(words)
        outcome = _OUTCOME.get(status, "")
        if not outcome:
            return
        to, domain = recipient.decode("utf-8", "replace"), self._name(recipient[recipient.rfind(b"@") + 1 :])
        said = self._reasons.of(
            words or "message expired", (dsn or b"").decode(), outcome, phase=phase, names=(to, domain)
        )
        accepted = at - int(float(delay)) if delay.count(b".") < 2 else at
        self._tally.failed(
            said, Event(at, outcome, message, recipient, domain, accepted, server, where, words)
        )

    def _odd(self, line: bytes) -> None:
        """Read a line with a status that has not the usual form."""
        ended = _ENDED.match(line)
        if ended:
            self._tally.seen(self._clock(ended[1]))
            self._tally.expired(ended[2])
            return
        record = read_one(line[:MAX_LINE].decode("utf-8", "replace"), "postfix", now=self._now)
        if record is None or not record.outcome or not record.recipient or not record.at:
            self._bad.line(line)
            return
        if record.outcome == "delivered":
            self._tally.ended(record.message.encode(), record.recipient.encode())
            self._tally.arrived(record.recipient.rpartition("@")[2].encode(), record.at // 1000)
            return
        judgement = judge(record)
        event = Event(
            record.at // 1000, record.outcome, record.message.encode(), record.recipient.encode(),
            record.recipient.rpartition("@")[2].lower(), 0, judgement.record.server, judgement.record.address,
            record.text,
        )  # fmt: skip
        self._tally.failed(said_of(judgement), event)

    def _refused(self, data: bytes, start: int, end: int) -> None:
        found = _REJECT.match(data, start, end)
        if found is None:
            return
        text, _, rest = found[3].partition(b"; from=<")
        recipient = who[1] if (who := _TO.search(rest)) else b""
        words = text.decode("utf-8", "replace")
        outcome = "failed" if words[:1] == "5" else "deferred"
        to, domain = recipient.decode("utf-8", "replace"), self._name(recipient[recipient.rfind(b"@") + 1 :])
        said = self._reasons.of(
            words, "", outcome, phase=phase_of_stage(found[2].decode()), names=(to, domain)
        )
        self._tally.failed(
            said, Event(self._clock(found[1]), outcome, b"", recipient, domain, text=words, incoming=True)
        )


_STAMP = re.compile(_HEAD)


def _places(data: bytes, word: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield start and end of each line that has a word, and where the word is."""
    position = data.find(word)
    while position >= 0:
        start, end = data.rfind(b"\n", 0, position) + 1, data.find(b"\n", position)
        yield start, end, position
        position = data.find(word, end)
