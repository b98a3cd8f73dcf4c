"""Quiet hours: when only the loudest alerts are told (pure)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def is_quiet(span: str, now: int) -> bool:
    """Tell whether a time (ms since 1970) lies in `22:00-07:00 Asia/Shanghai`; "" has no quiet hours."""
    if not span:
        return False
    hours, _, zone = span.partition(" ")
    local = datetime.fromtimestamp(now / 1000, ZoneInfo(zone) if zone else UTC)
    start, _, end = hours.partition("-")
    clock = f"{local:%H:%M}"
    if start <= end:
        return start <= clock < end
    return clock >= start or clock < end
