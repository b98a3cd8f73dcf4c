"""The catalogue of failures: what each class means, likely causes, and who can mend it, in both languages.

The words are data (`texts/*.toml`), English and Chinese side by side; this module reads them and fits them to
the connector: what is for whoever runs the destination is for our own on-premises team or for the partner.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gatepost.model.failure import FailureClass, clean

LANGUAGES = ("en", "zh-CN")
OWNERS = ("us", "on-premises", "partner", "recipient", "dns-host", "network", "sender")
_DESTINATION = "destination"
_PLACEHOLDER = re.compile(r"\{(server|connector)\}")
_HEAD = re.compile(r"^\[([a-z_]+)\]$", re.MULTILINE)
# Chinese puts a blank around Latin names only
_BLANK_IN_CHINESE = re.compile(r"(?<=[\u3001-\uff1f]) (?=[\u3001-\uff1f])")


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages."""

    en: str
    zh: str

    def say(self, lang: str) -> str:
        """Return the text in a language."""
        return self.zh if lang == "zh-CN" else self.en


@dataclass(frozen=True, slots=True)
class CauseText:
    """A likely cause; `id` is stable, so that evidence can rank it."""

    id: str
    text: Text


@dataclass(frozen=True, slots=True)
class FixText:
    """Something to do, and who can do it; `only`: shown with connectors to that side alone."""

    owner: str
    text: Text
    only: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """All that the catalogue knows of a class."""

    failure_class: FailureClass
    side: str  # who can mend it, as the sender sees it: "other", "us" or "sender"
    title: Text
    explanation: Text
    advice: Text  # what the sender can do
    causes: tuple[CauseText, ...]
    fixes: tuple[FixText, ...]
    subs: dict[str, Text]


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause in one language."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A fix in one language, with the name of its owner."""

    owner: str  # one of OWNERS
    owner_name: str
    text: str
    action: str = ""  # "fix_now" where one click does it


@dataclass(frozen=True, slots=True)
class Advice:
    """An entry in one language, fitted to a connector and a server."""

    failure_class: str
    title: str
    explanation: str
    causes: tuple[Cause, ...]
    fixes: tuple[Fix, ...]
    side: str


@dataclass(frozen=True, slots=True)
class SenderAdvice:
    """What a report tells the sender; the fields are those that a report needs."""

    title: str
    sentence: str
    causes: tuple[str, ...]
    fixes: tuple[str, ...]
    owner: str


_OWNER_NAMES = {
    "us": Text("you (this gateway)", "您（本网关）"),
    "on-premises": Text("you (on-premises servers)", "您（本地服务器）"),
    "partner": Text("the partner", "合作伙伴"),
    "recipient": Text("whoever runs the destination server", "目标服务器的管理方"),
    "dns-host": Text("the DNS host", "DNS 服务商"),
    "network": Text("the network team", "网络团队"),
    "sender": Text("the sender", "发件人"),
}
_SERVER = Text("the destination server", "目标服务器")
_CONNECTOR = Text("the connector", "连接器")
_NAMED_CONNECTOR = Text("the connector “{name}”", "连接器“{name}”")
_CONTACT_PARTNER = Text(
    "Contact the partner: that side is theirs. Send them this error with its time and the server's address.",
    "请联系合作伙伴：对端由其负责。请把该错误连同时间和服务器地址一并发给对方。",
)
_NOTHING_WRONG = Text(
    "Nothing is wrong with your message. If it is urgent, reach the recipient by other means, "
    "or send it again later.",
    "您的邮件本身没有问题。如果事情紧急，请通过其他方式联系收件人，或稍后重新发送。",
)
_TELL_US = Text(
    "Forward this report to your own mail administrators; they can mend it. Then send the message again.",
    "请将本报告转发给您的邮件管理员，由他们解决。之后请重新发送邮件。",
)
_TO_DESTINATION = {"on-premises": "on-premises", "partner": "partner"}


def entry(failure_class: FailureClass) -> Entry:
    """Return what the catalogue knows of a class."""
    return _entry_of(failure_class)


