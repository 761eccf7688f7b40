"""Readers with verify="sample" never return bytes that differ from those that were written."""

import contextlib
import copy
import os
import pickle

import datadings.reader
import pytest
from datasets import (
    beside,
    damage,
    md5_of,
    offsets_of,
    overwrite,
    some_samples,
    write,
    write_checksums,
    write_legacy,
)

from ddfast import AsyncReader, MsgpackReader
from ddfast.errors import ChecksumsNotFoundError, CorruptSampleError, IndexFileError
from ddfast.reader import ShardedReader
from ddfast.testing import assert_same_sample

SMALL = some_samples(40)
LARGE = [{"key": f"large {i}", "image": bytes([i + 1]) * (40_000 + i), "label": i} for i in range(8)]
SAMPLES = SMALL + LARGE
BAD = 21
WRONG = r"sample [21]1.* \('sample 21 ß'\) is damaged: its \d+ bytes \(file position [\d,]+\) do not have the checksum"


@pytest.fixture
def path(tmp_path):
    return write_checksums(write(tmp_path / "x.msgpack", SAMPLES))


@pytest.fixture
def shards(tmp_path):
    """The same samples in three files."""
    parts = [SAMPLES[:10], SAMPLES[10:30], SAMPLES[30:]]
    return [write_checksums(write(tmp_path / f"{i}.msgpack", part)) for i, part in enumerate(parts)]


@pytest.fixture(params=["one file", "shards", "mixed shards"])
def reader(request, path, shards):
    readers = {
        "one file": lambda: MsgpackReader(path, verify="sample"),
        "shards": lambda: ShardedReader(shards, verify="sample"),
        "mixed shards": lambda: ShardedReader(
            [shards[0], MsgpackReader(shards[1], verify="sample", allow_pickle=True), shards[2]],
            verify="sample",
        ),
    }
    with readers[request.param]() as reader:
        yield reader


def flip(reader_or_path, shards, index=BAD, at=60):
    """Change a bit of a sample that no message shows, in whichever files there are."""
    for path, local in [(reader_or_path, index), (shards[1], index - 10)]:
        position = offsets_of(path)[local] + at
        overwrite(path, position, bytes([path.read_bytes()[position] ^ 1]))


WAYS = {
    "get": lambda reader: reader.get(BAD),
    "get raw": lambda reader: reader.get(BAD, raw=True),
    "negative index": lambda reader: reader.get(BAD - len(SAMPLES)),
    "next": lambda reader: [reader.next() for _ in range(BAD + 1)],
    "rawnext": lambda reader: [reader.rawnext() for _ in range(BAD + 1)],
    "iter": list,
    "rawiter": lambda reader: list(reader.rawiter()),
    "slice": lambda reader: list(reader.slice(BAD - 3, BAD + 3)),
    "one slice": lambda reader: list(reader.slice(BAD, BAD + 1)),
    "raw slice": lambda reader: list(reader.slice(BAD - 3, BAD + 3, raw=True)),
    "get_many": lambda reader: reader.get_many([0, BAD, BAD]),
    "get_many raw": lambda reader: reader.get_many([BAD], raw=True),
    "batches": lambda reader: list(reader.batches(7)),
    "shuffled": lambda reader: list(reader.batches(7, shuffle=True, seed=3)),
    "blocks": lambda reader: list(reader.batches(7, shuffle="block")),
    "no columns": lambda reader: list(reader.batches(7, columns=())),
    "raw batches": lambda reader: list(reader.batches(7, raw=True)),
    "one large batch": lambda reader: list(reader.batches(1000)),
}


@pytest.mark.parametrize("way", WAYS)
def test_sound_samples_are_read_as_ever(reader, way):
    WAYS[way](reader)
    for index, sample in enumerate(SAMPLES):
        assert_same_sample(reader.get(index), sample)
    for got, sample in zip(reader.slice(0), SAMPLES, strict=True):
        assert_same_sample(got, sample)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_flipped_bit_is_an_error_however_the_sample_is_read(path, shards, reader, way):
    reader.close()
    flip(path, shards)
    if isinstance(reader, ShardedReader):
        reader = ShardedReader(shards, verify="sample")
    with reader, pytest.raises(CorruptSampleError, match=WRONG) as caught:
        WAYS[way](reader)
    assert ".msgpack.xxh3. Restore the data file from a copy" in str(caught.value)


