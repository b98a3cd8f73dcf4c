"""A client and a gateway in one: feeds a session, takes everything, remembers what happened."""

from gatepost.smtp.events import Auth, Chunk, Data, EndOfData, Event, Mail, Rcpt, StartTls
from gatepost.smtp.server import ServerConfig, ServerSession

GOOD = {
    Mail: (250, "2.1.0"),
    Rcpt: (250, "2.1.5"),
    Data: (354, ""),
    StartTls: (220, ""),
    Auth: (235, "2.7.0"),
}


class Talk:
    """Run a session; `messages` are the contents that were taken."""

    def __init__(
        self, config: ServerConfig | None = None, *, end: int = 250, allow_bare: bool = False
    ) -> None:
        self.session = ServerSession(config or ServerConfig("gw.example"))
        self.events: list[Event] = []
        self.answers: list[bytes] = []
        self.messages: list[bytes] = []
        self._end = end
        self._allow_bare = allow_bare
        self._body = b""

    @property
    def codes(self) -> list[int]:
        """Return the codes of all answers."""
        return [int(answer[:3]) for answer in self.answers]

    def say(self, data: bytes) -> None:
        """Send bytes and take what follows from them."""
        self.session.feed(data)
        while (event := self.session.next_event()) is not None:
            self._take(event)

    def count(self, kind: type) -> int:
        """Return how many events of a kind there were."""
        return sum(type(event) is kind for event in self.events)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Chunk):
            self._body += event.data
        elif isinstance(event, EndOfData):
            if self._end == 250:
                self.messages.append(self._body)
            self._answer(self.session.reply(self._end, "2.0.0", "said"))
        elif type(event) in GOOD:
            if isinstance(event, Mail):
                self.session.allow_bare_newlines = self._allow_bare
            elif isinstance(event, Data):
                self._body = b""
            code, enhanced = GOOD[type(event)]
            self._answer(self.session.reply(code, enhanced, "good"))
        else:
            self._answer(event.answer)

    def _answer(self, answer: bytes) -> None:
        if answer:
            self.answers.append(answer)
