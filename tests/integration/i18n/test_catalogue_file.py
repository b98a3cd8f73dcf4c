"""The Chinese catalogue on disk: complete, current, and used (B10)."""

from gatepost.i18n import FOLDER, translator
from gatepost.i18n.compile import catalogue, mo_bytes, placeholders, sentences

ENTRIES = catalogue()


def test_an_unknown_sentence_stays_english():
    assert translator("zh-CN")("No such sentence.") == "No such sentence."


def test_a_known_sentence_is_said_in_chinese():
    """B10."""
    sentence = "Your message could not be delivered."
    assert translator("zh-CN")(sentence) == ENTRIES[sentence] != sentence


def test_the_compiled_catalogue_is_current():
    """Run `python -m gatepost.i18n.compile` where this fails."""
    assert (FOLDER / "zh_CN.mo").read_bytes() == mo_bytes(ENTRIES)


def test_every_sentence_of_the_sources_is_translated():
    """B10: `python -m gatepost.i18n.compile` prints what is missing, ready to paste."""
    missing = {s: where for s, where in sentences(FOLDER.parent).items() if not ENTRIES.get(s)}
    assert missing == {}


def test_translations_keep_the_placeholders():
    wrong = [k for k, v in ENTRIES.items() if k and v and placeholders(k) != placeholders(v)]
    assert wrong == []


def test_no_translation_is_left_of_a_sentence_that_nobody_says_any_more():
    said = sentences(FOLDER.parent)
    stale = [key for key in ENTRIES if key and key not in said]
    assert stale == []
