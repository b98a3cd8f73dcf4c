"""An insight in one sentence: what, where, since when, how many, whose side, what happens next (pure)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gatepost.admin.errors import tr
from gatepost.diagnose import catalogue
from gatepost.i18n import translator
from gatepost.insight.correlate import family_of
from gatepost.insight.words import hosts_sentence
from gatepost.model.failure import FailureClass, iso
from gatepost.model.foreign import system_of
from gatepost.model.insight import HostRow, Insight, Scope
from gatepost.model.waiting import HOUR, MINUTE, Expiring

SECOND = 1000
DAY = 24 * HOUR
WORTH_SAYING_MS = 12 * HOUR  # an expiry that is further off is a field, and no news


@dataclass(frozen=True, slots=True)
class Shown:
    """What a sentence is made of; times in ms since 1970."""

    insight: Insight
    now: int
    to: str = ""  # of the connector: on-premises, partner, "" without one
    messages: int = 0
    oldest_at: int = 0  # of what waits at a foreign system
    expiring: Expiring | None = None
    next_attempt_at: int = 0
    suspended_by: str = ""
    works: bool = True  # the destination as a whole
    owner: str = ""  # from the ranking, "" where the class decides
    hosts: Sequence[HostRow] = field(default_factory=tuple)
    by_probe: bool = False  # no delivery has failed there, nothing waits: a probe saw it


class Words:
    """Says insights in a language."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self.say: Callable[[str], str] = translator(lang)

    def sentence(self, shown: Shown) -> str:
        """Return the sentence (a few short ones)."""
        insight = shown.insight
        if not insight.state.open:
            return self._over(insight)
        clauses = [self._headline(shown), *self._waiting(shown)]
        clauses.append(self.say(tr("Whose side: {owner}.")).format(owner=self.owner_name(shown)))
        clauses += self._next(shown)
        return ("" if self.lang == "zh-CN" else " ").join(clause for clause in clauses if clause)

    def title(self, insight: Insight) -> str:
        """Return what its class is called."""
        return self.advice(insight, "").title

    def advice(self, insight: Insight, to: str) -> catalogue.Advice:
        """Return what the catalogue says of its class."""
        error = insight.last_error
        return catalogue.explain(
            FailureClass(insight.fingerprint.failure_class),
            self.lang,
            to=to,
            sub=insight.sub,
            server=error.server if error is not None else "",
            connector=insight.fingerprint.connector,
        )

    def owner(self, shown: Shown) -> str:
        """Return whose side it is: one of the owners of the catalogue."""
        if shown.owner:
            return shown.owner
        if shown.insight.fingerprint.scope == Scope.GATEWAY:
            return "us"
        fixes = self.advice(shown.insight, shown.to).fixes
        return fixes[0].owner if fixes else "us"

    def owner_name(self, shown: Shown) -> str:
        """Return what that side is called."""
        return catalogue.owner_name(self.owner(shown), self.lang)

    def span(self, milliseconds: int) -> str:
        """Return a duration: `3 h 12 min`."""
        if milliseconds >= 2 * DAY:
            days, rest = divmod(milliseconds, DAY)
            return self.say(tr("{d} d {h} h")).format(d=days, h=rest // HOUR)
        if milliseconds >= HOUR:
            hours, rest = divmod(milliseconds, HOUR)
            return self.say(tr("{h} h {m} min")).format(h=hours, m=rest // MINUTE)
        if milliseconds >= MINUTE:
            return self.say(tr("{n} min")).format(n=milliseconds // MINUTE)
        return self.say(tr("{n} s")).format(n=max(milliseconds, 0) // SECOND)

    def why(self, insight: Insight) -> str:
        """Return why failures are counted together as this insight."""
        scope = insight.fingerprint.scope
        if scope == Scope.GATEWAY:
            text = tr(
                "{failing} destinations began to fail alike within ten minutes of each other, while {working} worked: "
                "what they have in common is this gateway."
            )
        elif scope == Scope.HOSTS:
            text = tr(
                "Hosts of one destination that fail in one class ({class_}) while other hosts take the mail."
            )
        elif insight.fingerprint.failure_class == FailureClass.RECIPIENT_UNKNOWN and of_no_place(insight):
            text = tr(
                "Recipients that do not exist, while somebody names more of them than the quota bears ({class_})."
            )
        elif scope == Scope.FOREIGN:
            text = tr(
                "What the log of a foreign mail system tells of one destination in one class ({class_}); there is "
                "nothing here to change."
            )
        elif scope == Scope.MESSAGES and not insight.fingerprint.destination_id:
            text = tr(
                "Domains that never took mail from us and cannot ({class_}): mistyped addresses, as a rule."
            )
        elif scope == Scope.MESSAGES:
            text = tr(
                "Messages or recipients that fail in one class ({class_}) at one destination that else works."
            )
        else:
            text = tr(
                "Attempts at one destination that fail in one class ({class_}) and hold back all of its mail."
            )
        counted = {"failing": 0, "working": 0, **dict(insight.grouping)}
        return self.say(text).format(**counted, class_=insight.fingerprint.failure_class)

    # the clauses

    def _headline(self, shown: Shown) -> str:
        insight = shown.insight
        scope = insight.fingerprint.scope
        if scope == Scope.GATEWAY:
            text, more = self._of_gateway(insight)
        elif scope == Scope.HOSTS:
            text, more = self._of_hosts(shown)
        elif insight.fingerprint.failure_class == FailureClass.RECIPIENT_UNKNOWN and of_no_place(insight):
            text = tr("{title}: {ended} recipients in {time}, most of them named by {destination}.")
            more = {"ended": insight.ended}
        elif scope == Scope.FOREIGN:
            text = tr(
                "{title}: for {time} mail of the foreign system {system} to {destination} has failed "
                "({attempts} attempts)."
            )
            more = {"system": system_of(insight.fingerprint.connector)}
        elif scope == Scope.MESSAGES and not insight.fingerprint.destination_id:
            text = tr("{title}: {ended} recipients in {time}, at domains that take no mail.")
            more = {"ended": insight.ended}
        elif scope == Scope.MESSAGES and not shown.works:
            text = tr("{title}: {attempts} attempts failed in {time} for some messages to {destination}.")
            more = {}
        elif scope == Scope.MESSAGES:
            text = tr(
                "{title}: {attempts} attempts failed in {time} for some messages; {destination} itself works."
            )
            more = {}
        elif insight.fingerprint.connector:
            text = tr(
                "{title}: for {time} no mail reaches {destination} (connector {connector}, {attempts} attempts)."
            )
            more = {}
        else:
            text = tr("{title}: for {time} no mail reaches {destination} ({attempts} attempts).")
            more = {}
        return self._filled(text, insight, shown.now, **more)

    def _filled(self, text: str, insight: Insight, now: int, **more: object) -> str:
        return self.say(text).format(
            title=self.title(insight),
            time=self.span(now - insight.opened_at),
            destination=insight.destination or insight.fingerprint.connector,
            connector=insight.fingerprint.connector,
            attempts=insight.attempts,
            **more,
        )

    def _of_hosts(self, shown: Shown) -> tuple[str, dict[str, object]]:
        because = hosts_sentence(shown.hosts)
        if because is None:
            return tr("{title}: for {time} a host of {destination} fails; mail goes by another."), {}
        hosts = self.say(because.text).format(**because.values)
        if sum(row.works is not False for row in shown.hosts) == 1:
            return tr("{hosts}, for {time}; mail to {destination} depends on the last one that works."), {
                "hosts": hosts
            }
        return tr("{hosts}, for {time}; mail to {destination} goes by the others."), {"hosts": hosts}

    def _of_gateway(self, insight: Insight) -> tuple[str, dict[str, object]]:
        counted = dict(insight.grouping)
        kind = family_of(insight.fingerprint.failure_class)
        if kind == "clock":
            text = tr(
                "{title}: {failing} destinations began to fail alike {time} ago; look at our own clock first."
            )
        elif kind == "reputation":
            text = tr(
                "{title}: {failing} destinations began to refuse us alike {time} ago; it is our own address or name."
            )
        elif insight.fingerprint.failure_class == FailureClass.DNS_QUERY_FAILED:
            text = tr(
                "{title}: {failing} destinations began to fail alike {time} ago; look at our own DNS resolver first."
            )
        else:
            text = tr(
                "{title}: {failing} destinations began to fail alike {time} ago; look at our own network first."
            )
        return text, {"failing": counted.get("failing", len(insight.members))}

    def _waiting(self, shown: Shown) -> list[str]:
        if shown.by_probe:
            return [self.say(tr("No mail has met it yet: a probe saw it."))]
        if not shown.messages:
            return []
        if shown.messages == 1:
            return [self.say(tr("1 message waits."))]
        return [self.say(tr("{n} messages wait.")).format(n=shown.messages)]

    def _next(self, shown: Shown) -> list[str]:
        found = []
        if shown.expiring is not None and shown.messages and shown.expiring.within <= WORTH_SAYING_MS:
            text = tr("{n} messages expire within {time}.")
            if shown.expiring.messages == 1:
                text = tr("1 message expires within {time}.")
            found.append(
                self.say(text).format(n=shown.expiring.messages, time=self.span(shown.expiring.within))
            )
        if shown.suspended_by:
            found.append(self.say(tr("Held back by {who}.")).format(who=shown.suspended_by))
        elif shown.next_attempt_at > shown.now and shown.messages:
            wait = self.span(shown.next_attempt_at - shown.now)
            found.append(self.say(tr("Next attempt in {time}.")).format(time=wait))
        return found

    def _over(self, insight: Insight) -> str:
        text = tr("Over: {title} at {destination}, from {start} to {end} ({attempts} attempts): {why}.")
        why = self.say(_WHY.get(insight.resolved_why, _WHY["quiet"])).format(who=insight.resolved_by)
        place = insight.destination or insight.fingerprint.connector
        return self.say(text).format(
            title=self.title(insight),
            destination=place or self.say(tr("many destinations")),
            start=_minute(insight.opened_at),
            end=_minute(insight.resolved_at),
            attempts=insight.attempts,
            why=why,
        )


def of_no_place(insight: Insight) -> bool:
    """Tell whether an insight is about messages of many destinations."""
    return insight.fingerprint.scope == Scope.MESSAGES and not insight.fingerprint.destination_id


_WHY = {
    "recovered": tr("it works again"),
    "quiet": tr("nothing of its kind has failed since, and nothing waits"),
    "superseded": tr("it fails in another way now"),
    "gone": tr("its connector is gone or disabled"),
    "dissolved": tr("most of what failed works again"),
    "by hand": tr("{who} called it over"),
}


def _minute(milliseconds: int) -> str:
    text = iso(milliseconds)
    return f"{text[:10]} {text[11:16]} UTC"
