"""Foreign evidence gets the classes of the gateway's own attempts (B8)."""

from gatepost.explain.judge import judge
from gatepost.explain.record import Record
from gatepost.model.failure import FailureClass as C


def test_a_bare_diagnostic_is_judged():
    """B8."""
    said = judge(Record("reply", "550 5.1.1 <ann@example.net>: user unknown", smtp=550, enhanced="5.1.1"))
    assert said.failure_class is C.RECIPIENT_UNKNOWN
    assert said.permanent
    assert said.flow_code == "other"
    assert said.confidence > 0.8
