"""ShardedReader passes the conformance tests, and returns the same samples as that of datadings."""

import copy
import itertools
import os
import pickle
import shutil
import time

import datadings.reader
import datadings.reader.sharded
import msgpack
import numpy as np
import pytest
from compare import assert_same
from datasets import beside, descriptors, keys_of, overwrite, some_samples, write, write_legacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddfast.errors import DatasetNotFoundError, IndexFileError, PickleRefusedError
from ddfast.reader import MsgpackReader, Reader, ShardedReader
from ddfast.testing import ReaderTests
from ddfast.testing.equality import assert_same_sample

MANY = some_samples(20)
SAMPLES = MANY[:10]


def cut(samples, *sizes):
    """The samples in parts of these sizes, and the rest."""
    ends = [0, *np.cumsum(sizes).tolist(), len(samples)]
    return [samples[a:b] for a, b in itertools.pairwise(ends)]


def write_shards(folder, parts, writer="ddfast"):
    """Write each part as a shard. Returns the pattern that matches them."""
    folder.mkdir(exist_ok=True)
    for number, part in enumerate(parts):
        write(folder / f"{number:03}.msgpack", part, writer)
    return str(folder / "*.msgpack")


class Listed(Reader):
    """Samples of a list: a reader of another kind."""

    def __init__(self, samples):
        super().__init__()
        self._samples = samples
        self.left = 0

    def __len__(self):
        return len(self._samples)

    def __contains__(self, key):
        return key in keys_of(self._samples)

    def __exit__(self, *exc):
        self.left += 1

    def find_key(self, index):
        return self._samples[index]["key"]

    def find_index(self, key):
        return keys_of(self._samples).index(key)

    def get(self, index, yield_key=False, raw=False, copy=True):
        from ddfast.tools.msgpack import packb

        sample = packb(self._samples[index]) if raw else self._samples[index]
        return (self.find_key(index), sample) if yield_key else sample

    def slice(self, start, stop=None, yield_key=False, raw=False, copy=True):
        start, stop, _ = slice(start, stop).indices(len(self))
        return (self.get(i, yield_key, raw, copy) for i in range(start, stop))


class Base(ReaderTests):
    @pytest.fixture
    def samples(self):
        return SAMPLES


class TestShardsOfAPattern(Base):
    @pytest.fixture(params=[(), (4,), (0, 3, 0, 1, 1, 2, 0)], ids=str)
    def reader(self, request, tmp_path):
        with ShardedReader(write_shards(tmp_path, cut(SAMPLES, *request.param))) as reader:
            yield reader


class TestListedShards(Base):
    @pytest.fixture
    def reader(self, tmp_path):
        a, b, c = cut(SAMPLES, 3, 4)
        shards = [
            str(write(tmp_path / "b.msgpack", a)),
            MsgpackReader(write(tmp_path / "a.msgpack", b)),
            write_legacy(tmp_path / "c.msgpack", c),
        ]
        with ShardedReader(iter(shards)) as reader:
            yield reader


class TestMixedReaders(Base):
    @pytest.fixture
    def reader(self, tmp_path):
        a, b, c, d = cut(SAMPLES, 3, 3, 2)
        nested = ShardedReader([write(tmp_path / "c.msgpack", c)])
        with ShardedReader([write(tmp_path / "a.msgpack", a), Listed(b), nested, Listed([]), Listed(d)]) as r:
            yield r


def both(pattern):
    return ShardedReader(pattern), datadings.reader.sharded.ShardedReader(pattern)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 4), max_size=5), data=st.data())
def test_shards_give_what_datadings_gives(tmp_path, sizes, data):
    shutil.rmtree(tmp_path / "shards", ignore_errors=True)
    parts = cut(MANY[: sum(sizes)], *sizes[:-1]) if sizes else [[]]
    ours, theirs = both(write_shards(tmp_path / "shards", parts, "datadings"))
    n = len(theirs)
    assert len(ours) == n == sum(sizes)
    start = data.draw(st.integers(0, max(0, n - 1)))
    stop = data.draw(st.integers(start, n))
    for yield_key in (False, True):
        for raw in (False, True):
            assert_same(
                [ours.get(i, yield_key, raw) for i in range(n)],
                [theirs.get(i, yield_key, raw) for i in range(n)],
            )
            if stop > start:
                expected = [theirs.get(i, yield_key, raw) for i in range(start, stop)]
                if 0 not in sizes:  # over which datadings' iterators fall
                    assert_same(list(theirs.iter(start, stop, yield_key, raw)), expected)
                assert_same(list(ours.iter(start, stop, yield_key, raw)), expected)
                assert_same(list(ours.slice(start, stop, yield_key, raw)), expected)
    assert list(ours.keys()) == [theirs.find_key(i) for i in range(n)]
    assert [ours.find_index(key) for key in keys_of(MANY[:n])] == list(range(n))
    assert all((key in ours) == (key in theirs) for key in [*keys_of(MANY), "no key"])
    ours.close()