def test_without_the_option_nothing_is_noticed(path, shards):
    flip(path, shards)
    with MsgpackReader(path) as reader:
        assert len(list(reader)) == len(SAMPLES)


@pytest.mark.parametrize("index", [0, BAD, 40, 47])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
@pytest.mark.parametrize("bit", [1, 128])
def test_no_bit_of_a_sample_can_change(path, index, share, bit):
    """Small and large ones, which take other paths."""
    start, stop = offsets_of(path)[index : index + 2]
    with MsgpackReader(path, verify="sample") as reader:
        for i in range(len(SAMPLES)):
            reader.get(i)  # those to come are taken for samples like these
        at = start + int(share * (stop - start))
        overwrite(path, at, bytes([path.read_bytes()[at] ^ bit]))
        for read in (reader.get, lambda i: reader.get(i, raw=True), lambda i: reader.get_many([i])):
            with pytest.raises(CorruptSampleError, match="do not have the checksum"):
                read(index)
        assert sum(map(_is_sound, [reader] * len(SAMPLES), range(len(SAMPLES)))) == len(SAMPLES) - 1


def _is_sound(reader, index):
    with contextlib.suppress(CorruptSampleError):
        assert_same_sample(reader.get(index), SAMPLES[index])
        return True
    return False


@pytest.mark.parametrize("shuffle", [False, True, "block"])
@pytest.mark.parametrize("world_size", [1, 3])
def test_damage_costs_its_batch_alone(path, shards, shuffle, world_size):
    flip(path, shards)
    seen, failed = [], 0
    with MsgpackReader(path, verify="sample") as reader:
        for rank in range(world_size):
            batches = reader.batches(4, shuffle=shuffle, seed=1, rank=rank, world_size=world_size)
            for _ in range(len(batches)):
                try:
                    seen += next(batches).indices.tolist()
                except CorruptSampleError:
                    failed += 1
    assert failed == 1
    assert len(SAMPLES) - 4 <= len(seen) < len(SAMPLES)
    assert BAD not in seen


def test_samples_before_a_damaged_one_are_given(path, shards):
    flip(path, shards)
    with MsgpackReader(path, verify="sample") as reader:
        for raw in (False, True):
            got = []
            with pytest.raises(CorruptSampleError):
                got.extend(reader.slice(0, None, raw=raw))
            iterator, count = reader.slice(0, None, raw=raw), 0
            with contextlib.suppress(CorruptSampleError):
                for _ in iterator:
                    count += 1
            assert count == BAD


def test_async_readers_verify(arun, path, shards):
    flip(path, shards)

    async def main(source):
        async with AsyncReader(source, verify="sample") as reader:
            assert (await reader.get(BAD - 1))["label"] == BAD - 1
            with pytest.raises(CorruptSampleError, match="do not have the checksum"):
                await reader.get(BAD)
            with pytest.raises(CorruptSampleError, match="do not have the checksum"):
                await reader.get_many([BAD, 1])
            failed = 0
            stream = reader.batches(5, shuffle=True, seed=2)
            for _ in range(len(stream)):
                try:
                    await anext(stream)
                except CorruptSampleError:
                    failed += 1
            assert failed == 1
            with pytest.raises(CorruptSampleError, match="do not have the checksum"):
                [sample async for sample in reader.samples()]

    arun(main(path))
    arun(main(shards))


@pytest.mark.parametrize("again", [copy.copy, lambda reader: pickle.loads(pickle.dumps(reader))])
def test_copies_and_pickles_verify(path, shards, reader, again):
    other = again(reader)
    reader.close()
    flip(path, shards)
    other.close()
    if isinstance(other, ShardedReader):
        return  # a changed shard is refused before its samples are looked at
    with other, pytest.raises(CorruptSampleError, match="do not have the checksum"):
        other.get(BAD)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_verifies(path, shards):
    flip(path, shards)
    with MsgpackReader(path, verify="sample") as reader:
        reader.get_many([0])
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(BaseException):
                for read in (reader.get, lambda i: reader.get_many([i])):
                    with pytest.raises(CorruptSampleError):
                        read(BAD)
                code = 0
            os._exit(code)
        assert os.waitpid(child, 0)[1] == 0


