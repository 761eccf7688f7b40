"""Shards of one dataset: if one shard fails, the others can be read, and errors name the shard."""

import os
import time

import msgpack
import numpy as np
import pytest
from datasets import (
    beside,
    damage,
    keys_of,
    offsets_of,
    replace,
    some_samples,
    write,
    write_legacy,
    write_offsets,
)

import ddfast.dataset.sharded
from ddfast._native.offsets import OffsetTable
from ddfast._native.shards import Shards
from ddfast._native.status import E_LIMIT
from ddfast.dataset.local import LocalDataset
from ddfast.dataset.open import open_dataset
from ddfast.dataset.sharded import ShardedDataset
from ddfast.errors import (
    ClosedError,
    CorruptSampleError,
    DatasetChangedError,
    DatasetNotFoundError,
    DdfastError,
    IndexFileError,
    KernelError,
    SampleIndexError,
    SampleKeyError,
)
from ddfast.reader import ShardedReader

PER_SHARD = 3
SHARDS = 12
SAMPLES = [{"key": f"k{i}", "label": i, "data": bytes([i]) * 500} for i in range(SHARDS * PER_SHARD)]
PICKED = 9  # the shard that something happens to, too far off to have been read ahead


@pytest.fixture
def paths(tmp_path):
    parts = [SAMPLES[i : i + PER_SHARD] for i in range(0, len(SAMPLES), PER_SHARD)]
    return [write(tmp_path / f"{number:02}.msgpack", part) for number, part in enumerate(parts)]


def delete(path):
    path.unlink()


def cut(path):
    os.truncate(path, path.stat().st_size - 1)


def rewrite(path):
    content = path.read_bytes()
    time.sleep(0.02)  # a tick of the file system's clock
    path.write_bytes(content)


def put_another_there(path):
    replace(path, write(path.with_name("other"), [*SAMPLES[:2], {"key": "x"}]))


CHANGES = [
    (delete, DatasetNotFoundError, r"09\.msgpack not found: it was removed"),
    (cut, DatasetChangedError, r"09\.msgpack was replaced or changed since .*; open the dataset again"),
    (rewrite, DatasetChangedError, r"09\.msgpack was replaced or changed"),
    (put_another_there, DatasetChangedError, r"09\.msgpack was replaced or changed"),
]


def collect(batches):
    """What a pass gives: indices of a batch, or the error in its place."""
    results = []
    while True:
        try:
            results.append(next(batches).indices.tolist())
        except StopIteration:
            return results
        except DdfastError as error:
            results.append(error)


# -- what happens to a shard


@pytest.mark.parametrize(("change", "kind", "message"), CHANGES)
def test_a_shard_that_changes_amid_a_pass_fails_its_batches_alone(paths, change, kind, message):
    with ShardedReader(paths, prefetch_bytes=1) as reader:
        batches = reader.batches(PER_SHARD)
        assert next(batches).indices.tolist() == [0, 1, 2]
        change(paths[PICKED])
        rest = collect(batches)
        error = rest.pop(PICKED - 1)
        assert type(error) is kind
        assert pytest.raises(kind, match=message).matches(error)
        assert f"sample 0, {PICKED * PER_SHARD} of all shards" in str(error)
        assert [i for batch in rest for i in batch] == [
            i for i in range(3, len(SAMPLES)) if i // PER_SHARD != PICKED
        ]


@pytest.mark.parametrize(("change", "kind", "message"), CHANGES)
@pytest.mark.parametrize("known", [False, True])
def test_single_samples_of_a_shard_that_changed_are_refused(paths, change, kind, message, known):
    with ShardedReader(paths) as reader:
        if known and change is not cut:
            return  # an open file stays what it was
        if known:
            reader.get(PICKED * PER_SHARD)
        change(paths[PICKED])
        for read in (reader.get, lambda i: reader.get(i, raw=True), lambda i: next(reader.iter(i))):
            with pytest.raises(kind, match=message if not known else "bytes when it was opened|changed"):
                read(PICKED * PER_SHARD + 1)
        assert reader.get(0)["label"] == 0