@pytest.mark.parametrize("mixed", [False, True])
def test_batches_are_those_of_the_shards_in_one_file(tmp_path, mixed):
    samples = some_samples(200)
    a, b, *rest = cut(samples, 50, 1, 0, 90)
    pattern = write_shards(tmp_path / "shards", [a, b, *rest])
    one = MsgpackReader(write(tmp_path / "one.msgpack", samples))
    paths = sorted((tmp_path / "shards").glob("*.msgpack"))
    shards = ShardedReader([paths[0], Listed(b), *paths[2:]] if mixed else pattern)
    for arguments in (
        {},
        {"shuffle": True, "seed": 3, "epoch": 2},
        {"shuffle": True, "rank": 1, "world_size": 3, "start": 17},
        {"shuffle": "block", "raw": True},
        {"indices": [199, 0, 50, 51, -1, 50]},
        {"raw": True, "drop_last": True},
    ):
        if mixed and arguments.get("shuffle") == "block":
            continue  # readers of other kinds do not know the size of their samples
        ours, expected = shards.batches(7, **arguments), one.batches(7, **arguments)
        assert len(ours) == len(expected)
        for batch, other in zip(ours, expected, strict=True):
            assert batch.indices.tolist() == other.indices.tolist()
            assert [bytes(batch.raw(i)) for i in range(len(batch))] == [
                bytes(other.raw(i)) for i in range(len(other))
            ]
            assert batch.keys == other.keys
            assert batch.columns == other.columns
    shards.close()
    one.close()


def test_the_first_of_samples_with_equal_keys_is_found(tmp_path):
    pattern = write_shards(tmp_path, [SAMPLES[:5], SAMPLES[3:8], SAMPLES])
    ours, theirs = both(pattern)
    keys = keys_of(SAMPLES)
    assert [ours.find_index(key) for key in keys] == [theirs.find_index(key) for key in keys]
    assert [ours.find_index(key) for key in keys] == [0, 1, 2, 3, 4, 7, 8, 9, 18, 19]
    assert "no key" not in ours


def test_different_keys_of_one_hash_are_told_apart(tmp_path):
    pattern = write_shards(tmp_path, cut(SAMPLES, 4, 3))
    first, second = tmp_path / "000.msgpack.key_hashes", tmp_path / "001.msgpack.key_hashes"
    overwrite(second, 16, first.read_bytes()[24:32])  # sample 5 gets the hash of sample 2
    reader = ShardedReader(pattern)
    keys = keys_of(SAMPLES)
    assert reader.find_index(keys[2]) == 2
    reader = ShardedReader(sorted(tmp_path.glob("*.msgpack"), reverse=True))
    order = [*SAMPLES[7:], *SAMPLES[4:7], *SAMPLES[:4]]
    assert keys_of(order) == list(reader.keys())
    assert [reader.find_index(key) for key in keys_of(order) if key != keys[5]] == [0, 1, 2, 3, 5, 6, 7, 8, 9]


@pytest.mark.parametrize("damage", ["no hashes", "another salt", "legacy"])
def test_keys_are_found_without_common_hashes(tmp_path, damage):
    pattern = write_shards(tmp_path, cut(SAMPLES, 4, 3))
    path = tmp_path / "001.msgpack"
    if damage == "no hashes":
        beside(path, ".key_hashes").unlink()
    elif damage == "legacy":
        write_legacy(path, SAMPLES[4:7])
    else:
        from ddfast.tools import hash_string

        hashes = [hash_string(key, b"saltsalt") for key in keys_of(SAMPLES[4:7])]
        beside(path, ".key_hashes").write_bytes(b"saltsalt" + np.array(hashes, ">u8").tobytes())
    with ShardedReader(pattern) as reader:
        assert [reader.find_index(key) for key in keys_of(SAMPLES)] == list(range(10))
        assert "no key" not in reader


