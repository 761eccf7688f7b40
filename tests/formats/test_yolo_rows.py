"""Numbers in label files."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ddfast.formats.yolo.rows import Rows

Found = list[tuple[int, int, list[float]]]

NUMBERS = [b"0", b"1.5", b"-2e3", b".5", b"x", b"nan", b"inf", b"1_0"]
PIECES = st.sampled_from([*NUMBERS, b" ", b"\t", b"\n", b"\r\n", b"\x0b", b"\xff", b"\x1c", b"\xef\xbb\xbf"])
TEXTS = st.lists(st.lists(PIECES, max_size=12).map(b"".join), min_size=1, max_size=4)


def expected(texts: list[bytes]) -> tuple[Found, set[tuple[int, int]]]:
    """Rows line by line, and the lines that are wrong."""
    rows: Found = []
    wrong = set()
    for file, text in enumerate(texts):
        for line, content in enumerate(text.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
            try:
                values = [float(token.replace(b"_", b"x")) for token in content.split()]
            except ValueError:
                values = [math.nan]
            if not all(map(math.isfinite, values)):
                wrong.add((file, line))
            elif values:
                rows.append((file, line, values))
    return rows, wrong


@given(TEXTS)
def test_rows_are_those_of_reading_line_by_line(texts: list[bytes]) -> None:
    wrong = []
    rows = Rows.parse(texts, lambda file, line, _: wrong.append((file, line)))
    found = [
        (file, line, rows.values[start:stop].tolist())
        for file, line, start, stop in zip(
            rows.files.tolist(), rows.lines.tolist(), rows.starts[:-1], rows.starts[1:], strict=True
        )
    ]
    right, bad = expected(texts)
    assert found == right
    assert set(wrong) == bad
    assert len(wrong) == len(bad)


def test_columns_and_blocks_of_rows() -> None:
    rows = Rows.parse([b"1 2 3\n4 5 6 7\n"], lambda *_: None)
    every = np.arange(2)
    assert rows.column(every, 0).tolist() == [1, 4]
    assert rows.column(every, -1).tolist() == [3, 7]
    assert rows.block(every, 1, 2).tolist() == [[2, 3], [5, 6]]
    assert rows.counts.tolist() == [3, 4]