@pytest.mark.parametrize(("change", "kind", "message"), CHANGES)
def test_keys_of_a_shard_that_changed_are_refused(paths, change, kind, message):
    with ShardedReader(paths) as reader:
        change(paths[PICKED])
        for look in (lambda: reader.find_key(PICKED * PER_SHARD), lambda: reader.find_index("k0")):
            with pytest.raises(kind, match=message):
                look()
        assert reader.find_key(0) == "k0"


def test_a_shard_without_offsets_is_named_when_it_is_read(paths):
    reader = ShardedReader(paths)
    beside(paths[PICKED], ".offsets").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"09\.msgpack\.offsets not found"):
        reader.get(PICKED * PER_SHARD)


def test_a_shard_without_keys_is_named_when_they_are_asked_for(paths):
    reader = ShardedReader(paths)
    beside(paths[PICKED], ".keys").unlink()
    with pytest.raises(FileNotFoundError, match=r"09\.msgpack\.keys"):
        reader.find_key(PICKED * PER_SHARD)
    assert reader.find_index("k20") == 20  # by the key hashes


@pytest.mark.parametrize(
    "read",
    [
        lambda reader, index: reader.get(index),
        lambda reader, index: list(reader),
        lambda reader, index: list(reader.batches(5, shuffle=True)),
        lambda reader, index: reader.get_many([0, index, 5]),
    ],
    ids=["get", "iter", "batches", "get_many"],
)
def test_a_damaged_sample_is_named_with_shard_and_both_indices(paths, read):
    position = damage(paths[PICKED], 1)
    index = PICKED * PER_SHARD + 1
    message = (
        rf"09\.msgpack: sample 1, {index} of all shards \('k{index}'\) is damaged at byte 0 of [\d,]+ "
        rf"\(file position {position:,}\)"
    )
    with ShardedReader(paths) as reader, pytest.raises(CorruptSampleError, match=message):
        read(reader, index)


def test_damaged_offsets_of_a_shard_are_named(paths):
    offsets = offsets_of(paths[PICKED])
    offsets[1] = 10**9
    write_offsets(paths[PICKED], offsets)
    with ShardedReader(paths) as reader:
        for read in (reader.get, lambda i: reader.get_many([i])):
            with pytest.raises(
                IndexFileError, match=r"09\.msgpack\.offsets is damaged: the offsets of sample 0 are no"
            ):
                read(PICKED * PER_SHARD)
        assert reader.get(PICKED * PER_SHARD + 2)["label"] == PICKED * PER_SHARD + 2


def test_offsets_of_another_data_file_are_refused(paths):
    offsets = offsets_of(paths[PICKED])
    write_offsets(paths[PICKED], [*offsets[:-1], offsets[-1] + 1])
    with (
        ShardedReader(paths) as reader,
        pytest.raises(
            IndexFileError,
            match=r"09\.msgpack\.offsets .* the last offset is not the size of the data file.*`ddfast recover`",
        ),
    ):
        reader.get_many([PICKED * PER_SHARD])


STUCK = """
import os, sys
import pytest
from ddfast.reader import ShardedReader
from ddfast.errors import DatasetNotFoundError, StorageTimeoutError
*paths, stuck, first = sys.argv[1:]
with ShardedReader(paths, timeout=0.1) as reader:
    assert reader.get_many([0])[0]["label"] == 0
    open(stuck + ".stuck", "w").close()
    for read in (lambda: reader.get_many([int(first)]), lambda: list(reader.batches(5))):
        with pytest.raises(StorageTimeoutError, match=r"00\\.msgpack and 11 more shards: no read has completed"):
            read()
    os.unlink(stuck)
    os.unlink(stuck + ".stuck")
    with pytest.raises(DatasetNotFoundError, match=r"09\\.msgpack not found"):
        reader.get_many([int(first)])
"""


def test_a_shard_whose_storage_does_not_answer_is_given_up(paths, run_with_stuck_storage):
    run_with_stuck_storage(STUCK, *paths, paths[PICKED], PICKED * PER_SHARD)


