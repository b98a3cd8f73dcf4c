"""Check a host without a running gateway: the same probe, with the DNS and the deadlines of the settings."""

import asyncio
from collections.abc import Callable

from gatepost.admin.check_words import CheckWords
from gatepost.admin.checks import Wanted, bare_host
from gatepost.app.building import deadlines, now_ms, own_endpoints
from gatepost.config.settings import Settings
from gatepost.deliver.options import DeliveryOptions
from gatepost.flow.checking import CheckRequest, Outcome, Surroundings, draft_options, run
from gatepost.flow.probe_records import probe_json, stage_json
from gatepost.model.ids import IdMaker
from gatepost.net.dns import Resolver

Json = dict[str, object]


def check_host(settings: Settings, wanted: Wanted, lang: str, told: Callable[[Json], object]) -> Json:
    """Check a bare host from this process; `told` hears of each stage; returns the result with its words."""
    return asyncio.run(_check(settings, wanted, lang, told))


async def _check(settings: Settings, wanted: Wanted, lang: str, told: Callable[[Json], object]) -> Json:
    request = CheckRequest(bare_host(wanted), recipient=wanted.recipient)
    words = CheckWords(lang)
    resolver = Resolver([str(server) for server in settings.dns.servers], timeout=settings.dns.timeout)
    base = DeliveryOptions(
        hostname=settings.delivery.helo or settings.hostname, deadlines=deadlines(settings), now_ms=now_ms
    )
    around = Surroundings(
        resolver, own_endpoints(settings), draft_options(base, request.connector), settings.hostname,
        settings.postmaster, now_ms, IdMaker(now_ms, settings.node),
    )  # fmt: skip
    result: Json = {}
    try:
        async for one in run(request, around):
            if isinstance(one, Outcome):
                result = dict(words.with_words(probe_json(one.result)))
            else:
                told(dict(words.stage(stage_json(one))))
    finally:
        await resolver.close()
    return result
