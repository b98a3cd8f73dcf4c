"""The JSON of insights, hosts and what waits behind them, in the documented form (pure)."""

from collections.abc import Sequence

from gatepost.admin.answers.insights import (
    CertificateJson,
    EpisodeJson,
    ExpiringJson,
    FacetsJson,
    HostJson,
    HostsInShort,
    InsightRow,
    QueueFields,
    RankingJson,
    WaitingJson,
)
from gatepost.admin.insight_words import Shown, Words
from gatepost.admin.shapes import error_json, when
from gatepost.insight.words import hosts_sentence
from gatepost.model.attempt import endpoint
from gatepost.model.evidence import Because, Ranking
from gatepost.model.failure import clean
from gatepost.model.foreign import system_of
from gatepost.model.ids import to_text
from gatepost.model.insight import CertificateSummary, HostRow, Insight, Scope
from gatepost.model.waiting import Expiring, by_age, by_hour, growth
from gatepost.storage.interface import DestinationSummary, Facets


def insight_row(shown: Shown, waiting: DestinationSummary | None, words: Words) -> InsightRow:
    """Return an insight as lists show it, with the eight fields of a queue (R19)."""
    insight = shown.insight
    fingerprint, error = insight.fingerprint, insight.last_error
    advice = words.advice(insight, shown.to)
    return {
        "id": fingerprint.text,
        "number": to_text(insight.id),
        "scope": fingerprint.scope,
        "state": str(insight.state),
        "severity": str(insight.severity),
        "class": fingerprint.failure_class,
        "sub": insight.sub,
        "code": insight.flow_code,
        "title": advice.title,
        "sentence": words.sentence(shown),
        "connector": fingerprint.connector,
        "foreign": system_of(fingerprint.connector),
        "to": shown.to,
        "destination": insight.destination,
        "destination_id": str(fingerprint.destination_id) if fingerprint.destination_id else "",
        "first_seen": when(insight.first_seen),
        "opened_at": when(insight.opened_at),
        "last_seen": when(insight.last_seen),
        "resolved_at": when(insight.resolved_at),
        "resolved_why": insight.resolved_why,
        "resolved_by": insight.resolved_by,
        "attempts": insight.attempts,
        "episodes": insight.episodes,
        "ended": insight.ended,
        **_queue_fields(insight, shown, waiting),
        "destination_server": error.server if error is not None else "",
        "last_address": error.address if error is not None else "",
        "last_error": error_json(error),
        "owner": words.owner(shown),
        "owner_name": words.owner_name(shown),
        "how_to_fix": advice.fixes[0].text if advice.fixes else "",
        "hosts": _hosts_in_short(shown.hosts, words),
        "parent": insight.parent,
        "acknowledged_by": insight.acknowledged_by,
        "acknowledged_at": when(insight.acknowledged_at),
        "note": insight.note,
    }


def _queue_fields(insight: Insight, shown: Shown, waiting: DestinationSummary | None) -> QueueFields:
    """Return what waits because of it; null where that cannot be told apart from other mail of the destination."""
    if insight.fingerprint.scope == Scope.MESSAGES:
        return {
            "messages": None,
            "recipients": None,
            "bytes": None,
            "queued_since": None,
            "oldest_at": None,
            "oldest_expires_at": None,
            "expiring": None,
            "next_attempt_at": None,
        }
    state = waiting.state if waiting is not None else None
    return {
        "messages": shown.messages,
        "recipients": waiting.recipients if waiting is not None else 0,
        "bytes": waiting.bytes if waiting is not None else 0,
        "queued_since": when(state.queued_since) if state is not None else None,
        "oldest_at": when(waiting.oldest_at if waiting is not None else shown.oldest_at),
        "oldest_expires_at": when(waiting.oldest_expires_at) if waiting is not None else None,
        "expiring": expiring_json(shown.expiring),
        "next_attempt_at": when(shown.next_attempt_at),
    }


