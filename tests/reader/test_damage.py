"""Damaged files of a dataset: readers return correct values or raise an error that describes the damage."""

import contextlib
import os
import pickle
import struct

import msgpack
import pytest
from datasets import beside, damage, offsets_of, overwrite, some_samples, write, write_offsets

from ddfast import AsyncReader, MsgpackReader
from ddfast.errors import CorruptSampleError, DdfastError, IndexFileError, TooManyFieldsError
from ddfast.testing import assert_same_sample

SAMPLES = some_samples(40)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.msgpack", SAMPLES)


def batches_blocking(path, options, arguments):
    """What a pass gives: indices of a batch, or the error in its place."""
    results = []
    with MsgpackReader(path, **options) as reader:
        batches = reader.batches(4, **arguments)
        for _ in range(len(batches)):
            try:
                results.append(next(batches).indices.tolist())
            except DdfastError as error:
                results.append((type(error), str(error)))
        assert next(batches, None) is None
    return results


def batches_async(arun, path, options, arguments):
    async def main():
        results = []
        async with AsyncReader(path, **options) as reader:
            stream = reader.batches(4, **arguments)
            for _ in range(len(stream)):
                try:
                    results.append((await anext(stream)).indices.tolist())
                except DdfastError as error:
                    results.append((type(error), str(error)))
            assert await anext(stream, None) is None
        return results

    return arun(main())


# -- one damaged sample


@pytest.mark.parametrize("index", [0, 13, 39])
@pytest.mark.parametrize("shuffle", [False, True, "block"])
def test_a_damaged_sample_costs_its_batch_alone(arun, path, index, shuffle):
    position = damage(path, index)
    arguments = {"shuffle": shuffle, "seed": 4}
    results = batches_async(arun, path, {}, arguments)
    errors = [result for result in results if isinstance(result, tuple)]
    assert [error[0] for error in errors] == [CorruptSampleError]
    assert path.name in errors[0][1]
    assert f"sample {index} ({SAMPLES[index]['key']!r})" in errors[0][1]
    assert f"file position {position:,}" in errors[0][1]
    delivered = [i for result in results if isinstance(result, list) for i in result]
    assert len(delivered) == 36
    assert index not in delivered


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_same_damage_gives_the_same_error_however_it_is_read(arun, path, shuffle):
    for index in (2, 3, 17, 38):
        damage(path, index, at=1)
    table = offsets_of(path)
    table[25] = table[30]  # samples 24 to 29 are damaged in the index
    write_offsets(path, table)
    arguments = {"shuffle": shuffle, "seed": 1}
    expected = batches_blocking(path, {}, arguments)
    assert sum(isinstance(result, tuple) for result in expected) >= 4
    for options in (
        {"prefetch_bytes": 1},
        {"queue_depth": 1},
        {"prefetch_bytes": 1 << 30, "queue_depth": 64},
    ):
        assert batches_blocking(path, options, arguments) == expected
        assert batches_async(arun, path, options, arguments) == expected


def test_samples_around_a_damaged_one_are_read_one_by_one(arun, path):
    damage(path, 7)

    async def main():
        got, failed = [], []
        async with AsyncReader(path) as reader:
            stream = reader.samples()
            for i in range(40):
                try:
                    got.append(await anext(stream))
                except CorruptSampleError as error:
                    failed.append((i, str(error)))
            with pytest.raises(CorruptSampleError, match="sample 7 "):
                await reader.get(7)
            with pytest.raises(CorruptSampleError, match="sample 7 "):
                await reader.get_many([5, 7, 6])
            assert_same_sample(await reader.get(8), SAMPLES[8])
        return got, failed

    got, failed = arun(main())
    assert_same_sample(got, SAMPLES[:7] + SAMPLES[8:])
    assert [i for i, _ in failed] == [7]
    assert "sample 7 " in failed[0][1]


