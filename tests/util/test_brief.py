"""Names and values from files are short in messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast._util.brief import LONGEST, brief, shortened

VALUES = st.recursive(
    st.text() | st.binary() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.text(), st.integers(40, 200))
def test_short_texts_stay_and_long_ones_keep_their_ends(text, longest):
    assert shortened(text, longest) == (text if len(text) <= longest else shortened(text, longest))
    long = text * (longest // max(1, len(text)) + 1) if text else ""
    short = shortened(long, longest)
    assert len(short) <= longest
    if len(long) > longest:
        assert short.startswith(long[:3])
        assert short.endswith(long[-2:])
        assert f"({len(long):,} characters)" in short


@given(VALUES)
def test_any_value_is_brief(value):
    assert len(brief(value)) <= 12 * LONGEST  # repr escapes characters
    if isinstance(value, str | int) and len(str(value)) < 40:
        assert brief(value) == repr(value)


@pytest.mark.parametrize(
    "value", ["x" * 10**7, b"x" * 10**7, ["x" * 10**7] * 100, {"x" * 10**7: 1}, 10**4000]
)
def test_long_values_are_brief(value):
    assert len(brief(value)) <= LONGEST + 2
