"""Salvage finds the intact samples of a damaged dataset, and reads no more than it needs."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from datasets import beside, damage, keys_of, offsets_of, write
from hypothesis import given
from hypothesis import strategies as st

from ddfast import FileWriter
from ddfast.format.files import SUFFIX_LEGACY_INDEX, SUFFIX_META, SUFFIX_TABLE, SUFFIXES
from ddfast.index import load_offsets, write_offsets
from ddfast.recovery import LostSamples, Salvage, salvage, search
from ddfast.tools.msgpack import packb

SAMPLES = [{"key": f"k{i}", "x": b"\xff" * (i % 7 * 300), "meta": {"key": "inner"}} for i in range(100)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x"


@pytest.mark.parametrize("suffixes", [(), (".offsets", ".keys", ".xxh3")])
def test_intact_samples_are_found_around_damage(path, suffixes):
    write(path, SAMPLES, "ddfast")
    start, stop = offsets_of(path)[40:42]
    damage(path, 40, data=b"\xc1")
    for suffix in suffixes:
        beside(path, suffix).unlink()
    found = Salvage(path)
    chunks = list(found.chunks())
    assert [key for chunk in chunks for key in chunk.keys] == [
        key for key in keys_of(SAMPLES) if key != "k40"
    ]
    assert [(lost.start, lost.stop) for lost in found.lost] == [(start, stop)]
    assert sum(int(chunk.sizes.sum()) for chunk in chunks) == path.stat().st_size - (stop - start)


def test_lost_samples_have_names_for_people_and_fields_for_programs():
    lost = LostSamples(10, 2000, "why", 3, "k3")
    assert str(lost) == "sample 3 ('k3'): bytes 10 to 2,000: why"
    assert lost.to_dict() == {"start": 10, "stop": 2000, "reason": "why", "index": 3, "key": "k3"}


def count_reads(monkeypatch):
    """How many bytes are read, as a list of sizes."""
    real, sizes = os.pread, []

    def pread(file, size, start):
        sizes.append(size)
        return real(file, size, start)

    monkeypatch.setattr(search.os, "pread", pread)
    return sizes


@pytest.mark.parametrize(
    "word", [b"\x81\xa3key", b"\x81\xa1kkey", b"\x81\xc0key", b"\xdf\x00\x04\x00\x00key"]
)
def test_file_of_nothing_but_beginnings_is_searched_without_reading_it_again(path, monkeypatch, word):
    path.write_bytes(word * 4000)
    monkeypatch.setattr(search, "WINDOW", 1 << 14)
    sizes = count_reads(monkeypatch)
    assert not list(Salvage(path).chunks())
    assert sum(sizes) < 5 * path.stat().st_size


def test_size_that_garbage_claims_is_not_read(path, monkeypatch):
    claim = b"\x81\xa1x\xc6\x00\x01\x00\x00"  # 65,536 bytes, which the file has
    write(path, SAMPLES)
    path.write_bytes(path.read_bytes() + b"\xc1" + claim * 20_000 + b"key")
    for suffix in (".offsets", ".keys"):
        beside(path, suffix).unlink()
    monkeypatch.setattr(search, "WINDOW", 1 << 14)
    sizes = count_reads(monkeypatch)
    chunks = list(Salvage(path).chunks())
    assert sum(len(chunk.keys) for chunk in chunks) == len(SAMPLES)
    assert max(sizes) <= 1 << 16


def test_samples_that_are_all_damaged_are_not_looked_at_again_and_again(path, monkeypatch):
    write(path, [{"key": str(i)} for i in range(5000)])
    path.write_bytes(b"\xc1" * path.stat().st_size)
    real, spans = salvage.scan_spans, []
    monkeypatch.setattr(
        salvage, "scan_spans", lambda data, bounds: spans.append(len(bounds)) or real(data, bounds)
    )
    found = Salvage(path)
    assert not list(found.chunks())
    assert len(found.lost) == len(spans) == 5000
    assert max(spans) <= salvage.AT_ONCE + 1


# -- damaged index files of an intact data file


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return write(tmp_path_factory.mktemp("sound") / "x", SAMPLES, "ddfast")


def saved_samples(path):
    """Keys and bytes of all samples that are found, and what is lost."""
    found = Salvage(path)
    samples = {}
    for chunk in found.chunks():
        data, at = b"".join(map(bytes, chunk.buffers)), 0
        for key, size in zip(chunk.keys, chunk.sizes.tolist(), strict=True):
            samples[key] = data[at : at + size]
            at += size
    return samples, found.lost


def copied(path, folder):
    for file in path.parent.iterdir():
        shutil.copy(file, folder)
    return Path(folder) / path.name


@pytest.mark.parametrize("suffix", sorted({*SUFFIXES} - {SUFFIX_LEGACY_INDEX, SUFFIX_META, SUFFIX_TABLE}))
@given(position=st.integers(0, 1 << 20), bit=st.integers(0, 7))
def test_no_sample_is_lost_because_of_one_flipped_bit_in_an_index_file(sound, suffix, position, bit):
    expected, _ = saved_samples(sound)
    assert list(expected) == keys_of(SAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        path = copied(sound, folder)
        content = bytearray(beside(path, suffix).read_bytes())
        content[position % len(content)] ^= 1 << bit
        beside(path, suffix).write_bytes(content)
        assert saved_samples(path) == (expected, [])


@given(
    flips=st.lists(st.tuples(st.integers(0, 808 * 8 - 1)), min_size=1, max_size=20),
    gone=st.sampled_from(["", ".xxh3", ".keys"]),
)
def test_no_sample_is_lost_because_of_many_flipped_bits_in_the_offsets(sound, flips, gone):
    with tempfile.TemporaryDirectory() as folder:
        path = copied(sound, folder)
        content = bytearray(beside(path, ".offsets").read_bytes())
        for (flip,) in flips:
            content[flip // 8] ^= 1 << flip % 8
        beside(path, ".offsets").write_bytes(content)
        if gone:
            beside(path, gone).unlink()
        found, lost = saved_samples(path)
        assert list(found) == keys_of(SAMPLES)
        assert lost == []


def test_damaged_sample_is_lost_though_the_checksums_are_damaged_too(sound, tmp_path):
    path = copied(sound, tmp_path)
    damage(path, 40)
    sums = bytearray(beside(path, ".xxh3").read_bytes())
    sums[8 * 70] ^= 1
    beside(path, ".xxh3").write_bytes(sums)
    found, lost = saved_samples(path)
    assert [each.index for each in lost] == [40, 70]
    assert len(found) == len(SAMPLES) - 2


# -- files that are made to take long


def crafted(kind, size):
    """A file of about this size whose search took time in proportion to the square of it."""
    if kind == "maps":
        return b"\xc1" + b"\xc4\x05\xdf\x7f\xff\xff\xff" * (size // 7) + b"\xa3key"
    if kind == "samples and others":
        return (b"\x81\xa3key\xa1a" + b"\x81\x01\x01" * 9) * (size // 34)
    if kind == "arrays":
        return b"\xc1" + b"\x81\xa3key\xdd\x00\x0f\xff\xff" * (size // 10)
    return (b"\x81\xa3key\xa1a" + b"\x81\xa3key\xc6\x00" + size.to_bytes(3, "big")) * (size // 17)


@pytest.mark.parametrize("kind", ["maps", "samples and others", "arrays", "claims"])
def test_search_examines_bytes_in_proportion_to_the_size_of_the_file(path, monkeypatch, kind):
    examined = []
    real = search.scan_run

    def scan_run(data, most=0):
        try:
            stops, keys, faults = real(data, most)
        except search.KernelError as error:
            examined.append(error.pos)
            raise
        examined.append(int(stops[-1]))
        return stops, keys, faults

    monkeypatch.setattr(search, "scan_run", scan_run)
    monkeypatch.setattr(search, "LARGEST_GUESS", 1 << 16)
    monkeypatch.setattr(search, "WORK", 16)
    path.write_bytes(crafted(kind, 60_000))
    list(Salvage(path).chunks())
    assert sum(examined) < 25 * path.stat().st_size


def test_wrong_offset_at_bytes_that_are_a_message_costs_no_sample(tmp_path):
    with FileWriter(tmp_path / "x", disable=True) as writer:
        for number in range(300):
            writer.write({"key": str(number)})
    offsets = load_offsets(tmp_path / "x").copy()
    offsets[226] += 8  # the last digit of the key, a message by itself
    write_offsets(offsets.tolist(), tmp_path / "x")
    found = Salvage(tmp_path / "x")
    samples = [bytes(packed) for chunk in found.chunks() for packed in chunk.buffers]
    assert samples == [packb({"key": str(number)}) for number in range(300)]
    assert found.lost == []