def test_a_closed_reader_says_so(paths):
    reader = ShardedReader(paths, prefetch_bytes=1)
    batches = reader.batches(2)
    next(batches)
    reader.close()
    with pytest.raises(ClosedError, match=r"00\.msgpack and 11 more shards"):
        list(batches)


# -- indices and keys


def test_errors_of_indices_and_keys_name_the_shards(paths):
    name = r"00\.msgpack and 11 more shards"
    with ShardedReader(paths) as reader:
        for index in (36, -37, 1 << 70):
            with pytest.raises(SampleIndexError, match="out of range"):
                reader.get(index)
        with pytest.raises(SampleIndexError, match=f"index 36 out of range: .*{name} has 36 samples"):
            reader.get_many([36])
        with pytest.raises(SampleKeyError, match=f"{name} has no sample with key 'x'"):
            reader.find_index("x")
        for index in (36, -37):
            with pytest.raises(SampleIndexError, match=f"index {index} out of range: there are 36 keys"):
                reader.find_key(index)
        with pytest.raises(SampleIndexError, match="index 36 out of range"):
            reader.keys().take([0, 36])
        assert 3 not in reader


def test_keys_are_a_sequence(paths):
    keys, expected = ShardedReader(paths).keys(), keys_of(SAMPLES)
    assert len(keys) == 36
    assert list(keys) == expected
    for part in (
        slice(2, 8),
        slice(None),
        slice(-5, None),
        slice(5, 2),
        slice(1, 30, 7),
        slice(None, None, -1),
    ):
        assert keys[part] == expected[part]
    assert (keys[-1], keys[np.int64(4)]) == ("k35", "k4")
    wanted = np.random.default_rng(1).integers(0, 36, 200)
    assert keys.take(wanted) == [expected[i] for i in wanted]
    assert keys.take([]) == []
    assert repr(keys) == "<ShardKeys of 12 shards: 36 keys>"


def test_a_key_takes_few_bytes(tmp_path):
    samples = [{"key": f"{i}"} for i in range(5000)]
    paths = [write(tmp_path / f"{i}", samples[i * 500 : (i + 1) * 500]) for i in range(10)]
    dataset = ShardedDataset(paths, "ten")
    assert [dataset.search(key) for key in ("0", "501", "4999", "5000")] == [0, 501, 4999, -1]
    assert 13 <= dataset.key_table.nbytes / len(dataset) <= 19


# -- listing


def test_a_path_is_one_dataset_and_all_else_is_shards(paths, tmp_path):
    assert type(open_dataset(paths[0])) is LocalDataset
    assert type(open_dataset(str(paths[0]))) is LocalDataset
    for source in (
        f"{tmp_path}/*.msgpack",
        tmp_path / "*.msgpack",
        paths,
        iter(paths),
        tuple(map(str, paths)),
    ):
        dataset = open_dataset(source)
        assert type(dataset) is ShardedDataset
        assert (len(dataset), dataset.data_size) == (36, sum(path.stat().st_size for path in paths))


def test_many_shards_are_looked_at_by_several_threads(paths):
    dataset = ShardedDataset(paths * 40, "many")
    assert [dataset.samples.get(i)["label"] for i in (0, 35, 36, 1439)] == [0, 35, 0, 35]
    assert len(dataset) == 1440
    with pytest.raises(DatasetNotFoundError, match="nowhere"):
        ShardedDataset([*paths * 40, "nowhere"], "many")


def test_an_old_index_is_read_when_shards_are_listed(tmp_path):
    path = write_legacy(tmp_path / "a", some_samples(5))
    dataset = ShardedDataset([path, path], "two")
    assert [dataset.samples.get(i)["label"] for i in range(10)] == [0, 1, 2, 3, 4] * 2
    assert dataset.keys_of([1, 6, 9]) == ["sample 1 ß", "sample 1 ß", "sample 4 ß"]
    assert dataset.search("sample 3 ß") == 3