def test_a_dataset_with_an_index_of_old_can_have_checksums(tmp_path):
    path = write_checksums(write(tmp_path / "x.msgpack", SMALL))
    write_legacy(path, SMALL)
    for reader in (MsgpackReader(path, verify="sample"), ShardedReader([path], verify="sample")):
        with reader:
            assert len(list(reader)) == len(SMALL)
    position = (tmp_path / "x.msgpack").read_bytes().index(b"sample 21")
    overwrite(path, position, b"S")
    for reader in (MsgpackReader(path, verify="sample"), ShardedReader([path], verify="sample")):
        with reader, pytest.raises(CorruptSampleError, match="do not have the checksum"):
            reader.get(BAD)


# -- the file of checksums


def openings(path):
    return {
        "one": lambda: MsgpackReader(path, verify="sample"),
        "shards": lambda: ShardedReader([path], verify="sample"),
    }


@pytest.mark.parametrize("kind", ["one", "shards"])
def test_missing_checksums_name_the_way_out(path, kind):
    beside(path, ".xxh3").unlink()
    with pytest.raises(
        ChecksumsNotFoundError, match=r"x\.msgpack\.xxh3 not found.*`ddfast index --checksums`"
    ) as caught:
        openings(path)[kind]()
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("kind", ["one", "shards"])
@pytest.mark.parametrize("size", [0, 7, 8 * 47, 8 * 49])
def test_checksums_of_another_length_are_refused(path, kind, size):
    beside(path, ".xxh3").write_bytes(bytes(size))
    with pytest.raises(
        IndexFileError, match=rf"x\.msgpack\.xxh3 \({size} bytes\) is damaged: 48 samples have 384 bytes"
    ):
        openings(path)[kind]()


def test_checksums_that_go_after_the_shards_were_listed_are_told(path):
    with ShardedReader([path], verify="sample") as reader:
        beside(path, ".xxh3").unlink()
        with pytest.raises(ChecksumsNotFoundError, match="while reading sample 0, 0 of all shards"):
            reader.get(0)


def test_other_ways_to_verify_are_refused(path):
    for opening in (MsgpackReader, AsyncReader, ShardedReader):
        with pytest.raises(ValueError, match="verify is 'md5', not 'sample' or None"):
            opening(path, verify="md5")


def test_empty_datasets_can_be_verified(tmp_path):
    path = write_checksums(write(tmp_path / "x.msgpack", []))
    for opening in openings(path).values():
        with opening() as reader:
            assert list(reader) == list(reader.batches(3)) == []


def test_datadings_ignores_the_checksums(path):
    before = md5_of(beside(path, ".md5"))
    with datadings.reader.MsgpackReader(path) as reader:
        assert [sample["key"] for sample in reader] == [sample["key"] for sample in SAMPLES]
        assert reader.verify_data()
    with MsgpackReader(path) as reader:
        assert reader.verify_data()
        assert reader.verify_index()
    assert md5_of(beside(path, ".md5")) == before


def test_a_pattern_leaves_checksums_out(path):
    with ShardedReader(f"{path.parent}/x*", verify="sample") as reader:
        assert len(reader) == len(SAMPLES)


def test_damage_that_is_no_message_is_told_as_well(path):
    damage(path, 3)
    with MsgpackReader(path, verify="sample") as reader, pytest.raises(CorruptSampleError, match="sample 3 "):
        reader.get(3)


def test_checksums_that_the_md5_file_lists_are_held_against_it(path):
    sums = beside(path, ".xxh3")
    with beside(path, ".md5").open("a") as md5:
        md5.write(f"{md5_of(sums)}  {sums.name}\n")
    with MsgpackReader(path) as reader:
        assert reader.verify_index()
        sums.unlink()
        assert not reader.verify_index()
