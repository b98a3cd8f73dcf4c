"""Explain what somebody pastes or drops: an error, a bounce, a log; nothing is kept unless that is asked for (B8)."""

import asyncio
from typing import cast

from gatepost.admin.answers.explain import ExplainedJson
from gatepost.admin.auth import Caller
from gatepost.admin.errors import Invalid, tr
from gatepost.admin.foreign import ForeignUseCases
from gatepost.admin.gateway import Gateway
from gatepost.explain.answer import Answer, answer
from gatepost.explain.log.kinds import LOG_KINDS
from gatepost.explain.texts import KINDS

MAX_OCTETS = 4_000_000
MOST = 50  # failures
TOP = 20  # insights of a log
ALL_KINDS = tuple(dict.fromkeys((*KINDS, *LOG_KINDS)))


class ExplainUseCases:
    """What can be asked of foreign evidence."""

    def __init__(self, gateway: Gateway, foreign: ForeignUseCases) -> None:
        self._gateway = gateway
        self._foreign = foreign
        self._turn = asyncio.Semaphore(1)  # one at a time: mail comes first

    async def explain(
        self, data: bytes, kind: str, lang: str, caller: Caller, *, keep_as: str = "", dry_run: bool = False
    ) -> ExplainedJson:
        """Return what is known of octets; `keep_as` keeps the insights in them as those of a foreign system."""
        if not data.strip():
            raise Invalid(tr("There is nothing to explain: paste a text or choose a file."))
        if len(data) > MAX_OCTETS:
            raise Invalid(
                tr("This is too large: 4 MB at most; gatepost explain --summary reads logs of any size.")
            )
        if kind not in ("", *ALL_KINDS):
            raise Invalid(tr('"{kind}" is none of {kinds}.'), kind=kind, kinds=", ".join(ALL_KINDS))
        if keep_as:
            caller.need("operate")
        found = await self._answer(data, kind)
        kept = self._foreign.keep(keep_as, found.summary, dry_run=dry_run) if keep_as else None
        return cast("ExplainedJson", {**found.to_json(lang), "kept": kept})

    async def _answer(self, data: bytes, kind: str) -> Answer:
        async with self._turn:
            now = self._gateway.now()
            return await asyncio.to_thread(answer, data, kind, now=now, most=MOST, top=TOP)