def test_a_shard_that_is_replaced_while_it_is_listed_is_waited_for(paths, monkeypatch):
    """A replaced dataset lacks its offsets for a moment."""
    hidden = beside(paths[3], ".offsets").rename(paths[3].with_name("hidden"))
    real = LocalDataset._is_current

    def appear(self):
        if hidden.exists():
            hidden.rename(beside(paths[3], ".offsets"))
        return real(self)

    monkeypatch.setattr(LocalDataset, "_is_current", appear)
    assert len(ShardedDataset(paths, "all")) == 36


def test_a_shard_that_changes_while_its_old_index_is_read_is_refused(tmp_path, monkeypatch):
    path = write_legacy(tmp_path / "a", some_samples(5))

    class Slow(LocalDataset):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            os.truncate(path, 3)

    monkeypatch.setattr(ddfast.dataset.sharded, "LocalDataset", Slow)
    with pytest.raises(DatasetChangedError, match="was replaced or changed"):
        ShardedDataset([path], "one")


def test_shards_too_large_to_be_addressed_are_refused():
    spec = ("a", "a.offsets", 1, 1 << 60, 0, None)
    with pytest.raises(KernelError, match="5 shards are too many or too large") as caught:
        Shards([spec] * 5)
    assert caught.value.code == E_LIMIT


def test_a_table_of_another_number_of_samples_is_refused():
    with pytest.raises(ValueError, match="the offset table has 1 samples, not 2"):
        Shards([("a", OffsetTable(bytes(16), 0), 2, 0, 0, None)])


# -- thousands

THOUSANDS = """
import os, random, resource, sys
import numpy as np
from ddfast import AsyncReader, MsgpackReader
from ddfast.errors import ReadError
from ddfast.reader import ShardedReader
from ddfast.order import epoch_order

folder, n = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit := 128, limit))
with ShardedReader(folder + "/*.msgpack") as reader, MsgpackReader(folder + "/one") as one:
    assert len(reader) == len(one) == n
    for shuffle in (True, False):
        for batch, other in zip(reader.batches(256, shuffle=shuffle), one.batches(256, shuffle=shuffle), strict=True):
            assert np.array_equal(batch.indices, other.indices)
            assert [bytes(batch.raw(i)) for i in range(len(batch))] == [bytes(other.raw(i)) for i in range(len(batch))]
    assert batch.keys == other.keys
    assert [sample["label"] for sample in reader] == list(range(n))
    for i in random.sample(range(n), 500):
        assert reader.find_index(f"k{i}") == reader.get(i)["label"] == i
        assert reader.find_key(i) == f"k{i}"
    assert "k" not in reader
    assert len(os.listdir("/proc/self/fd")) < limit

reader = ShardedReader(folder + "/*.msgpack")
taken = []
try:
    while True:
        taken.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
os.close(taken.pop())
os.close(taken.pop())
assert reader.get(n - 1)["label"] == n - 1
taken += [os.open("/dev/null", os.O_RDONLY)]
try:
    reader.get(0)
    taken += [os.open("/dev/null", os.O_RDONLY)]
    reader.get(1000)
except ReadError as error:
    print(error)
"""


def test_thousands_of_shards_are_read_with_few_open_files(tmp_path, run_python):
    shards, per_shard = 3000, 2
    n = shards * per_shard
    packed = [msgpack.packb({"key": f"k{i}", "label": i}) for i in range(n)]
    for i in range(shards):
        part = packed[i * per_shard : (i + 1) * per_shard]
        keys = [f"k{i * per_shard + j}" for j in range(per_shard)]
        write_packed(tmp_path / f"{i:04}.msgpack", part, keys)
    write_packed(tmp_path / "one", packed, [f"k{i}" for i in range(n)])
    script = tmp_path / "script.py"
    script.write_text(THOUSANDS)
    result = run_python(str(script), str(tmp_path), str(n))
    assert result.returncode == 0, result.stderr
    assert "Too many open files" in result.stdout
    assert "increase the limit of open files with `ulimit -n`" in result.stdout


def write_packed(path, packed, keys):
    path.write_bytes(b"".join(packed))
    write_offsets(path, [0, *np.cumsum([len(p) for p in packed]).tolist()])
    beside(path, ".keys").write_bytes(msgpack.packb(keys))
