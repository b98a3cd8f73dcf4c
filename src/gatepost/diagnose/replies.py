"""What the replies of mail servers mean: one classifier for our own attempts and for foreign evidence.

Rule: a telling code or telling words decide, whichever says more (`diagnose.opinion`); where neither says anything, the
three digits and the phase do.
"""

from gatepost.diagnose.opinion import Opinion, opinion
from gatepost.model.attempt import Reply
from gatepost.model.failure import FailureClass as C
from gatepost.model.failure import Phase

# what a refusal in the greeting may name as its reason; anything else there means that the server takes no mail now
AT_THE_DOOR = frozenset(
    {
        C.IP_BLOCKED, C.RATE_LIMITED, C.RDNS_HELO, C.SYSTEM_FULL, C.SYSTEM_ERROR, C.GREYLISTED, C.SENDER_REJECTED,
        C.SPAM_CONTENT, C.AUTH_REQUIRED, C.TLS_NOT_OFFERED, C.MAIL_LOOP,
    }
)  # fmt: skip
NAMED = 60  # the weight from which words name a reason


def opinion_of(reply: Reply, phase: Phase) -> Opinion:
    """Return what a reply says, with what else it may mean."""
    return opinion(reply.text, smtp=reply.code, enhanced=reply.status, phase=str(phase))


def class_of(reply: Reply, phase: Phase) -> tuple[C, str]:
    """Return class and sub of a reply."""
    said = opinion_of(reply, phase)
    return said.failure_class, said.sub


def named_reason(reply: Reply) -> tuple[C, str] | None:
    """Return what a refusal at the door names as its reason; None where it names none."""
    said = opinion_of(reply, Phase.BANNER)
    return (said.failure_class, said.sub) if names_a_reason(said) else None


def names_a_reason(said: Opinion) -> bool:
    """Tell whether a refusal in the greeting says why."""
    telling = said.worded or said.failure_class is C.RDNS_HELO
    return said.failure_class in AT_THE_DOOR and telling and said.weight >= NAMED
