"""The languages of the gateway: English sentences are the keys, one compiled catalogue holds the Chinese.

Rule: the `.mo` file is made beforehand (`python -m gatepost.i18n.compile`); nothing is compiled at start.
"""

from collections.abc import Callable, Mapping
from functools import cache
from gettext import GNUTranslations
from pathlib import Path
from typing import Self

LANGUAGES = ("en", "zh-CN")
FOLDER = Path(__file__).parent

Translator = Callable[[str], str]


def tr(sentence: str) -> str:
    """Mark a sentence for translation where it is written; it is translated where it is shown."""
    return sentence


class Sentence(str):
    """A text in English that keeps what it was made of, so that it can be said in another language.

    Sentence(tr("connector {name} takes {pattern}"), name="to-office", pattern="contoso.example")
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Self:
        """Make the text."""
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template, made.values = template, values
        return made

    def say(self, translate: Translator) -> str:
        """Return it in a language; sentences in it too."""
        values = {name: said(value, translate) for name, value in self.values.items()}
        return translate(self.template).format(**values) if values else translate(self.template)


def said(value: object, translate: Translator) -> object:
    """Return a sentence in a language, anything else as it is."""
    return value.say(translate) if isinstance(value, Sentence) else value


def _same(sentence: str) -> str:
    return sentence


@cache
def translator(lang: str) -> Translator:
    """Return the function that says an English sentence in a language (`en`, `zh-CN`)."""
    if lang != "zh-CN":
        return _same
    with (FOLDER / "zh_CN.mo").open("rb") as file:
        return GNUTranslations(file).gettext


def pick(lang_setting: str, environ: Mapping[str, str]) -> str:
    """Return the language to use: the setting where there is one, else the locale of the environment."""
    for value in (lang_setting, *(environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))):
        if value:
            return nearest(value)
    return "en"


def nearest(tag: str) -> str:
    """Return the language of ours that is nearest to a tag: `zh_CN.UTF-8`, `zh-Hans`, `en_GB`."""
    return "zh-CN" if tag.lower().replace("_", "-").partition("-")[0].partition(".")[0] == "zh" else "en"


def accepted(header: str) -> str:
    """Return the language that a browser prefers, by its Accept-Language header (RFC 9110 section 12.5.4)."""
    best, best_weight = "en", 0.0
    for entry in header[:500].split(","):
        tag, _, weight_text = entry.strip().partition(";q=")
        language = tag.lower().partition("-")[0]
        try:
            weight = float(weight_text) if weight_text else 1.0
        except ValueError:
            continue
        if language in ("en", "zh") and weight > best_weight:
            best, best_weight = nearest(language), weight
    return best