def test_iteration_gives_the_samples_before_a_damaged_one(path):
    damage(path, 7)
    with MsgpackReader(path) as reader:
        got = []
        with pytest.raises(CorruptSampleError, match="sample 7 "):  # noqa: PT012
            for sample in reader:
                got.append(sample)
        assert_same_sample(got, SAMPLES[:7])
        reader.seek(8)
        assert_same_sample(list(reader), SAMPLES[8:])
        with pytest.raises(CorruptSampleError, match="sample 7 "):
            reader.get(7)
        with pytest.raises(CorruptSampleError, match="sample 7 "):
            list(reader.slice(6, 9))
        assert reader.get(7, raw=True)[0] == 0xC1  # packed samples are not looked at


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc1", "0xc1"),
        (b"\xdf\xff\xff\xff\xff", "past the end|runs|end"),
        (b"\xc6\xff\xff\xff\xff", "past the end|runs|end"),
        (b"\x91" * 2000, "deep|nested"),
        (b"\x01\x01", "follow|trailing|message"),
    ],
)
def test_every_kind_of_damage_is_told_with_its_place(arun, path, data, reason):
    position = damage(path, 39, data=data[: path.stat().st_size - offsets_of(path)[39]])
    with MsgpackReader(path) as reader:
        for call in (lambda: reader.get(39), lambda: reader.get_many([1, 39]), lambda: list(reader)):
            with pytest.raises(
                CorruptSampleError, match=rf"sample 39 .*file position [\d,]+\): .*({reason})"
            ) as caught:
                call()
            told = str(caught.value).split("file position ")[1].split(")")[0].replace(",", "")
            assert position <= int(told) <= path.stat().st_size


# -- the index


def outcomes(path):
    """Read a dataset in every way. Returns samples by index where they could be read; errors must be ours."""
    found = {}
    try:
        reader = MsgpackReader(path, prefetch_bytes=1 << 16, queue_depth=2)
    except (DdfastError, FileNotFoundError):
        return None
    with reader:
        for i in range(min(len(reader), 60)):
            for read in (
                reader.get,
                lambda i: reader.get_many([i])[0],
                lambda i: next(reader.slice(i, i + 1)),
            ):
                try:
                    sample = read(i)
                except (DdfastError, StopIteration):
                    continue
                found.setdefault(i, []).append(sample)
        for use in (
            lambda: list(reader.iter(0, yield_key=True)),
            lambda: [list(batch) for batch in reader.batches(7)],
            lambda: [batch.to_dict() for batch in reader.batches(7, shuffle=True)],
            lambda: reader.find_index(SAMPLES[3]["key"]),
            lambda: "nobody" in reader,
            lambda: list(reader.keys()),
        ):
            with contextlib.suppress(DdfastError, FileNotFoundError):
                use()
    return found


def assert_right_or_refused(path, may_be_wrong=()):
    found = outcomes(path)
    for i, samples in (found or {}).items():
        if i not in may_be_wrong:
            assert_same_sample(samples, [SAMPLES[i]] * len(samples))