def test_key_hashes_of_another_length_are_refused(tmp_path):
    pattern = write_shards(tmp_path, cut(SAMPLES, 4, 3))
    beside(tmp_path / "001.msgpack", ".key_hashes").write_bytes(
        beside(tmp_path / "000.msgpack", ".key_hashes").read_bytes()
    )
    with (
        ShardedReader(pattern) as reader,
        pytest.raises(IndexFileError, match=r"001.msgpack.key_hashes has 4 hashes for 3 .*write_key_hashes"),
    ):
        reader.find_index("x")


def test_keys_of_another_length_are_refused(tmp_path):
    pattern = write_shards(tmp_path, cut(SAMPLES, 4, 3))
    beside(tmp_path / "001.msgpack", ".keys").write_bytes(msgpack.packb(["a"]))
    with (
        ShardedReader(pattern) as reader,
        pytest.raises(IndexFileError, match=r"001.msgpack has 3 samples, but 1 keys; write it again"),
    ):
        reader.find_key(5)


def test_a_pattern_that_nothing_matches_is_refused(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"no file matches .*\*\.msgpack"):
        ShardedReader(tmp_path / "*.msgpack")


def test_a_pattern_leaves_index_files_out(tmp_path):
    write_shards(tmp_path, cut(SAMPLES, 4))
    assert len(ShardedReader(tmp_path / "*")) == 10


def test_a_path_with_the_signs_of_a_pattern_is_a_path(tmp_path):
    path = write(tmp_path / "a[1].msgpack", SAMPLES)
    assert len(ShardedReader(path)) == 10


def test_no_shards_have_no_samples():
    reader = ShardedReader([])
    assert len(reader) == 0
    assert list(reader) == list(reader.keys()) == list(reader.batches(3)) == []
    assert "x" not in reader
    with pytest.raises(IndexError):
        reader.get(0)
    assert len(datadings.reader.sharded.ShardedReader([])) == 0


@pytest.mark.parametrize("shards", [[1], [None], [b"x"]])
def test_what_is_no_shard_is_refused(shards):
    with pytest.raises(ValueError, match="a shard must be the path of a msgpack file or a Reader, not"):
        ShardedReader(shards)


def test_a_missing_shard_is_named(tmp_path):
    write_shards(tmp_path, cut(SAMPLES, 4))
    with pytest.raises(DatasetNotFoundError, match=r"002\.msgpack not found"):
        ShardedReader([tmp_path / "000.msgpack", tmp_path / "002.msgpack"])


def test_a_shard_without_offsets_is_named(tmp_path):
    pattern = write_shards(tmp_path, cut(SAMPLES, 4))
    for suffix in (".offsets", ".keys"):
        beside(tmp_path / "001.msgpack", suffix).unlink()
    with pytest.raises(DatasetNotFoundError, match=r"001\.msgpack has no index: .*offsets"):
        ShardedReader(pattern)


@pytest.mark.parametrize("size", [0, 12])
def test_offsets_of_a_length_that_cannot_be_are_refused(tmp_path, size):
    pattern = write_shards(tmp_path, cut(SAMPLES, 4))
    beside(tmp_path / "001.msgpack", ".offsets").write_bytes(bytes(size))
    with pytest.raises(IndexFileError, match=rf"001\.msgpack\.offsets \({size} bytes\) is damaged"):
        ShardedReader(pattern)


def test_readers_keep_their_options(tmp_path):
    objects = {"key": "a", "x": np.array([{1}, None], object)}
    with datadings.writer.FileWriter(tmp_path / "a.msgpack", disable=True) as writer:
        writer.write(objects)
    plain = write(tmp_path / "b.msgpack", SAMPLES)
    allowed = MsgpackReader(tmp_path / "a.msgpack", allow_pickle=True)
    both_kinds = ShardedReader([allowed, plain])
    assert both_kinds.get(0)["x"][0] == {1}
    assert_same_sample(both_kinds.get(3), SAMPLES[2])
    assert next(ShardedReader([allowed]).batches(1))[0]["x"][0] == {1}
    assert next(ShardedReader(tmp_path / "[a]*", allow_pickle=True).batches(1))[0]["x"][0] == {1}
    with pytest.raises(PickleRefusedError, match=r"a\.msgpack: sample 0, 10 of all shards \('a'\)"):
        ShardedReader([plain, tmp_path / "a.msgpack"]).get(10)