def explain(
    failure_class: FailureClass,
    lang: str,
    *,
    to: str = "",
    sub: str = "",
    server: str = "",
    connector: str = "",
) -> Advice:
    """Return explanation, causes and fixes in a language.

    `to` is that of the connector: "on-premises", "partner", or "" where there is none; with a partner the
    first advice is to contact them.
    """
    known = entry(failure_class)
    words = _Words(lang, server, connector)
    explanation = words.fill(known.explanation)
    if sub in known.subs:
        joint = "" if lang == "zh-CN" else " "
        explanation += joint + words.fill(known.subs[sub])
    return Advice(
        failure_class=str(failure_class),
        title=words.fill(known.title),
        explanation=explanation,
        causes=tuple(Cause(cause.id, words.fill(cause.text)) for cause in known.causes),
        fixes=_fixes(known, words, to),
        side=known.side,
    )


def sender_advice(failure_class: FailureClass, lang: str, *, sub: str = "", server: str = "") -> SenderAdvice:
    """Return what the sender of a message is told in a report."""
    known = entry(failure_class)
    advice = explain(failure_class, lang, sub=sub, server=server)
    own = [fix.text for fix in advice.fixes if fix.owner == "sender"]
    first = known.advice.say(lang)
    fixes = (first,) if known.side == "sender" else (first, *(text for text in own if text != first))
    return SenderAdvice(
        title=advice.title,
        sentence=advice.explanation,
        causes=tuple(cause.text for cause in advice.causes),
        fixes=fixes,
        owner=known.side,
    )


def owner_name(owner: str, lang: str) -> str:
    """Return what an owner is called."""
    return _OWNER_NAMES[owner].say(lang)


class _Words:
    """Fill placeholders with names, or with plain words where no name is known."""

    def __init__(self, lang: str, server: str, connector: str) -> None:
        self.lang = lang
        named = _NAMED_CONNECTOR.say(lang).replace("{name}", clean(connector, 100))
        self._values = {
            "server": clean(server, 255) or _SERVER.say(lang),
            "connector": named if connector else _CONNECTOR.say(lang),
        }

    def fill(self, text: Text) -> str:
        """Return a text in the language, without placeholders."""
        filled = _PLACEHOLDER.sub(lambda match: self._values[match[1]], text.say(self.lang))
        return _BLANK_IN_CHINESE.sub("", filled) if self.lang == "zh-CN" else filled


def _fixes(known: Entry, words: _Words, to: str) -> tuple[Fix, ...]:
    fixes: list[Fix] = []
    if to == "partner" and any(fix.owner != "sender" for fix in known.fixes):
        fixes.append(Fix("partner", owner_name("partner", words.lang), words.fill(_CONTACT_PARTNER)))
    for fix in known.fixes:
        if fix.only and fix.only != to:
            continue
        owner = _TO_DESTINATION.get(to, "recipient") if fix.owner == _DESTINATION else fix.owner
        fixes.append(Fix(owner, owner_name(owner, words.lang), words.fill(fix.text), fix.action))
    return tuple(fixes)


@cache
def _entry_of(failure_class: FailureClass) -> Entry:
    """Read one class alone: whoever explains one error need not wait for all of them."""
    key = str(failure_class)
    data = tomllib.loads(_sections()[key])[key]
    return _entry(failure_class, data)


@cache
def _sections() -> dict[str, str]:
    """Return the text of each class, its tables included, cut at the heads of the classes."""
    folder = Path(__file__).with_name("texts")
    text = "".join((folder / name).read_text("utf-8") for name in ("reaching.toml", "refusing.toml"))
    heads = [*_HEAD.finditer(text)]
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {head[1]: text[head.start() : end] for head, end in zip(heads, ends, strict=True)}


def _entry(failure_class: FailureClass, data: dict[str, Any]) -> Entry:
    side = data["side"]
    default = _TELL_US if side == "us" else _NOTHING_WRONG
    return Entry(
        failure_class=failure_class,
        side=side,
        title=Text(**data["title"]),
        explanation=Text(**data["explanation"]),
        advice=Text(**data["advice"]) if "advice" in data else default,
        causes=tuple(CauseText(row["id"], Text(row["en"], row["zh"])) for row in data["causes"]),
        fixes=tuple(
            FixText(row["owner"], Text(row["en"], row["zh"]), row.get("only", ""), row.get("action", ""))
            for row in data["fixes"]
        ),
        subs={key: Text(**value) for key, value in data.get("subs", {}).items()},
    )
