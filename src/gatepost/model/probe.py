"""A probe: what a destination answers this minute, stage by stage (B9)."""

from collections.abc import Mapping
from typing import NamedTuple

from gatepost.model.failure import LastError

STAGES = ("resolve", "connect", "banner", "ehlo", "starttls", "certificate", "auth", "mail", "rcpt", "data")


class ProbeStage(NamedTuple):
    """One stage at one target. `verdict` is pass, warning, fail, unknown (not reached) or skipped (not asked)."""

    stage: str
    target: str  # the name, or "mail.example 192.0.2.7:25"
    verdict: str
    ms: float
    evidence: Mapping[str, object]

    @property
    def ok(self) -> bool:
        """Whether mail can go on from here."""
        return self.verdict in ("pass", "warning", "skipped")


class ProbeResult(NamedTuple):
    """All stages of a probe; `ok` says that at least one address takes mail."""

    id: int
    at: int  # ms since 1970
    why: str  # "check" (somebody asked) | "schedule" | "insight" | "fix" | "validate"
    connector: str  # "" for a bare host
    destination_id: int  # 0 for a draft
    ok: bool
    verdict: str  # the worst that matters: pass, warning (some address fails, a date is near), fail, unknown
    stages: tuple[ProbeStage, ...]
    last_error: LastError | None
    hosts: int = 0  # addresses tried
    working: int = 0  # addresses that work
