"""Journals with unusual content."""

import contextlib
import os
import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from ddfast import FileWriter
from ddfast.errors import DdfastError
from ddfast.format import lock
from ddfast.format.files import SUFFIXES, journal_path
from ddfast.format.journal import HEADER_BYTES, MAGIC, parse
from ddfast.recovery import discard_unfinished, find_unfinished, finish_unfinished

HEADER = MAGIC.ljust(HEADER_BYTES - 1) + b"\n"
MOST = (1 << 64) - 1


def framed(payload):
    return struct.pack(">QQ", len(payload), xxh3_64_intdigest(payload)) + payload


def journal(*records):
    return HEADER + b"".join(framed(msgpack.packb(record)) for record in records)


scalars = (
    st.none() | st.booleans() | st.integers(-(1 << 63), MOST) | st.text(max_size=9) | st.binary(max_size=24)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner)
)
sizes = st.lists(st.sampled_from([0, 1, 7, 100, 1 << 40, 1 << 63, MOST]), max_size=4)
samples = sizes.map(
    lambda found: [
        "samples",
        [str(i) for i in range(len(found))],
        struct.pack(f">{len(found)}Q", *found),
        bytes(8 * len(found)),
    ]
)
kinds = st.sampled_from(["samples", "kept", "complete", "named", "other"])
suffixes = st.lists(st.sampled_from(SUFFIXES), max_size=3)
complete = st.tuples(
    st.just("complete"), suffixes, st.booleans(), st.booleans(), st.sampled_from(["x", "../x", "/x", "x\0"])
)
records = (
    samples
    | st.builds(lambda kind, rest: [kind, *rest], kinds, st.lists(values, max_size=4))
    | values
    | complete
)


@given(content=st.lists(records, max_size=5), draft=st.binary(max_size=50))
def test_any_journal_is_read_or_refused(tmp_path_factory, content, draft):
    path = tmp_path_factory.mktemp("journal") / "x"
    journal_path(path).write_bytes(journal(*content))
    path.with_name(".x.draft").write_bytes(draft)
    found = find_unfinished(path)
    assert found is not None
    assert sum(len(chunk.keys) for chunk in found.chunks()) <= 50
    for work in (finish_unfinished, discard_unfinished):
        with contextlib.suppress(DdfastError, OSError):
            work(path)


@pytest.mark.parametrize(
    "record",
    [
        ["kept"],
        ["kept", "a"],
        ["kept", -1],
        ["kept", 1 << 63],
        [],
        7,
        None,
        {"samples": 1},
        ["complete"],
        ["samples"],
        ["named", 1],
    ],
)
def test_record_that_no_writer_writes_ends_the_journal(record):
    good = ["samples", ["a"], bytes(8), bytes(8)]
    state = parse(journal(good, record, good))
    assert state.keys == ["a"]
    assert state.damaged
    assert state.end == len(journal(good))


def test_failing_lock_names_the_file(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with pytest.raises(OSError, match=r"Input/output error: cannot lock it.*/\.x\.journal"):
        FileWriter(tmp_path / "x", disable=True)