def expiring_json(expiring: Expiring | None) -> ExpiringJson | None:
    """Return how many messages expire within how many seconds."""
    if expiring is None:
        return None
    return {"messages": expiring.messages, "within_seconds": expiring.within // 1000}


def _hosts_in_short(rows: Sequence[HostRow], words: Words) -> HostsInShort:
    because = hosts_sentence(rows)
    return {
        "known": sum(row.works is not None for row in rows),
        "working": sum(row.works is True for row in rows),
        "sentence": "" if because is None else said(because, words),
    }


def said(because: Because, words: Words) -> str:
    """Return a piece of evidence in a language, its remote parts made harmless."""
    return clean(words.say(because.text).format(**because.values), 1000)


def host_json(row: HostRow, *, current: bool) -> HostJson:
    """Return a host: `works` null where nobody knows; `current` where its name still leads to it."""
    return {
        "server": row.server,
        "address": endpoint(row.address, row.port),
        "works": row.works,
        "current": current,
        "last_success": when(row.last_success),
        "last_failure": when(row.last_failure),
        "failures": row.failures,
        "last_error": error_json(row.last_error),
        "latency_ms": round(row.latency_ms, 1),
        "tls": row.tls,
        "certificate": certificate_json(row.certificate),
        "certificate_before": certificate_json(row.certificate_before),
        "certificate_changed_at": when(row.certificate_changed_at),
    }


def certificate_json(certificate: CertificateSummary | None) -> CertificateJson | None:
    """Return a certificate in short."""
    if certificate is None:
        return None
    return {
        "subject": clean(certificate.subject, 300),
        "issuer": clean(certificate.issuer, 300),
        "names": [clean(name, 255) for name in certificate.names[:50]],
        "not_before": when(certificate.not_before),
        "not_after": when(certificate.not_after),
        "fingerprint": certificate.fingerprint,
        "verdict": certificate.verdict,
    }


def waiting_json(
    waiting: DestinationSummary | None, soonest_first: Sequence[tuple[int, int]], now: int
) -> WaitingJson:
    """Return how old mail is, when it expires, and how the queue grew."""
    ages = waiting.ages if waiting is not None else ()
    grew = growth(ages, now)
    return {
        "expiry": [{"hour": when(hour), "messages": messages} for hour, messages in by_hour(soonest_first)],
        "ages": [
            {"younger_than_seconds": step // 1000 or None, "messages": messages}
            for step, messages in by_age(ages, now)
        ],
        "growth": {"last_hour": grew.last_hour, "hour_before": grew.hour_before},
    }


def facets_json(facets: Facets, shown: int = 20) -> FacetsJson:
    """Return whose mail waits."""
    return {
        "sampled": facets.sampled,
        "messages": facets.messages,
        "recipients": facets.recipients,
        "bytes": facets.octets,
        "recipient_domains": [{"domain": d, "recipients": n} for d, n in facets.recipient_domains[:shown]],
        "sender_domains": [{"domain": d, "messages": n} for d, n in facets.sender_domains[:shown]],
    }


def ranking_json(ranking: Ranking | None, texts: dict[str, str], words: Words) -> RankingJson | None:
    """Return the ranked causes; `texts` has what the catalogue calls them; None where nobody ranked them."""
    if ranking is None:
        return None
    next_check = None if ranking.next_check is None else said(ranking.next_check, words)
    return {
        "decided": ranking.decided,
        "owner": ranking.owner,
        "next_check": next_check,
        "causes": [
            {
                "id": cause.id,
                "text": texts.get(cause.id, cause.id),
                "weight": round(cause.weight, 3),
                "owner": cause.owner,
                "because": [said(because, words) for because in cause.because],
            }
            for cause in ranking.causes
        ],
    }


def history_json(insight: Insight) -> list[EpisodeJson]:
    """Return the times that it was open before, newest first."""
    return [
        {
            "opened_at": when(episode.opened_at),
            "resolved_at": when(episode.resolved_at),
            "attempts": episode.attempts,
            "ended": episode.ended,
            "peak": episode.peak,
            "why": episode.why,
        }
        for episode in insight.past
    ]
