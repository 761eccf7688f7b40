"""Readers that leave damaged samples out deliver all other samples unchanged."""

import json

import numpy as np
import pytest
from datasets import damage, offsets_of, some_samples, write, write_offsets

from ddfast.errors import (
    CorruptSampleError,
    CorruptSpanError,
    DatasetChangedError,
    PickleRefusedError,
    SampleFileNotFoundError,
)
from ddfast.policy import Quarantine
from ddfast.reader import (
    Cycler,
    DirectoryReader,
    ListReader,
    MsgpackReader,
    QuasiShuffler,
    Range,
    Repeater,
    ShardedReader,
    Shuffler,
    ZipFileReader,
)
from ddfast.testing import assert_same_sample
from ddfast.tools.msgpack import packb
from ddfast.writer import RawWriter

N = 120
SAMPLES = some_samples(N)
BAD = [0, 13, 14, 15, 77, 118, 119]
GOOD = [i for i in range(N) if i not in BAD]
SETTINGS = [
    {},
    {"prefetch_bytes": 1},
    {"queue_depth": 1},
    {"prefetch_bytes": 1 << 30, "queue_depth": 64},
]


@pytest.fixture
def path(tmp_path):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    for index in BAD:
        damage(path, index)
    return path


@pytest.fixture
def whole(tmp_path):
    return MsgpackReader(write(tmp_path / "whole.msgpack", SAMPLES))


def shards(path):
    """The same dataset in two shards, of which one is damaged."""
    whole = write(path.parent / "whole.msgpack", SAMPLES)
    return [whole, path]


def indices_of(batches):
    return [batch.indices.tolist() for batch in batches]


def without(batches, bad=BAD):
    return [[i for i in batch if i not in bad] for batch in batches]


# -- batches


@pytest.mark.parametrize("options", SETTINGS, ids=str)
@pytest.mark.parametrize("shuffle", [False, True, "block"])
@pytest.mark.parametrize("batch_size", [1, 3, 16, 500])
def test_batches_are_those_of_a_whole_dataset_but_for_the_damaged(path, whole, options, shuffle, batch_size):
    arguments = {"shuffle": shuffle, "seed": 3}
    with MsgpackReader(path, on_error="skip", **options) as reader:
        batches = list(reader.batches(batch_size, **arguments))
        assert indices_of(batches) == without(indices_of(whole.batches(batch_size, **arguments)))
        assert_same_sample([s for b in batches for s in b], [SAMPLES[i] for b in batches for i in b.indices])
        assert [k for b in batches for k in b.keys] == [SAMPLES[i]["key"] for b in batches for i in b.indices]
        assert reader.stats().skipped == len(BAD)
        assert reader.stats().samples == len(GOOD)
        assert {bad.index for bad in reader.quarantine} == set(BAD)


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_a_function_is_asked_in_the_order_of_delivery(path, whole, options):
    asked = []
    order = [i for batch in whole.batches(7, shuffle=True) for i in batch.indices.tolist()]
    with MsgpackReader(path, on_error=lambda bad: asked.append(bad.index), **options) as reader:
        for batch in reader.batches(7, shuffle=True):
            due = order[: order.index(batch.indices[-1]) + 1] if len(batch) else []
            assert asked[: len([i for i in due if i in BAD])] == [i for i in due if i in BAD]
    assert asked == [i for i in order if i in BAD]


@pytest.mark.parametrize("listed", [False, True])
def test_resuming_and_ranks_stay_exact(path, whole, tmp_path, listed):
    on_error = "skip"
    if listed:
        with MsgpackReader(path, on_error=Quarantine(tmp_path / "bad.jsonl")) as reader:
            list(reader.batches(50))
        on_error = Quarantine(tmp_path / "bad.jsonl")
    with MsgpackReader(path, on_error=on_error) as reader:
        for arguments in (
            {"start": 13},
            {"start": 40, "shuffle": True},
            {"rank": 1, "world_size": 3},
            {"rank": 2, "world_size": 3, "shuffle": True, "drop_last": True},
            {"indices": [5, 13, 13, 6, 0, -1]},
        ):
            batches = reader.batches(4, **arguments)
            expected = indices_of(whole.batches(4, **arguments))
            assert len(batches) == len(expected)
            assert indices_of(batches) == without(expected)


def test_a_batch_without_any_sample_left_is_empty(path):
    with MsgpackReader(path, on_error="skip") as reader:
        batches = list(reader.batches(1))
    assert [len(batch) for batch in batches] == [int(i not in BAD) for i in range(N)]
    assert batches[0].columns == ()  # no batch before it tells the columns
    assert batches[13].columns == batches[1].columns != ()
    assert batches[13].keys == []


