"""TOML as it is written: the standard library reads it back."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from gatepost.config.toml import toml_line

text = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=60).filter(
    lambda t: "\r" not in t
)
value = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    text,
    st.lists(text, max_size=8),
    st.dictionaries(text, text, max_size=4),
)


@given(value)
def test_what_is_written_is_read_back(wanted):
    assert tomllib.loads(toml_line("key", wanted)) == {"key": wanted}
