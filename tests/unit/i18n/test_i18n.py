"""The languages: what is picked, and that what is written is what is read (B10)."""

import gettext
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.i18n import Sentence, accepted, pick, said, translator
from gatepost.i18n.compile import (
    BadCatalogue,
    mo_bytes,
    parse_po,
    quoted,
    sentences_of_source,
    sentences_of_template,
)


def test_the_setting_wins_over_the_environment():
    """B10."""
    assert pick("zh-CN", {"LANG": "en_US.UTF-8"}) == "zh-CN"
    assert pick("en", {"LANG": "zh_CN.UTF-8"}) == "en"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LC_ALL": "en_GB", "LANG": "zh_CN"}, "en"),
        ({"LC_ALL": "", "LANG": "zh"}, "zh-CN"),
        ({}, "en"),
    ],
)
def test_the_locale_is_asked_in_its_usual_order(environ, expected):
    assert pick("", environ) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-US,en;q=0.9,zh;q=0.5", "en"),
        ("de, zh;q=0.4", "zh-CN"),
        ("", "en"),
        ("zh;q=nonsense", "en"),
    ],
)
def test_a_browser_gets_the_language_that_it_prefers(header, expected):
    assert accepted(header) == expected


def test_english_is_its_own_translation():
    assert translator("en")("Any sentence at all.") == "Any sentence at all."


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1),
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1),
        max_size=20,
    )
)
def test_what_is_compiled_is_what_gettext_reads(entries):
    header = {"": "Content-Type: text/plain; charset=UTF-8\n"}
    read = gettext.GNUTranslations(io.BytesIO(mo_bytes(entries | header)))
    assert {k: read.gettext(k) for k in entries} == entries


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Z"]), min_size=1))
def test_a_quoted_string_is_read_back_as_it_was(text):
    assert parse_po(f"msgid {quoted(text)}\nmsgstr {quoted(text)}\n") == {text: text}


def test_a_wrong_line_is_named():
    with pytest.raises(BadCatalogue, match="line 2"):
        parse_po('msgid "a"\nnonsense\n')


def test_a_sentence_translated_twice_is_named():
    with pytest.raises(BadCatalogue, match="twice"):
        parse_po('msgid "a"\nmsgstr "b"\n\nmsgid "a"\nmsgstr "c"\n')


def test_sentences_are_found_in_python_and_in_templates():
    assert sorted(sentences_of_source('print(tr("One {n}.").format(n=1), self._("Two."))')) == [
        (1, "One {n}."),
        (1, "Two."),
    ]
    assert list(sentences_of_template("<p>\n{{ _('Three.') }} {{ _(\"Four.\") }}")) == [
        (2, "Three."),
        (2, "Four."),
    ]


def test_a_sentence_is_english_and_can_be_said_in_another_language_with_the_sentences_in_it():
    zh = translator("zh-CN")
    inner = Sentence("connector {name} takes {pattern}", name="to-office", pattern="contoso.example")
    outer = Sentence("{why}, and {name} stands in for it", why=inner, name="spare")
    assert outer == "connector to-office takes contoso.example, and spare stands in for it"
    assert outer.say(zh) == "连接器 to-office 接收 contoso.example，现由 spare 代替"
    assert said("as it is", zh) == "as it is"
    assert Sentence("a {brace} that nobody fills") == "a {brace} that nobody fills"