def test_the_kind_of_a_column_is_decided_over_the_samples_left(tmp_path):
    samples = [{"key": str(i), "x": i if i != 1 else "text"} for i in range(4)]
    path = write(tmp_path / "x.msgpack", samples)
    damage(path, 1)
    with MsgpackReader(path, on_error="skip") as reader:
        (batch,) = reader.batches(4, columns=["x"])
        assert batch.columns == ("x",)
        assert batch["x"].dtype == np.int64
        assert batch["x"].tolist() == [0, 2, 3]


def test_a_function_may_raise_and_the_stream_goes_on_behind_the_batch(path):
    def refuse(bad):
        if bad.index == 14:
            raise bad.error

    with MsgpackReader(path, on_error=refuse) as reader:
        batches = reader.batches(10)
        assert len(next(batches)) == 9
        with pytest.raises(CorruptSampleError, match="sample 14 "):
            next(batches)
        assert next(batches).indices.tolist() == list(range(20, 30))
        assert [bad.index for bad in reader.quarantine] == [0, 13]


def test_packed_batches_are_not_checked(path):
    with MsgpackReader(path, on_error="skip") as reader:
        assert sum(len(batch) for batch in reader.batches(16, raw=True)) == N
        assert reader.stats().skipped == 0


def test_a_place_that_is_damaged_in_the_index_is_skipped(path):
    table = offsets_of(path)
    table[30] = table[40]  # sample 30 would end before it begins, and 29 run into it
    write_offsets(path, table)
    with MsgpackReader(path, on_error="skip") as reader:
        got = [i for batch in reader.batches(8) for i in batch.indices.tolist()]
        assert got == [i for i in GOOD if i not in (29, 30)]
        assert isinstance(next(b for b in reader.quarantine if b.index == 30).error, CorruptSpanError)
        assert_same_sample(list(reader), [SAMPLES[i] for i in got])


def test_a_dataset_that_is_cut_is_an_error_whatever_the_policy(path):
    with MsgpackReader(path, on_error="skip") as reader:
        with path.open("r+b") as file:
            file.truncate(1000)
        with pytest.raises(DatasetChangedError):
            list(reader.batches(16))
        with pytest.raises(DatasetChangedError):
            list(reader)
        assert reader.quarantine == ()


def test_single_samples_and_get_many_always_raise(path):
    with MsgpackReader(path, on_error="skip") as reader:
        with pytest.raises(CorruptSampleError, match="sample 13 "):
            reader.get(13)
        with pytest.raises(CorruptSampleError, match="sample 13 "):
            reader.get_many([12, 13])
        assert reader.quarantine == ()


# -- iteration


def readers(path):
    """The damaged dataset by way of every reader of msgpack files: (reader, index of its first sample)."""
    yield MsgpackReader(path, on_error="skip"), 0
    yield ShardedReader(shards(path), on_error="skip"), N
    yield ShardedReader([MsgpackReader(shards(path)[0]), ListReader([]), path], on_error="skip"), N


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("form", ["decoded", "keys", "slices", "next"])
def test_iteration_leaves_damaged_samples_out(path, number, form):
    reader, first = list(readers(path))[number]
    with reader:
        reader.seek(first)
        if form == "slices":
            got = [*reader.slice(first, first + 50), *reader[first + 50 :]]
        elif form == "keys":
            pairs = list(reader.iter(yield_key=True))
            assert [key for key, _ in pairs] == [SAMPLES[i]["key"] for i in GOOD]
            got = [sample for _, sample in pairs]
        elif form == "next":
            got = [reader.next() for _ in GOOD]
            with pytest.raises(StopIteration):
                reader.next()
        else:
            got = list(reader)
        assert_same_sample(got, [SAMPLES[i] for i in GOOD])
        assert reader.stats().skipped == len(BAD)
        assert [bad.index - first for bad in reader.quarantine] == BAD
        assert {bad.key for bad in reader.quarantine} == {SAMPLES[i]["key"] for i in BAD}


def test_the_position_counts_samples_left_out(path):
    with MsgpackReader(path, on_error="skip") as reader:
        for sample in reader:
            if sample["label"] == 16:
                break
        assert reader.next()["label"] == 17
        assert next(iter(reader))["label"] == 18


def test_a_pickle_is_left_out_of_iteration_and_raises_in_a_batch(tmp_path):
    samples = [{"key": str(i), "x": np.array([{}] if i == 2 else [i])} for i in range(5)]
    path = write(tmp_path / "x.msgpack", samples)
    with MsgpackReader(path, on_error="skip") as reader:
        assert [sample["key"] for sample in reader] == ["0", "1", "3", "4"]
        assert isinstance(reader.quarantine[0].error, PickleRefusedError)
        (batch,) = reader.batches(5)
        with pytest.raises(PickleRefusedError, match="sample 2 "):
            batch[2]


