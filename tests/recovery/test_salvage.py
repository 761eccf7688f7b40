"""Salvage finds the intact samples of a damaged dataset, and reads no more than it needs."""

import os

import pytest
from datasets import beside, damage, keys_of, offsets_of, write

from ddfast.recovery import LostSamples, Salvage, salvage

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

    monkeypatch.setattr(salvage.os, "pread", pread)
    return sizes


@pytest.mark.parametrize(
    "word", [b"\x81\xa3key", b"\x81\xa1kkey", b"\x81\xc0key", b"\xdf\x00\x04\x00\x00key"]
)
def test_file_of_nothing_but_beginnings_is_searched_without_reading_it_again(path, monkeypatch, word):
    path.write_bytes(word * 4000)
    monkeypatch.setattr(salvage, "WINDOW", 1 << 14)
    sizes = count_reads(monkeypatch)
    assert not list(Salvage(path).chunks())
    assert sum(sizes) < 5 * path.stat().st_size


def test_size_that_garbage_claims_is_not_read(path, monkeypatch):
    claim = b"\x81\xa1x\xc6\x00\x01\x00\x00"  # 65,536 bytes, which the file has
    write(path, SAMPLES)
    path.write_bytes(path.read_bytes() + b"\xc1" + claim * 20_000 + b"key")
    for suffix in (".offsets", ".keys"):
        beside(path, suffix).unlink()
    monkeypatch.setattr(salvage, "WINDOW", 1 << 14)
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
