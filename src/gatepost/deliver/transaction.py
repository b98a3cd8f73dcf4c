"""One message on its way over one connection: which reply comes next, and what the replies amount to. No I/O.

Rule 1: only a server's own 5xx is final; silence, broken pipes and nonsense never are.
Rule 2: a decisive reply to a recipient stands, whatever happens to the connection afterwards.
"""

from gatepost.deliver.options import Result
from gatepost.model.attempt import Failure, Reply, SessionFacts
from gatepost.model.failure import Phase, Reason
from gatepost.model.mail import Item

# what the next reply answers, in the order of the session
RSET, MAIL, RCPT, DATA, BODY, DOT, LONE_DOT = range(7)

# the texts of phases, since reading them off an enumeration costs more than the rest of a reply
_MAIL_TEXT, _RCPT_TEXT, _DATA_TEXT, _EOD_TEXT = "mail", "rcpt", "data", "eod"

PHASES = {
    RSET: Phase.MAIL,
    MAIL: Phase.MAIL,
    RCPT: Phase.RCPT,
    DATA: Phase.DATA,
    BODY: Phase.DATA,
    DOT: Phase.EOD,
    LONE_DOT: Phase.EOD,
}


class Transaction:
    """The replies to one envelope and its content."""

    __slots__ = ("accepted", "data", "dots", "item", "mail", "rcpts", "sent", "stage", "started")

    def __init__(self, item: Item, stage: int, started: float) -> None:
        self.item = item
        self.stage = stage
        self.started = started
        self.mail: Reply | None = None
        self.rcpts: list[Reply] = []
        self.accepted = 0  # recipients that the server has taken so far
        self.data: Reply | None = None
        self.dots: list[Reply] = []  # one; with LMTP one for each accepted recipient (RFC 2033 section 4.2)
        self.sent = 0  # octets of the content handed to the transport

    @property
    def phase(self) -> Phase:
        """Return the phase that a failure now would belong to."""
        return PHASES[self.stage]

    @property
    def in_doubt(self) -> bool:
        """Whether the other side may have taken the message without our having heard of it."""
        return self.stage == DOT

    @property
    def taken_alone(self) -> bool:
        """Whether the message had one recipient and was taken: nearly always."""
        return self.accepted == 1 == len(self.item.recipients) and len(self.dots) == 1

    def hear_rcpt(self, reply: Reply) -> None:
        """Take the reply to the next recipient."""
        self.rcpts.append(reply)
        if reply.code // 100 == 2 and self.mail is not None and self.mail.code // 100 == 2:
            self.accepted += 1

    def settle(
        self, session: SessionFacts, now: float, *, cause: Failure | None = None, lmtp: bool = False
    ) -> list[Result]:
        """Return the result of each recipient: its own decisive reply, else `cause`."""
        spent = (now - self.started) * 1000.0
        mail = self.mail
        if self.taken_alone:
            return [self._end(self.item.recipients[0].n, self.rcpts[0], self.dots[0], None, session, spent)]
        if mail is not None and mail.code // 100 != 2:
            failure = refusal(Phase.MAIL, mail, session)
            outcome = outcome_of(failure)
            heard = ((_MAIL_TEXT, mail),)
            return [Result(r.n, outcome, failure, mail, spent, heard) for r in self.item.recipients]
        results = []
        rcpts = self.rcpts
        taken = 0
        for index, recipient in enumerate(self.item.recipients):
            rcpt = rcpts[index] if index < len(rcpts) else None
            if rcpt is not None and rcpt.code // 100 != 2:
                refused = refusal(Phase.RCPT, rcpt, session)
                said = ((_MAIL_TEXT, mail), (_RCPT_TEXT, rcpt)) if mail else ()
                results.append(Result(recipient.n, outcome_of(refused), refused, rcpt, spent, said))
                continue
            number = taken if lmtp else 0
            dot = self.dots[number] if number < len(self.dots) else None
            taken += 1
            results.append(self._end(recipient.n, rcpt, dot, cause, session, spent))
        return results

    def _end(
        self,
        n: int,
        rcpt: Reply | None,
        dot: Reply | None,
        cause: Failure | None,
        session: SessionFacts,
        spent: float,
    ) -> Result:
        mail, data = self.mail, self.data
        if dot is not None and mail is not None and rcpt is not None and data is not None:
            said = ((_MAIL_TEXT, mail), (_RCPT_TEXT, rcpt), (_DATA_TEXT, data))
            failure = None if dot.code // 100 == 2 else refusal(Phase.EOD, dot, session)
            outcome = "delivered" if failure is None else outcome_of(failure)
            return Result(n, outcome, failure, dot, spent, (*said, (_EOD_TEXT, dot)))
        heard = ((_MAIL_TEXT, mail), (_RCPT_TEXT, rcpt), (_DATA_TEXT, data))
        replies = tuple((phase, reply) for phase, reply in heard if reply is not None)
        if data is not None and data.code != 354:
            failure = refusal(Phase.DATA, data, session)
            return Result(n, outcome_of(failure), failure, data, spent, replies)
        if cause is None:
            raise AssertionError("a transaction ends with a reply or with a cause")
        if cause.reply is not None:
            replies = (*replies, (cause.phase.value, cause.reply))
        return Result(n, outcome_of(cause), cause, cause.reply, spent, replies)


def refusal(phase: Phase, reply: Reply, session: SessionFacts) -> Failure:
    """Return the failure that a reply other than the wanted one means."""
    reason = Reason.REPLY if reply.code // 100 in (4, 5) else Reason.PROTOCOL
    return Failure(phase, reason, reply.text, session, reply)


def outcome_of(failure: Failure) -> str:
    """Return "failed" for a server's own 5xx, else "deferred"."""
    final = failure.reason is Reason.REPLY and failure.reply is not None and failure.reply.code // 100 == 5
    return "failed" if final else "deferred"