# -- augments

AUGMENTS = {
    "Range": lambda reader: Range(reader, 5, 100),
    "Shuffler": lambda reader: Shuffler(reader, seed=1),
    "QuasiShuffler": lambda reader: QuasiShuffler(reader, 20, 4, seed=1),
    "Repeater": lambda reader: Repeater(reader, 2),
    "Repeater of Shuffler": lambda reader: Repeater(Shuffler(reader, seed=2), 2),
    "Shuffler of Range": lambda reader: Shuffler(Range(reader, 10, 90), seed=3),
}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("name", AUGMENTS)
def test_augments_give_what_they_give_of_a_whole_dataset(tmp_path, name, listed, large):
    samples = [{**sample, "pad": bytes(40_000 if large else 0)} for sample in SAMPLES]
    whole = MsgpackReader(write(tmp_path / "whole.msgpack", samples))
    path = write(tmp_path / "x.msgpack", samples)
    for index in BAD:
        damage(path, index)
    on_error = "skip"
    if listed:
        list(MsgpackReader(path, on_error=Quarantine(tmp_path / "bad.jsonl")).batches(50))
        on_error = Quarantine(tmp_path / "bad.jsonl")
    with MsgpackReader(path, on_error=on_error) as reader:
        expected = [sample["label"] for sample in AUGMENTS[name](whole)]
        for yield_key in (False, True):
            augment = AUGMENTS[name](reader)
            got = [s[1] if yield_key else s for s in augment.iter(yield_key=yield_key)]
            assert [sample["label"] for sample in got] == [i for i in expected if i not in BAD]
        batches = indices_of(AUGMENTS[name](reader).batches(7))
        assert batches == without(indices_of(AUGMENTS[name](whole).batches(7)))
        assert (reader.stats().listed if listed else reader.stats().skipped) > 0
        assert (reader.stats().skipped if listed else reader.stats().listed) == 0


def test_a_loop_over_an_augment_goes_on_behind_samples_left_out(path, whole):
    reader = MsgpackReader(path, on_error="skip")
    expected = [i for i in (s["label"] for s in Shuffler(whole, seed=1)) if i not in BAD]
    augment, got = Shuffler(reader, seed=1), []
    while len(got) < 40:
        for number, sample in enumerate(augment):
            if number == 7:  # the position stays at a sample whose successor was not asked for
                break
            got.append(sample["label"])
    assert got == expected[: len(got)]


def test_a_cycle_of_nothing_but_damage_is_an_error(tmp_path):
    path = write(tmp_path / "x.msgpack", SAMPLES[:3])
    for index in range(3):
        damage(path, index)
    with (
        MsgpackReader(path, on_error="skip") as reader,
        pytest.raises(CorruptSampleError, match=r"all 3 samples .* are damaged and left out"),
    ):
        next(iter(Cycler(reader)))


# -- readers of other things


@pytest.fixture
def folder(tmp_path):
    for label in "ab":
        (tmp_path / "files" / label).mkdir(parents=True)
        for i in range(5):
            (tmp_path / "files" / label / f"{i}.txt").write_text(f"{label}{i}")
    return tmp_path / "files"


def test_files_that_are_gone_are_left_out(folder):
    reader = DirectoryReader(f"{folder}/{{LABEL}}/*.txt", on_error="skip")
    keys = [reader.find_key(i) for i in range(10)]
    (folder / "a/3.txt").unlink()
    expected = [key for key in keys if key != "a/3.txt"]
    assert [sample["key"] for sample in reader] == expected
    assert [sample["key"] for sample in reader[0:10]] == expected
    assert [s["key"] for batch in reader.batches(3) for s in batch] == expected
    assert len(list(reader.batches(1))) == 10
    (bad,) = reader.quarantine
    assert (bad.path, bad.key) == (str(folder / "a/3.txt"), "a/3.txt")
    assert isinstance(bad.error, SampleFileNotFoundError)
    assert reader.stats().skipped == 4
    with pytest.raises(SampleFileNotFoundError):
        reader.get(bad.index)


def test_files_that_are_listed_are_not_opened(folder, tmp_path):
    (folder / "b/1.txt").rename(folder / "b/gone")
    pattern = f"{folder}/{{LABEL}}/*.txt"
    (folder / "b/1.txt").touch()
    reader = DirectoryReader(pattern, on_error=Quarantine(tmp_path / "bad.jsonl"))
    (folder / "b/1.txt").unlink()
    assert len(list(reader)) == 9
    (folder / "b/1.txt").touch()
    reader = DirectoryReader(pattern, on_error=Quarantine(tmp_path / "bad.jsonl"))
    assert "b/1.txt" not in [sample["key"] for sample in reader]
    assert sum(len(batch) for batch in reader.batches(4)) == 9
    assert (reader.stats().listed, reader.stats().skipped) == (2, 0)


