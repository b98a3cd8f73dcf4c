"""Judge what a reader has read, in the vocabulary of the gateway's own attempts and by the same rules.

Rule 1: a text is opened first (`explain.diagnostic`): the words inside a wrapper, the server and phase that it names.
Rule 2: a refusal in the greeting is "service unavailable" unless it names a finer reason (block list, PTR, rate).
Rule 3: a time-out before the connection stands is `connection_timeout`, after it `session_timeout`.
"""

from functools import lru_cache

from gatepost.diagnose.codes import flow_code, phase_of, reason_of
from gatepost.diagnose.normal import normal
from gatepost.diagnose.opinion import Evidence, Opinion, details_in, weigh
from gatepost.explain.opening import open_record
from gatepost.explain.record import Judgement, Record


def judge(record: Record) -> Judgement:
    """Return what an administrator is told of a record: never raises, whatever it holds."""
    return judge_cached(record)


def judge_cached(record: Record) -> Judgement:
    """Return the same as `judge`; texts that differ in addresses and numbers only are weighed once."""
    record = open_record(record)
    opinion = _opinion(record.text, record.smtp, record.enhanced, record.phase)
    failure_class = opinion.failure_class
    return Judgement(
        record,
        failure_class,
        opinion.sub,
        flow_code(failure_class),
        record.phase or opinion.phase or phase_of(failure_class),
        record.reason or opinion.reason or reason_of(failure_class),
        record.smtp >= 500 or record.enhanced.startswith("5") or record.outcome in ("failed", "expired"),
        opinion.confidence,
        opinion.also,
        opinion.why,
    )


@lru_cache(maxsize=16384)
def _opinion(text: str, smtp: int, enhanced: str, phase: str) -> Opinion:
    own = (enhanced.partition(".")[2],) if enhanced else ()
    return weigh(Evidence(normal(text), smtp, tuple(dict.fromkeys((*own, *details_in(text)))), phase))
