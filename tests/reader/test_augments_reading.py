"""Reading with augments: forms of samples, batches, damage, and cleaning up."""

import copy
import gc
import pickle
import time
from itertools import islice

import numpy as np
import pytest
from datasets import damage, offsets_of, some_samples, write, write_offsets

from ddfast._native.decode import Decoder
from ddfast.batch import Batch
from ddfast.errors import (
    ClosedError,
    CorruptSampleError,
    IndexFileError,
    KernelError,
    PickleRefusedError,
    StorageTimeoutError,
)
from ddfast.reader import Cycler, MsgpackReader, QuasiShuffler, Range, Repeater, Shuffler, read_ahead
from ddfast.testing import assert_same_sample
from ddfast.tools.msgpack import unpackb

N = 40
WRAPS = {
    "Range": lambda r: Range(r, 3, 33),
    "Shuffler": Shuffler,
    "QuasiShuffler": lambda r: QuasiShuffler(r, 8, 4),
    "Repeater": lambda r: Repeater(r, 2),
    "Cycler": Cycler,
    "Shuffler of a Repeater": lambda r: Shuffler(Repeater(r, 2)),
    "Range of a QuasiShuffler": lambda r: Range(QuasiShuffler(r, 8, 4), 1, 30),
}


def large_samples(count):
    return [{"key": f"{i}", "label": i, "image": bytes([i]) * (40_000 + 100 * i)} for i in range(count)]


SAMPLES = {"small": some_samples(N), "large": large_samples(N)}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("augments")
    return {name: write(folder / f"{name}.msgpack", samples, "ddfast") for name, samples in SAMPLES.items()}


class OwnGet(MsgpackReader):
    """A reader that makes more of its samples than the file has."""

    def get(self, index, yield_key=False, raw=False, copy=True):
        return super().get(index, yield_key, raw, copy)


@pytest.fixture(params=["small", "large", "large and not in the page cache", "small, with a get of its own"])
def case(request, paths, monkeypatch):
    """A reader and its samples, for each of the ways to read them."""
    name = request.param.partition(" ")[0].strip(",")
    if "cache" in request.param:
        answers = iter([False, True, False, True, *[False] * 100])
        monkeypatch.setattr(read_ahead, "_is_ready", lambda packed, index: next(answers))
        monkeypatch.setattr(read_ahead, "AHEAD_BYTES", 100_000)
        monkeypatch.setattr(read_ahead, "LOOK_EVERY", 3)
    with (OwnGet if "own" in request.param else MsgpackReader)(paths[name]) as reader:
        yield reader, SAMPLES[name]


@pytest.fixture
def reader(paths):
    with MsgpackReader(paths["small"]) as reader:
        yield reader


def order_of(augment):
    """Indices of the samples that an iterator gives, at most three passes."""
    position = augment._tell()
    stretches = augment._stretches(position)
    return list(islice((int(i) for stretch in stretches for i in stretch), 100))


# -- forms of samples


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("yield_key", [True, False])
def test_samples_come_in_the_form_that_was_asked_for(case, wrap, yield_key, raw, copied):
    reader, samples = case
    augment = WRAPS[wrap](reader)
    expected = [samples[i] for i in order_of(WRAPS[wrap](reader))]
    given = list(islice(augment.iter(yield_key, raw, copied), len(expected)))
    if yield_key:
        assert [key for key, _ in given] == [sample["key"] for sample in expected]
        given = [sample for _, sample in given]
    if raw:
        assert {type(sample) for sample in given} <= ({bytes} if copied else {bytes, memoryview})
        given = [unpackb(sample) for sample in given]
    assert_same_sample(given, expected)


@pytest.mark.parametrize("wrap", WRAPS)
def test_rawiter_gives_packed_samples(case, wrap):
    reader, samples = case
    augment = WRAPS[wrap](reader)
    order = order_of(augment)[:20]
    packed = [reader.get(i, raw=True) for i in order]
    assert list(islice(augment.rawiter(), 20)) == packed
    augment.seek(0)
    keys = [samples[i]["key"] for i in order]
    assert list(islice(augment.rawiter(True), 20)) == list(zip(keys, packed, strict=True))


def test_a_reader_with_a_get_of_its_own_is_asked_for_each_sample(paths):
    class Labelled(MsgpackReader):
        def get(self, index, yield_key=False, raw=False, copy=True):
            return index

    with Labelled(paths["small"]) as reader:
        for augment in (Shuffler(reader), QuasiShuffler(reader)):
            assert sorted(augment) == list(range(N))