def test_damaged_members_of_an_archive_are_left_out(tmp_path):
    from zipfile import ZipFile

    with ZipFile(tmp_path / "x.zip", "w") as archive:
        for i in range(6):
            archive.writestr(f"a/{i}", f"content {i}")
    data = (tmp_path / "x.zip").read_bytes()
    (tmp_path / "x.zip").write_bytes(data.replace(b"content 4", b"Content 4", 1))
    reader = ZipFileReader(tmp_path / "x.zip", on_error="skip")
    assert [sample["key"] for sample in reader] == [f"a/{i}" for i in (0, 1, 2, 3, 5)]
    assert [len(batch) for batch in reader.batches(3)] == [3, 2]
    assert reader.quarantine[0].path == str(tmp_path / "x.zip")


def test_what_a_program_raises_is_raised_whatever_the_policy():
    def convert(sample):
        raise KeyError(sample["key"])

    reader = ListReader([{"key": "a"}], convertfun=convert, on_error="skip")
    for read in (lambda: list(reader), lambda: list(reader.batches(1)), reader.next):
        with pytest.raises(KeyError):
            read()


def test_a_function_of_the_program_may_call_a_sample_damaged():
    def convert(sample):
        if sample["x"] % 3 == 0:
            raise CorruptSampleError(f"{sample['x']} cannot be decoded")

    reader = ListReader([{"x": i} for i in range(9)], convertfun=convert, on_error="skip")
    assert [sample["x"] for sample in reader] == [1, 2, 4, 5, 7, 8]
    assert [batch["x"].tolist() for batch in reader.batches(4)] == [[1, 2], [4, 5, 7], [8]]
    assert [sample["x"] for sample in Shuffler(reader)] != [1, 2, 4, 5, 7, 8]


@pytest.mark.parametrize(
    "make",
    [
        lambda path: MsgpackReader(path, on_error="sometimes"),
        lambda path: ShardedReader([path], on_error="sometimes"),
        lambda _: ListReader([], on_error="sometimes"),
    ],
)
def test_readers_refuse_other_policies(path, make):
    with pytest.raises(ValueError, match="on_error is 'sometimes'"):
        make(path)


# -- quarantine


@pytest.mark.parametrize("options", SETTINGS, ids=str)
@pytest.mark.parametrize("batch_size", [1, 5, 200])
def test_listed_samples_are_left_out_unread(path, tmp_path, whole, options, batch_size):
    with MsgpackReader(path, on_error=Quarantine(tmp_path / "bad.jsonl")) as reader:
        first = indices_of(reader.batches(batch_size, shuffle=True))
        assert reader.stats().skipped == len(BAD)
    lines = (tmp_path / "bad.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["index"] for line in lines) == BAD
    path.write_bytes(b"".join(whole.rawiter()))  # all are well now, but the list is believed
    with MsgpackReader(path, on_error=Quarantine(tmp_path / "bad.jsonl"), **options) as reader:
        assert indices_of(reader.batches(batch_size, shuffle=True)) == first
        assert [sample["label"] for sample in reader] == GOOD
        assert (reader.stats().listed, reader.stats().skipped) == (2 * len(BAD), 0)
        assert_same_sample(reader.get(13), SAMPLES[13])


def test_nested_data_of_a_complex_number_is_damage_of_one_sample(tmp_path):
    nested = b"\x82" + packb(b"complex") + b"\xc3" + packb(b"data") + b"\x91" * 1000 + b"\xc0"
    with RawWriter(tmp_path / "x.msgpack", disable=True) as writer:
        for key in "abc":
            writer.write(
                key, b"\x82" + packb("key") + packb(key) + packb("v") + (nested if key == "b" else b"\x01")
            )
    with MsgpackReader(tmp_path / "x.msgpack", on_error="skip") as reader:
        assert [sample["key"] for sample in reader] == ["a", "c"]
        assert [bad.key for bad in reader.quarantine] == ["b"]
        with pytest.raises(
            CorruptSampleError, match=r"sample 1 \('b'\) is damaged at byte .* is not a complex number"
        ):
            reader.get(1)
        (batch,) = reader.batches(3)
        assert batch[2] == {"key": "c", "v": 1}
        with pytest.raises(CorruptSampleError, match=r"sample 1 \('b'\)"):
            batch["v"].tolist()