def test_a_mixed_list_keeps_few_files_open(tmp_path):
    parts = [[sample] for sample in some_samples(100)]
    write_shards(tmp_path, parts)
    before = descriptors()
    reader = ShardedReader([Listed(SAMPLES), *sorted(tmp_path.glob("*.msgpack"))])
    assert keys_of(list(reader)) == keys_of(SAMPLES) + keys_of(some_samples(100))
    assert len(descriptors() - before) <= 8 * 4
    reader.close()
    assert descriptors() <= before
    assert_same_sample(reader.get(109), parts[-1][0])
    reader.close()


def test_leaving_a_mixed_list_leaves_its_readers(tmp_path):
    listed = Listed(SAMPLES)
    with ShardedReader([listed, write(tmp_path / "a.msgpack", SAMPLES)]):
        pass
    assert listed.left == 1


@pytest.mark.parametrize("mixed", [False, True])
def test_pickled_readers_read_on(tmp_path, mixed):
    pattern = write_shards(tmp_path, cut(SAMPLES, 4, 0, 2))
    members = sorted(tmp_path.glob("*.msgpack"))
    with ShardedReader([*members[1:], Listed(SAMPLES)] if mixed else pattern) as reader:
        expected = list(reader)
        next(iter(reader.batches(2)))
        again = pickle.loads(pickle.dumps(reader))
        assert_same_sample(list(again), expected)
        assert_same_sample([s for batch in again.batches(3) for s in batch], expected)
        again.close()


@pytest.mark.parametrize("mixed", [False, True])
def test_copies_close_by_themselves(tmp_path, mixed):
    pattern = write_shards(tmp_path, cut(SAMPLES, 4, 2))
    members = sorted(tmp_path.glob("*.msgpack"))
    reader = ShardedReader([*members, Listed(SAMPLES)] if mixed else pattern)
    batches = reader.batches(2)
    next(batches)
    other = copy.copy(reader)
    list(other.batches(3))
    other.close()
    assert len([next(batches), *batches]) == len(reader.batches(2)) - 1
    reader.close()


def test_closing_leaves_nothing_open_and_a_closed_reader_opens_again(tmp_path):
    before = descriptors()
    reader = ShardedReader(write_shards(tmp_path, cut(SAMPLES, 4, 2)))
    for _ in range(2):
        assert_same_sample(reader.get(7), SAMPLES[7])
        kept = list(reader.batches(3))
        assert len(kept) == 4
        assert reader.find_key(9) == SAMPLES[9]["key"]
        reader.close()
        for _ in range(200):  # a thread that has ended its work takes time to go
            if descriptors() == before:
                break
            time.sleep(0.01)
        assert descriptors() <= before
        assert kept[1][0]["label"] == 3


def test_a_forked_child_reads_on(tmp_path):
    with ShardedReader(write_shards(tmp_path, cut(SAMPLES, 4, 2))) as reader:
        list(reader.batches(3))
        reader.get(3)
        child = os.fork()
        if child == 0:
            try:
                ok = [b.indices.tolist() for b in reader.batches(5)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
                ok = ok and reader.get(9)["label"] == 9 and reader.find_index(SAMPLES[4]["key"]) == 4
                os._exit(0 if ok else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert_same_sample(reader.get(5), SAMPLES[5])


def test_all_shards_are_verified(tmp_path):
    pattern = write_shards(tmp_path, cut(SAMPLES, 4, 2))
    for shards in (pattern, [Listed([]), *sorted(tmp_path.glob("*.msgpack"))]):
        reader = ShardedReader(shards)
        assert reader.verify_data()
        assert reader.verify_index()
    overwrite(tmp_path / "002.msgpack", 5, b"\xff")
    assert not reader.verify_data()
    assert reader.verify_index()
    overwrite(beside(tmp_path / "001.msgpack", ".keys"), 1, b"\xff")
    assert not reader.verify_index()


def test_what_a_reader_is_called(tmp_path):
    pattern = write_shards(tmp_path, cut(SAMPLES, 4, 2))
    assert repr(ShardedReader(pattern)) == f"<ShardedReader {pattern!r}: 10 samples>"
    paths = sorted(tmp_path.glob("*.msgpack"))
    assert repr(ShardedReader(paths)) == f"<ShardedReader '{paths[0]} and 2 more shards': 10 samples>"
    assert repr(ShardedReader([*paths, Listed([])])) == "<ShardedReader '4 shards': 10 samples>"
