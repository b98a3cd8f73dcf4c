"""Lines of a log that are none: counted, one of them shown; what they hold never stops the reading."""

import re

from gatepost.model.failure import clean

SHOWN = 300
_BEGINS = 4  # octets in which the lines of one log agree, most of the time
_HEAD = re.compile(
    rb"(?:<\d{1,3}>)?(?:\d )?(?:[A-Z][a-z]{2} [ \d]\d |\d{4}-\d\d-\d\d[T ]\d\d:|\s*$|#|\{|\[|@4[0-9a-f]{8}|\s+\S"
    rb"|(?:new|info|end) msg \d|starting delivery \d|delivery \d|status: )"
)


class Bad:
    """How many lines a log has, and how many of them are no lines of a log."""

    def __init__(self) -> None:
        self.lines = 0
        self.count = 0
        self.example = ""
        self._usual = b""

    def look(self, data: bytes) -> None:
        """Count the lines of a block; those that begin as others did need no look of their own."""
        lines = data.count(b"\n")
        self.lines += lines
        usual = self._usual
        if not usual or data.count(b"\n" + usual) + data.startswith(usual) < lines:
            self._each(data)

    def _each(self, data: bytes) -> None:
        for line in data.split(b"\n")[:-1]:
            if self._usual and line.startswith(self._usual):
                continue
            if _HEAD.match(line):
                self._usual = line[:_BEGINS] if len(line) >= _BEGINS else self._usual
            else:
                self.line(line)

    def line(self, line: bytes) -> None:
        """Count a bad line."""
        self.count += 1
        self.example = self.example or clean(line[: 2 * SHOWN].decode("utf-8", "replace"), SHOWN)