# -- batches


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batches_are_what_an_iterator_gives_in_pieces(case, wrap, batch_size):
    reader, samples = case
    augment = WRAPS[wrap](reader)
    order = order_of(augment)
    batches = list(islice(augment.batches(batch_size), 100 // batch_size + 1))
    assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    assert [i for batch in batches for i in batch.indices.tolist()][:100] == order
    assert [key for batch in batches for key in batch.keys][:100] == [samples[i]["key"] for i in order]
    assert_same_sample([s for batch in batches for s in batch][:100], [samples[i] for i in order])


@pytest.mark.parametrize("wrap", WRAPS)
def test_batches_have_the_columns_that_were_asked_for(case, wrap):
    reader, _ = case
    augment = WRAPS[wrap](reader)
    assert next(augment.batches(3, columns=["label"])).columns == ("label",)
    assert "image" in next(augment.batches(3)).columns
    raw = next(augment.batches(3, raw=True))
    assert raw.columns == ()
    assert all(isinstance(sample, memoryview) for sample in raw)


@pytest.mark.parametrize("wrap", WRAPS)
def test_batches_have_the_columns_that_the_reader_was_opened_with(paths, wrap):
    with MsgpackReader(paths["small"], columns=["label"]) as reader:
        assert next(WRAPS[wrap](reader).batches(3)).columns == ("label",)


@pytest.mark.parametrize("wrap", [w for w in WRAPS if w != "Cycler"])
@pytest.mark.parametrize("drop_last", [True, False])
def test_the_number_of_batches_is_known(reader, wrap, drop_last):
    augment = WRAPS[wrap](reader)
    augment.seek(5)
    left = len(order_of(augment))
    batches = augment.batches(8, drop_last=drop_last)
    number = left // 8 if drop_last else -(-left // 8)
    assert len(batches) == number
    assert len(list(batches)) == number == len(batches)


@pytest.mark.parametrize("wrap", ["Range", "Shuffler", "QuasiShuffler"])
def test_the_position_moves_on_with_batches_and_then_to_the_next_pass(reader, wrap):
    augment, other = WRAPS[wrap](reader), WRAPS[wrap](reader)
    first, second = ([sample["label"] for sample in other] for _ in range(2))
    next(augment.batches(8))
    assert [sample["label"] for sample in augment] == first[8:]
    batches = augment.batches(8, drop_last=True)
    assert [i for batch in batches for i in batch["label"].tolist()] == second[: len(second) // 8 * 8]
    assert augment._tell() == 2 * len(augment)


def test_the_last_batch_sets_the_position_to_the_next_pass(reader):
    augment = Shuffler(reader)
    for _ in islice(augment.batches(16, drop_last=True), N // 16):
        pass
    assert augment._tell() == N
    assert list(augment.batches(N + 1, drop_last=True)) == []
    assert augment._tell() == 2 * N


def test_batches_of_a_repeater_go_across_passes(reader):
    repeater = Repeater(Range(reader, 0, 3), 3)
    batches = [batch.indices.tolist() for batch in repeater.batches(4)]
    assert batches == [[0, 1, 2, 0], [1, 2, 0, 1], [2]]


def test_batches_of_a_cycler_move_the_reader_on(reader):
    reader.seek(N - 2)
    cycler = Cycler(reader)
    assert next(cycler.batches(4)).indices.tolist() == [N - 2, N - 1, 0, 1]
    assert reader.next()["label"] == 2


def test_long_cycles_are_read_in_several_streams(reader, monkeypatch):
    monkeypatch.setattr("ddfast.reader.augment.batches.STREAM_SAMPLES", 10)
    batches = Cycler(Range(reader, 0, 7)).batches(4)
    indices = [i for batch in islice(batches, 20) for i in batch.indices.tolist()]
    assert indices == [i % 7 for i in range(80)]


def test_closed_batches_give_no_more(reader):
    for wrap in WRAPS.values():
        batches = wrap(reader).batches(3)
        next(batches)
        batches.close()
        assert list(batches) == []


# -- damage


@pytest.fixture(params=["small", "large"])
def damaged(request, tmp_path):
    """A reader of which sample 5 is damaged, and the samples."""
    samples = SAMPLES[request.param]
    path = write(tmp_path / "x.msgpack", samples, "ddfast")
    damage(path, 5)
    with MsgpackReader(path) as reader:
        yield reader, samples


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("yield_key", [True, False])
def test_a_damaged_sample_raises_when_its_turn_comes(damaged, wrap, yield_key):
    reader, samples = damaged
    augment = WRAPS[wrap](reader)
    order = order_of(augment)
    if 5 not in order:
        pytest.skip("the damaged sample is none of these")
    given = []
    with pytest.raises(CorruptSampleError, match=r"x\.msgpack: sample 5 \('.*5.*'\) is damaged at byte 0"):
        given.extend(augment.iter(yield_key))
    if yield_key:
        given = [sample for _, sample in given]
    assert_same_sample(given, [samples[i] for i in order[: order.index(5)]])
    if "Range" not in wrap:  # which begins again
        with pytest.raises(CorruptSampleError, match="sample 5 "):
            next(iter(augment))


@pytest.mark.parametrize("wrap", ["Range", "Shuffler", "QuasiShuffler"])
def test_one_can_seek_past_damage(damaged, wrap):
    reader, samples = damaged
    augment = WRAPS[wrap](reader)
    order = order_of(augment)
    augment.seek(order.index(5) + 1)
    assert_same_sample(list(augment), [samples[i] for i in order[order.index(5) + 1 :]])


@pytest.mark.parametrize("wrap", WRAPS)
def test_damaged_samples_come_packed_as_they_are(damaged, wrap):
    reader, _ = damaged
    augment = WRAPS[wrap](reader)
    order = order_of(augment)
    given = list(islice(augment.rawiter(), len(order)))
    assert given == [reader.get(i, raw=True) for i in order]


@pytest.mark.parametrize("wrap", ["Range", "Shuffler", "QuasiShuffler"])
def test_batches_go_on_behind_one_with_damage(damaged, wrap):
    reader, _ = damaged
    augment = WRAPS[wrap](reader)
    order = order_of(augment)
    hit = order.index(5) // 4 * 4
    batches, given = augment.batches(4), []
    for _ in range(len(batches) - 1):
        if augment._tell() == hit:
            with pytest.raises(CorruptSampleError, match="sample 5 "):
                next(batches)
            assert augment._tell() == hit
        given += next(batches).indices.tolist()
    assert given == order[:hit] + order[hit + 4 :]
    assert augment._tell() == len(augment)


@pytest.mark.parametrize("wrap", ["Shuffler", "QuasiShuffler"])
def test_a_sample_that_cannot_be_read_raises_when_its_turn_comes(tmp_path, wrap):
    samples = SAMPLES["small"]
    path = write(tmp_path / "x.msgpack", samples, "ddfast")
    offsets = offsets_of(path)
    offsets[8] = offsets[10]  # sample 7 runs too far, 8 has none, 9 is whole
    write_offsets(path, offsets)
    with MsgpackReader(path) as reader:
        augment = WRAPS[wrap](reader)
        order = order_of(augment)
        given = []
        for position, index in enumerate(order):
            augment.seek(position)
            error = {7: CorruptSampleError, 8: IndexFileError}.get(index)
            if error is None:
                given.append(next(iter(augment)))
            else:
                with pytest.raises(error, match=rf"sample {index}\b"):
                    next(iter(augment))
        assert_same_sample(given, [samples[i] for i in order if i not in (7, 8)])
        augment.seek(0)
        first = min(order.index(7), order.index(8))
        given = []
        with pytest.raises((CorruptSampleError, IndexFileError)):
            given.extend(augment)
        assert_same_sample(given, [samples[i] for i in order[:first]])
        augment.seek(0)
        batches = augment.batches(1)
        assert sum(_gives(batches) for _ in order) == N - 2


def _gives(batches):
    try:
        return len(next(batches))
    except (CorruptSampleError, IndexFileError):
        return 0


def test_a_pickled_array_is_refused_when_its_turn_comes(tmp_path):
    import datadings.writer

    path = tmp_path / "x.msgpack"
    with datadings.writer.FileWriter(path, disable=True) as writer:
        for i in range(20):
            writer.write({"key": str(i), "x": np.array([None], object) if i == 7 else i})
    with MsgpackReader(path) as reader:
        for augment in (Shuffler(reader), QuasiShuffler(reader, 4, 2), Range(reader, 3)):
            order = order_of(augment)
            given = []
            with pytest.raises(PickleRefusedError, match=r"sample 7 \('7'\)"):
                given.extend(augment)
            assert [sample["x"] for sample in given] == order[: order.index(7)]


@pytest.mark.parametrize("error", [StorageTimeoutError, ClosedError])
@pytest.mark.parametrize("wrap", ["Shuffler", "QuasiShuffler"])
def test_storage_that_is_given_up_is_not_asked_again(reader, monkeypatch, wrap, error):
    def fail(batches):
        raise error("x does not answer")

    monkeypatch.setattr("ddfast.reader.batches.PrefetchedBatches.__next__", fail)
    augment = WRAPS[wrap](reader)
    with pytest.raises(error, match="x does not answer"):
        next(iter(augment))
    with pytest.raises(error, match="x does not answer"):
        next(augment.batches(4))


def test_batches_of_a_quasi_shuffler_that_ended_with_an_error_say_so(reader, monkeypatch):
    def fail(batches):
        raise StorageTimeoutError("x does not answer")

    monkeypatch.setattr("ddfast.reader.batches.PrefetchedBatches.__next__", fail)
    batches = QuasiShuffler(reader).batches(4)
    with pytest.raises(StorageTimeoutError):
        next(batches)
    with pytest.raises(ClosedError, match="these batches ended with an earlier error"):
        next(batches)


# -- what is left behind


def assert_all_memory_is_back(reader):
    pool = reader._own_fetcher().pool
    for _ in range(200):  # a thread that has just read something lets go of it last
        if pool.used == 0:
            break
        time.sleep(0.01)
    assert pool.used == 0


@pytest.mark.parametrize("wrap", WRAPS)
def test_leaving_a_loop_gives_the_memory_back(reader, wrap):
    augment = WRAPS[wrap](reader)
    for _ in augment:
        break
    for _ in augment.batches(3):
        break
    del _
    gc.collect()
    assert_all_memory_is_back(reader)


@pytest.mark.parametrize("name", ["small", "large"])
@pytest.mark.parametrize("raw", [True, False])
def test_a_buffer_keeps_no_batches_alive(paths, monkeypatch, name, raw):
    monkeypatch.setattr(read_ahead, "_is_ready", lambda packed, index: False)
    with MsgpackReader(paths[name]) as reader:
        samples = QuasiShuffler(reader, 20, 4).iter(raw=raw, copy=False)
        given = [next(samples) for _ in range(N - 15)]  # all is read by now
        assert_all_memory_is_back(reader)
        assert len(given) == N - 15


@pytest.mark.parametrize("wrap", WRAPS)
def test_pickled_and_copied_augments_go_on(reader, wrap):
    augment = WRAPS[wrap](reader)
    augment.seek(4)
    expected = [SAMPLES["small"][i] for i in order_of(augment)][:10]
    for other in (pickle.loads(pickle.dumps(augment)), copy.copy(augment)):
        with other:
            assert_same_sample(list(islice(other, 10)), expected)
        augment.seek(4)


def test_leaving_the_with_block_closes_the_reader(paths):
    reader = MsgpackReader(paths["small"])
    with Shuffler(Range(reader, 2)) as augment:
        assert isinstance(augment, Shuffler)
        next(iter(augment))
        assert "_dataset" in reader.__dict__
    assert "_dataset" not in reader.__dict__


# -- runs of samples


def test_samples_are_looked_for_in_the_page_cache_without_trouble(tmp_path):
    path = write(tmp_path / "x.msgpack", SAMPLES["large"], "ddfast")
    offsets = offsets_of(path)
    offsets[8] = offsets[10]
    write_offsets(path, offsets)
    with MsgpackReader(path) as reader:
        packed = reader._packed
        assert packed.is_large
        assert {read_ahead._is_ready(packed, i) for i in range(N)} <= {True, False}
        assert read_ahead._is_ready(packed, 8)  # reading it will tell what is wrong


@pytest.mark.parametrize("raw", [True, False])
def test_a_run_of_a_batch_takes_as_many_bytes_as_it_may(reader, raw):
    batch = reader.get_many(range(10), raw=True)
    sizes = [len(batch.raw(i)) for i in range(10)]
    assert len(batch.run(3, 1, raw=raw)) == 1
    assert len(batch.run(3, sizes[3] + 1, raw=raw)) == 2
    assert len(batch.run(3, 1 << 60, raw=raw)) == 7
    assert batch.run(10, 1, raw=raw) == []
    given = batch.run(2, 1 << 60, raw=raw)
    assert_same_sample([unpackb(s) if raw else s for s in given], SAMPLES["small"][2:10])


@pytest.mark.parametrize("part", [slice(2, 8), slice(8, 1, -3)])
def test_runs_of_a_part_of_a_batch_follow_its_samples(reader, part):
    batch: Batch = reader.get_many(range(10))[part]
    given = []
    while len(given) < len(batch):
        given += batch.run(len(given), 500)
    assert_same_sample(given, list(batch))


def test_runs_of_messages_end_before_what_is_damaged():
    decoder = Decoder()
    messages = [b"\x01", b"\x02", b"\xc1", b"\x03", 7, b"\x04"]
    assert decoder.unpack_run(messages, 0, 100) == [1, 2]
    assert decoder.unpack_run(messages, 0, 1) == [1]
    assert decoder.unpack_run(messages, 3, 100) == [3]
    assert decoder.unpack_run(messages, 6, 100) == []
    with pytest.raises(KernelError, match="byte 0xc1"):
        decoder.unpack_run(messages, 2, 100)
    with pytest.raises(TypeError, match="bytes"):
        decoder.unpack_run(messages, 4, 100)
