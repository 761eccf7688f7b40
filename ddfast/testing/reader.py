"""Conformance tests of readers."""

# fixtures and parameters of a test are passed by name
from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
import pytest

from ddfast.reader import Reader
from ddfast.testing.batches import BatchTests
from ddfast.testing.equality import assert_same_sample
from ddfast.tools.msgpack import unpackb

Sample = dict[str, Any]

# Slices of readers with at least LEAST samples.
LEAST = 8
SLICES = [
    (0, None),
    (0, 3),
    (2, 5),
    (3, 3),
    (5, 2),
    (-3, None),
    (-4, -1),
    (1, -1),
    (0, 1 << 40),
]
FLAGS = [
    (yield_key, raw, copied)
    for yield_key in (False, True)
    for raw in (False, True)
    for copied in (False, True)
]
CHUNK_SIZES = [1, 2, 3, 7, 1000]
IMPOSSIBLE = ["int", "none", "bytes", "list", "surrogate"]
NO_KEY = "no sample has this key"


class ReaderTests(BatchTests):
    """Tests that every `ddfast.reader.Reader` passes. Subclass it and define two fixtures::

        class TestMyReader(ReaderTests):
            @pytest.fixture
            def samples(self):
                return [{"key": f"{i}", "label": i} for i in range(10)]

            @pytest.fixture
            def reader(self, samples, tmp_path):
                write_somehow(samples, tmp_path / "data")
                with MyReader(tmp_path / "data") as reader:
                    yield reader

    If a reader differs intentionally, override the test and document the reason.
    """

    # -- fixtures and methods for subclasses

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        """The expected samples: at least 8 different ones."""
        raise NotImplementedError("define a fixture `samples`")

    @pytest.fixture
    def keys(self, samples: Sequence[Sample]) -> Sequence[str]:
        """The keys of the samples; by default their ``"key"`` fields."""
        return [sample["key"] for sample in samples]

    @pytest.fixture
    def reader(self) -> Iterator[Reader]:
        """A new reader of the samples for each test."""
        raise NotImplementedError("define a fixture `reader`")

    def unpack(self, packed: Any) -> Any:
        """The sample in a packed sample."""
        return unpackb(packed)

    def assert_same(self, ours: Any, expected: Any) -> None:
        """Fail unless two samples, or lists of samples, are equal."""
        assert_same_sample(ours, expected)

    def assert_given(
        self,
        given: Sequence[Any],
        keys: Sequence[str],
        samples: Sequence[Sample],
        yield_key: bool,
        raw: bool,
        copied: bool,
    ) -> None:
        """Fail unless a reader returned these samples in the requested form."""
        if yield_key:
            assert [key for key, _ in given] == list(keys)
            given = [sample for _, sample in given]
        if raw:
            assert all(isinstance(sample, bytes if copied else bytes | memoryview) for sample in given)
            given = [self.unpack(sample) for sample in given]
        self.assert_same(list(given), list(samples))

    # -- size and single samples

    def test_length_is_the_number_of_samples(self, reader: Reader, samples: Sequence[Sample]) -> None:
        assert len(samples) >= LEAST
        assert len(reader) == len(samples)

    @pytest.mark.parametrize(("yield_key", "raw", "copied"), FLAGS)
    def test_get_gives_every_sample(
        self,
        reader: Reader,
        samples: Sequence[Sample],
        keys: Sequence[str],
        yield_key: bool,
        raw: bool,
        copied: bool,
    ) -> None:
        given = [
            reader.get(i, yield_key=yield_key, raw=raw, copy=copied) for i in reversed(range(len(samples)))
        ]
        self.assert_given(given[::-1], keys, samples, yield_key, raw, copied)

    @pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.uint64])
    def test_get_takes_numpy_integers(
        self, reader: Reader, samples: Sequence[Sample], kind: Callable[[int], Any]
    ) -> None:
        self.assert_same(reader.get(kind(3)), samples[3])

    def test_get_counts_negative_indices_from_the_end(
        self, reader: Reader, samples: Sequence[Sample]
    ) -> None:
        for index in (-1, -2, -len(samples)):
            self.assert_same(reader.get(index), samples[index])

    @pytest.mark.parametrize("beyond", [0, 1, 1 << 31, 1 << 70])
    def test_get_refuses_indices_above_the_range(self, reader: Reader, beyond: int) -> None:
        with pytest.raises(IndexError):
            reader.get(len(reader) + beyond)

    @pytest.mark.parametrize("beyond", [0, 1, 1 << 31, 1 << 70])
    def test_get_refuses_indices_below_the_range(self, reader: Reader, beyond: int) -> None:
        with pytest.raises(IndexError):
            reader.get(-len(reader) - 1 - beyond)

    @pytest.mark.parametrize("index", ["0", None, 1.0])
    def test_get_refuses_what_is_no_integer(self, reader: Reader, index: Any) -> None:
        with pytest.raises((TypeError, IndexError)):
            reader.get(index)

    def test_a_packed_sample_is_one_message(self, reader: Reader) -> None:
        unpacker = msgpack.Unpacker(strict_map_key=False)
        unpacker.feed(reader.get(0, raw=True))
        unpacker.skip()
        with pytest.raises(msgpack.OutOfData):
            unpacker.skip()

    # -- slices

    @pytest.mark.parametrize(("start", "stop"), SLICES)
    def test_slice_follows_the_rules_of_python_slices(
        self, reader: Reader, samples: Sequence[Sample], start: int, stop: int | None
    ) -> None:
        self.assert_same(list(reader.slice(start, stop)), list(samples[start:stop]))

    @pytest.mark.parametrize(("yield_key", "raw", "copied"), FLAGS)
    def test_slice_gives_keys_and_packed_samples(
        self,
        reader: Reader,
        samples: Sequence[Sample],
        keys: Sequence[str],
        yield_key: bool,
        raw: bool,
        copied: bool,
    ) -> None:
        given = list(reader.slice(2, 6, yield_key, raw, copied))
        self.assert_given(given, keys[2:6], samples[2:6], yield_key, raw, copied)

    def test_slice_is_an_iterator(self, reader: Reader, samples: Sequence[Sample]) -> None:
        iterator = reader.slice(1, 3)
        self.assert_same([next(iterator), next(iterator)], list(samples[1:3]))
        with pytest.raises(StopIteration):
            next(iterator)

    @pytest.mark.parametrize(("start", "stop"), SLICES)
    def test_brackets_take_slices(
        self, reader: Reader, samples: Sequence[Sample], start: int, stop: int | None
    ) -> None:
        self.assert_same(list(reader[start:stop]), list(samples[start:stop]))

    @pytest.mark.parametrize("index", [0, 3, np.int64(2)])
    def test_brackets_take_an_index(self, reader: Reader, samples: Sequence[Sample], index: int) -> None:
        self.assert_same(reader[index], samples[index])

    @pytest.mark.parametrize("step", [2, -1])
    def test_brackets_refuse_steps(self, reader: Reader, step: int) -> None:
        with pytest.raises(ValueError, match="step"):
            reader[::step]

    def test_brackets_refuse_indices_out_of_range(self, reader: Reader) -> None:
        with pytest.raises(IndexError):
            reader[len(reader)]

    def test_long_slices_in_brackets_are_read_in_chunks(
        self, reader: Reader, samples: Sequence[Sample]
    ) -> None:
        reader.getitem_max_slice_length = 4
        reader.getitem_chunk_size = 2
        self.assert_same(list(reader[1:7]), list(samples[1:7]))

    def test_long_slices_in_brackets_move_the_position_and_short_ones_do_not(
        self, reader: Reader, samples: Sequence[Sample]
    ) -> None:
        reader.getitem_max_slice_length = 4
        list(reader[0:3])
        self.assert_same(reader.next(), samples[0])
        list(reader[0:4])
        self.assert_same(reader.next(), samples[5])

    # -- iteration and the position

    def test_iterating_gives_all_samples_in_order(self, reader: Reader, samples: Sequence[Sample]) -> None:
        self.assert_same(list(reader), list(samples))

    def test_iterating_again_starts_at_the_beginning(self, reader: Reader, samples: Sequence[Sample]) -> None:
        for _ in range(3):
            self.assert_same(list(reader), list(samples))

    def test_iterating_goes_on_at_the_position(self, reader: Reader, samples: Sequence[Sample]) -> None:
        reader.next()
        reader.next()
        self.assert_same(list(reader), list(samples[2:]))
        reader.seek(5)
        self.assert_same(list(reader), list(samples[5:]))

    def test_breaking_off_leaves_the_position_behind_the_last_sample(
        self, reader: Reader, samples: Sequence[Sample]
    ) -> None:
        for i, _ in enumerate(reader):
            if i == 2:
                break
        self.assert_same(reader.next(), samples[3])
        self.assert_same(list(reader), list(samples[4:]))

    def test_several_iterators_give_their_own_samples(
        self, reader: Reader, samples: Sequence[Sample]
    ) -> None:
        first, second = reader.iter(0), reader.iter(4)
        for i in range(4):
            self.assert_same([next(first), next(second)], [samples[i], samples[4 + i]])

    @pytest.mark.parametrize("chunk_size", CHUNK_SIZES)
    def test_any_chunk_size_gives_the_same_samples(
        self, reader: Reader, samples: Sequence[Sample], chunk_size: int
    ) -> None:
        self.assert_same(list(reader.iter(chunk_size=chunk_size)), list(samples))
        self.assert_same(list(reader.iter(3, 6, chunk_size=chunk_size)), list(samples[3:6]))

    @pytest.mark.parametrize(("start", "stop"), SLICES)
    def test_iter_takes_start_and_stop(
        self, reader: Reader, samples: Sequence[Sample], start: int, stop: int | None
    ) -> None:
        self.assert_same(list(reader.iter(start, stop)), list(samples[start:stop]))

    def test_iter_without_start_stops_where_told(self, reader: Reader, samples: Sequence[Sample]) -> None:
        reader.seek(2)
        self.assert_same(list(reader.iter(stop=4)), list(samples[2:4]))
        self.assert_same(list(reader.iter(stop=-1)), list(samples[4:-1]))

    def test_iter_refuses_a_start_out_of_range(self, reader: Reader) -> None:
        for start in (len(reader), len(reader) + 1, -len(reader) - 1):
            with pytest.raises(IndexError):
                list(reader.iter(start))

    @pytest.mark.parametrize(("yield_key", "raw", "copied"), FLAGS)
    def test_iter_gives_keys_and_packed_samples(
        self,
        reader: Reader,
        samples: Sequence[Sample],
        keys: Sequence[str],
        yield_key: bool,
        raw: bool,
        copied: bool,
    ) -> None:
        given = list(reader.iter(yield_key=yield_key, raw=raw, copy=copied, chunk_size=3))
        self.assert_given(given, keys, samples, yield_key, raw, copied)

    @pytest.mark.parametrize("yield_key", [False, True])
    def test_rawiter_gives_packed_samples(
        self, reader: Reader, samples: Sequence[Sample], keys: Sequence[str], yield_key: bool
    ) -> None:
        reader.seek(3)
        self.assert_given(list(reader.rawiter(yield_key)), keys[3:], samples[3:], yield_key, True, True)

    def test_next_gives_one_sample_after_the_other(self, reader: Reader, samples: Sequence[Sample]) -> None:
        self.assert_same([reader.next() for _ in samples], list(samples))

    def test_next_and_rawnext_share_the_position(self, reader: Reader, samples: Sequence[Sample]) -> None:
        packed = reader.rawnext()
        assert isinstance(packed, bytes)
        self.assert_same([self.unpack(packed), next(reader), reader.next()], list(samples[:3]))

    @pytest.mark.parametrize("name", ["next", "rawnext", "__next__"])
    def test_next_stops_at_the_end_and_stays_there(self, reader: Reader, name: str) -> None:
        reader.seek(-1)
        getattr(reader, name)()
        for _ in range(2):
            with pytest.raises(StopIteration):
                getattr(reader, name)()

    def test_get_and_slice_leave_the_position_alone(self, reader: Reader, samples: Sequence[Sample]) -> None:
        reader.seek(2)
        reader.get(5)
        list(reader.slice(4, 6))
        self.assert_same(reader.next(), samples[2])

    # -- seeking

    @pytest.mark.parametrize("name", ["seek", "seek_index"])
    @pytest.mark.parametrize("index", [0, 4, -1, -3, np.int64(2)])
    def test_seek_goes_to_an_index(
        self, reader: Reader, samples: Sequence[Sample], name: str, index: int
    ) -> None:
        getattr(reader, name)(index)
        self.assert_same(reader.next(), samples[index])

    def test_seek_refuses_indices_out_of_range_and_stays(
        self, reader: Reader, samples: Sequence[Sample]
    ) -> None:
        reader.seek(1)
        for index in (len(reader), -len(reader) - 1, 1 << 70):
            with pytest.raises(IndexError):
                reader.seek(index)
        self.assert_same(reader.next(), samples[1])

    def test_seek_key_goes_to_a_sample(
        self, reader: Reader, samples: Sequence[Sample], keys: Sequence[str]
    ) -> None:
        for i in (5, 0, len(keys) - 1):
            reader.seek_key(keys[i])
            self.assert_same(reader.next(), samples[i])

    def test_seek_key_refuses_unknown_keys_and_stays(self, reader: Reader, samples: Sequence[Sample]) -> None:
        reader.seek(1)
        with pytest.raises(KeyError):
            reader.seek_key(NO_KEY)
        self.assert_same(reader.next(), samples[1])

    # -- keys

    def test_keys_and_indices_are_found_from_each_other(self, reader: Reader, keys: Sequence[str]) -> None:
        assert [reader.find_key(i) for i in range(len(keys))] == list(keys)
        assert [reader.find_index(key) for key in keys] == list(range(len(keys)))

    def test_find_key_counts_negative_indices_from_the_end(self, reader: Reader, keys: Sequence[str]) -> None:
        assert reader.find_key(-1) == keys[-1]

    def test_find_key_refuses_indices_out_of_range(self, reader: Reader) -> None:
        for index in (len(reader), -len(reader) - 1):
            with pytest.raises(IndexError):
                reader.find_key(index)

    @pytest.mark.parametrize("key", [NO_KEY, "", "\N{SNOWMAN}"])
    def test_unknown_keys_are_not_found(self, reader: Reader, key: str) -> None:
        assert key not in reader
        with pytest.raises(KeyError):
            reader.find_index(key)

    @pytest.mark.parametrize("key", [10**9, None, b"key", [], "\ud800"], ids=IMPOSSIBLE)
    def test_what_cannot_be_a_key_is_not_found(self, reader: Reader, key: Any) -> None:
        assert key not in reader
        with pytest.raises((KeyError, TypeError)):
            reader.find_index(key)

    def test_keys_may_be_of_a_subclass_of_str(self, reader: Reader, keys: Sequence[str]) -> None:
        key = np.array(keys)[3]
        assert key in reader
        assert reader.find_index(key) == 3
        reader.seek_key(key)
        self.assert_same(reader.next(), reader.get(3))

    def test_known_keys_are_contained(self, reader: Reader, keys: Sequence[str]) -> None:
        assert all(key in reader for key in keys)

    # -- life

    def test_a_copy_gives_the_same_samples(self, reader: Reader, samples: Sequence[Sample]) -> None:
        with copy.copy(reader) as other:
            assert type(other) is type(reader)
            self.assert_same(list(other), list(samples))

    def test_a_copy_starts_at_the_position_and_then_has_its_own(
        self, reader: Reader, samples: Sequence[Sample]
    ) -> None:
        reader.seek(2)
        with copy.copy(reader) as other:
            self.assert_same([other.next(), other.next()], list(samples[2:4]))
            self.assert_same(reader.next(), samples[2])
            reader.seek(0)
            self.assert_same(other.next(), samples[4])

    def test_closing_a_copy_leaves_the_reader_open(self, reader: Reader, samples: Sequence[Sample]) -> None:
        reader.get(0)
        with copy.copy(reader) as other:
            other.get(0)
        self.assert_same(reader.get(1), samples[1])

    def test_a_reader_is_its_own_context(self, reader: Reader) -> None:
        with reader as entered:
            assert entered is reader

    def test_errors_leave_the_context(self, reader: Reader) -> None:
        with pytest.raises(ZeroDivisionError), reader:
            raise ZeroDivisionError

    def test_a_reader_works_again_after_its_context(
        self, reader: Reader, samples: Sequence[Sample], keys: Sequence[str]
    ) -> None:
        for i in range(3):
            with reader:
                self.assert_same(reader.get(i), samples[i])
        self.assert_same(reader.get(3), samples[3])
        assert keys[3] in reader
        self.assert_same(list(reader.slice(2, 5)), list(samples[2:5]))
