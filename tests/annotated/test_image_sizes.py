"""Lists of the sizes of images."""

from __future__ import annotations

import pytest

from ddfast.annotated.image_sizes import read_sizes, sizes_text
from ddfast.annotated.report import Report
from ddfast.errors import FormatError

SIZES = {"plain": (60, 80), "with space": (1, 2), "it's": (3, 4), "日本語/ü": (5, 6), "#a": (7, 8)}


def test_sizes_are_read_as_they_were_written() -> None:
    assert read_sizes(sizes_text(SIZES.items()), "images.meta", Report()) == SIZES


def test_comments_quotes_and_further_fields_are_read_as_in_a_shell() -> None:
    text = "# name height width\n\n\"a b\" 60 80 more # of it\n'c' 1 2\n"
    assert read_sizes(text, "images.meta", Report()) == {"a b": (60, 80), "c": (1, 2)}


@pytest.mark.parametrize("line", ["a", "a 5", "a x 5", "a 0 5", "a 5 -5", "'a 5 5", "a 5 99999999999"])
def test_lines_that_make_no_sense_name_file_and_line(line: str) -> None:
    with pytest.raises(FormatError, match=r"images\.meta, line 2: .* is not a name, a height and a width"):
        read_sizes(f"b 1 2\n{line}\n", "images.meta", Report())
    assert read_sizes(f"b 1 2\n{line}\n", "images.meta", Report("skip")) == {"b": (1, 2)}
