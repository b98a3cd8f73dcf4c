"""Recipients from one destination to another, by set: no row passes through Python."""

import json
from collections.abc import Callable
from typing import Any

from gatepost.storage.counters import IDS_OF_A_BUCKET, Place
from gatepost.storage.interface import Move
from gatepost.storage.leases import Leases
from gatepost.storage.queries import Queries

_ALL = (1 << 63) - 1


def run(
    execute: Callable[..., Any],
    sql: Queries,
    move: Move,
    leases: Leases,
    count: Callable[[Place, int, int, int], None],
) -> int:
    """Move what matches and is not claimed; return how many recipients. The caller holds the leases' lock."""
    if move.source == move.target:
        return 0
    values = {
        **move._asdict(),
        "last": move.message_id or _ALL,
        "limit": move.limit or -1,
        "addresses": json.dumps(move.addresses) if move.addresses else "",
        "claimed": json.dumps(list(leases.held(move.source))),
    }
    execute(sql["move_done"])
    execute(sql["move_pick"], values)
    execute(sql["move_insert"], values)
    execute(sql["move_delete"], values)
    execute(sql["move_event"], values)
    if move.holds:
        execute(sql["move_hold" if move.holds > 0 else "move_let_go"], values)
    counted = execute(sql["move_counts"], values | {"ids_of_a_bucket": IDS_OF_A_BUCKET}).fetchall()
    execute(sql["move_done"])
    for bucket, moved, came, octets_came, went, octets_went in counted:
        count((move.source, bucket), -went, -moved, -octets_went)
        count((move.target, bucket), came, moved, octets_came)
    return sum(int(row[1]) for row in counted)