@pytest.mark.filterwarnings("ignore:.*samples have no keys")
@pytest.mark.parametrize("suffix", [".offsets", ".keys", ".key_hashes", ".filter"])
def test_an_index_file_cut_anywhere_is_refused_or_not_needed(path, suffix):
    whole = beside(path, suffix).read_bytes()
    size = len(whole)
    for cut in {0, 1, 7, 8, 9, 15, 16, 17, size // 2, size // 2 + 1, size - 9, size - 8, size - 7, size - 1}:
        beside(path, suffix).write_bytes(whole[:cut])
        assert_right_or_refused(path)
    for more in (b"\x00", bytes(8), whole):
        beside(path, suffix).write_bytes(whole + more)
        assert_right_or_refused(path)


def test_a_cut_offsets_file_names_file_and_size(path):
    for cut in (0, 5, 8, 160):
        os.truncate(beside(path, ".offsets"), cut)
        with pytest.raises(IndexFileError, match=rf"x\.msgpack\.offsets \({cut} bytes\)"):
            MsgpackReader(path)


@pytest.mark.parametrize("suffix", [".offsets", ".keys", ".key_hashes", ".filter"])
def test_index_files_of_other_datasets_are_refused_or_do_no_harm(path, tmp_path, suffix):
    whole = beside(path, suffix).read_bytes()
    for count in (0, 1, 39, 41):
        other = write(tmp_path / "other.msgpack", some_samples(count))
        beside(path, suffix).write_bytes(beside(other, suffix).read_bytes())
        assert_right_or_refused(path)
    for other in (".offsets", ".keys", ".key_hashes", ".filter"):
        content = whole if other == suffix else beside(path, other).read_bytes()
        beside(path, suffix).write_bytes(content)
        assert_right_or_refused(path)


@pytest.mark.parametrize("value", [0, 1, 1 << 20, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_offsets_out_of_order_or_range_cost_the_samples_beside_them(path, value):
    table = offsets_of(path)
    for entry in (0, 1, 17, 39, 40):
        if table[entry] == value:
            continue
        write_offsets(path, [*table[:entry], value, *table[entry + 1 :]])
        assert_right_or_refused(path, may_be_wrong=())


def test_an_offset_out_of_range_names_the_file_and_the_sample(arun, path):
    table = offsets_of(path)
    write_offsets(path, [*table[:9], 1 << 60, *table[10:]])
    with MsgpackReader(path) as reader:
        for index in (8, 9):
            for call in (lambda i=index: reader.get(i), lambda i=index: reader.get_many([0, i])):
                with pytest.raises(
                    IndexFileError, match=rf"x\.msgpack\.offsets is damaged.* sample {index} "
                ):
                    call()
        assert_same_sample(reader.get(7), SAMPLES[7])
        assert_same_sample(reader.get(10), SAMPLES[10])
    results = batches_async(arun, path, {}, {})
    assert [type(result) for result in results] == [list, list, tuple, *[list] * 7]


def test_keys_that_lie_are_found_out(path):
    for content in (
        msgpack.packb(["x"] * 40),
        msgpack.packb([1] * 40),
        msgpack.packb({}),
        msgpack.packb([b"\xff"] * 40),
        b"\xdd\x00\x00\x00\x28",
        b"\xdc\x00\x28" + b"\xdb\xff\xff\xff\xff" * 40,
        b"\xdd\xff\xff\xff\xff",
    ):
        beside(path, ".keys").write_bytes(content)
        assert_right_or_refused(path)


# -- the data file, cut or changed before it is opened


def test_a_data_file_cut_at_any_boundary_is_refused_at_once(path):
    table = offsets_of(path)
    for cut in {0, 1, table[20], table[20] + 1, table[20] + 2, table[20] - 1, table[40] - 1}:
        data = path.read_bytes()
        os.truncate(path, cut)
        with pytest.raises(IndexFileError, match=rf"x\.msgpack\.offsets.*{cut:,} bytes"):
            MsgpackReader(path)
        path.write_bytes(data)


def test_a_data_file_cut_with_its_offsets_costs_the_last_samples(path):
    table = offsets_of(path)
    for last in (20, 39):
        for cut in range(table[last] + 1, table[last + 1], 37):
            os.truncate(path, cut)
            write_offsets(path, [*table[: last + 1], *[cut] * (40 - last)])
            assert_right_or_refused(path)
            path.write_bytes(write(path.with_name("again.msgpack"), SAMPLES).read_bytes())


def test_zeroed_pages_are_told_or_are_other_values(path):
    size = path.stat().st_size
    for start in range(0, size, 4096):
        copy = write(path.with_name("copy.msgpack"), SAMPLES)
        overwrite(copy, start, bytes(min(4096, size - start)))
        table = offsets_of(copy)
        hit = {i for i in range(40) if table[i] < start + 4096 and table[i + 1] > start}
        assert_right_or_refused(copy, may_be_wrong=hit)


# Run apart, so that a crash is seen as what it is.
SWEEP = """
import random, sys, warnings
warnings.simplefilter("ignore")
import asyncio
from pathlib import Path
from ddfast import AsyncReader, MsgpackReader
from ddfast.errors import DdfastError

path, suffix, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
target = Path(str(path) + suffix)
whole = target.read_bytes()
random = random.Random(seed)

def use(reader):
    for i in range(0, len(reader), 5):
        yield lambda i=i: reader.get(i)
    yield lambda: reader.get_many(range(0, min(len(reader), 40), 3)).to_dict()
    yield lambda: reader.find_index("sample 3 \\u00df")
    yield lambda: list(reader.iter(0, yield_key=True))
    batches = reader.batches(8, shuffle=True)
    for _ in range(min(len(batches), 9)):
        yield lambda: list(next(batches))

async def use_async(path):
    async with AsyncReader(path, queue_depth=3) as reader:
        stream = reader.batches(8)
        for _ in range(min(len(stream), 9)):
            try:
                {name: list(column) for name, column in (await anext(stream)).to_dict().items()}
            except DdfastError:
                pass

for _ in range(150):
    data = bytearray(whole)
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        at = random.randrange(len(data))
        kind = random.randrange(4)
        if kind == 0:
            data[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            data[at] = random.choice((0, 0x7F, 0x80, 0xC1, 0xC6, 0xDB, 0xDD, 0xDF, 0xFF))
        elif kind == 2:
            data[at : at + 4] = random.randbytes(len(data[at : at + 4]))
        else:
            data[at : at + 8] = bytes(len(data[at : at + 8]))
    target.write_bytes(data)
    try:
        with MsgpackReader(path, queue_depth=3) as reader:
            for call in use(reader):
                try:
                    call()
                except DdfastError:
                    pass
        asyncio.run(use_async(path))
    except DdfastError:
        pass
print("survived")
"""


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("suffix", ["", ".offsets", ".keys", ".key_hashes"])
def test_readers_survive_random_damage(path, suffix, seed, run_python):
    done = run_python("-c", SWEEP, str(path), suffix, str(seed))
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr[-3000:]


def test_a_legacy_index_with_wild_offsets_is_refused(path):
    for suffix in (".offsets", ".keys", ".key_hashes", ".filter"):
        beside(path, suffix).unlink()
    for number in (1 << 63, (1 << 64) - 1):
        beside(path, ".index").write_bytes(b"\x81\xa1a\xcf" + struct.pack(">Q", number))
        with pytest.raises(IndexFileError, match=r"\.index"):
            MsgpackReader(path)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_batch_of_more_fields_than_it_may_have_has_samples_and_no_columns(tmp_path, on_error):
    samples = [{"key": str(i), **{f"{i} {j}": j for j in range(3000)}} for i in range(2)]
    path = write(tmp_path / "x", samples)
    with MsgpackReader(path, on_error=on_error) as reader:
        for batch in (next(reader.batches(2)), reader.get_many([0, 1]), next(reader.batches(2))[::-1]):
            assert sorted(batch, key=lambda sample: sample["key"]) == samples
            assert repr(batch) == "Batch(2 samples: too many columns)"
            message = r"/x: the 2 samples of a batch have more different fields .* 4,096.* Choose columns="
            for use in (batch.to_dict, lambda batch=batch: batch["key"], lambda batch=batch: "key" in batch):
                with pytest.raises(TooManyFieldsError, match=message):
                    use()
            with pytest.raises(TooManyFieldsError, match=r"^the 2 samples of a batch have"):
                pickle.loads(pickle.dumps(batch)).to_dict()
            assert batch[1:].copy()["key"].tolist() == [batch[1]["key"]]
        assert reader.stats().skipped == 0
        assert len(next(reader.batches(2, columns=["key"]))) == 2


def test_errors_with_long_keys_are_short(tmp_path):
    key = "k" * 10**6
    path = write(tmp_path / "x", [{"key": key, "text": "abc"}, {"key": "b"}])
    damage(path, 0)
    with pytest.raises(CorruptSampleError) as caught:
        MsgpackReader(path).get(0)
    assert "kk...(1,000,000 characters)...kk" in str(caught.value)
    assert len(str(caught.value)) < 1000
    with pytest.raises(KeyError) as caught:
        MsgpackReader(path).find_index(key + "x")
    assert len(str(caught.value)) < 1000
