"""Conformance tests of the batches of readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from ddfast.batch import Batch
from ddfast.reader import Reader
from ddfast.testing.equality import assert_same_sample
from ddfast.tools.msgpack import unpackb

Sample = dict[str, Any]


def indices_of(batches: Iterator[Batch]) -> list[int]:
    """The indices of the samples of batches, in order."""
    return [index for batch in batches for index in batch.indices.tolist()]


class BatchTests:
    """Tests of `Reader.get_many` and `Reader.batches`; part of `ReaderTests`, with the same fixtures."""

    # -- any samples

    def test_get_many_gives_samples_in_the_order_asked_for(
        self, reader: Reader, samples: Sequence[Sample], keys: Sequence[str]
    ) -> None:
        batch = reader.get_many([5, 0, -1, 5])
        last = len(samples) - 1
        assert batch.indices.tolist() == [5, 0, last, 5]
        assert batch.keys == [keys[i] for i in (5, 0, last, 5)]
        assert_same_sample(list(batch), [samples[i] for i in (5, 0, last, 5)])

    def test_get_many_gives_packed_samples(self, reader: Reader, samples: Sequence[Sample]) -> None:
        batch = reader.get_many(np.array([2, 1]), raw=True)
        assert batch.columns == ()
        assert_same_sample([unpackb(packed) for packed in batch], [samples[2], samples[1]])

    def test_get_many_gives_the_columns_asked_for(self, reader: Reader, samples: Sequence[Sample]) -> None:
        name = next(iter(samples[0]))
        assert reader.get_many([0, 1], columns=[name]).columns == (name,)
        assert set(reader.get_many([0]).columns) == set(samples[0])

    def test_get_many_of_no_indices_is_empty(self, reader: Reader) -> None:
        assert len(reader.get_many([])) == 0

    def test_get_many_refuses_indices_out_of_range(self, reader: Reader) -> None:
        for index in (len(reader), -len(reader) - 1):
            with pytest.raises(IndexError, match="out of range"):
                reader.get_many([0, index])

    @pytest.mark.parametrize("indices", [[0.5], [[0, 1]], ["0"], [None]])
    def test_get_many_refuses_what_are_no_integers(self, reader: Reader, indices: Any) -> None:
        with pytest.raises(TypeError, match="indices are integers in one dimension"):
            reader.get_many(indices)

    # -- batches

    @pytest.mark.parametrize("batch_size", [1, 3, 8, 1000])
    def test_batches_give_all_samples_in_order(
        self, reader: Reader, samples: Sequence[Sample], keys: Sequence[str], batch_size: int
    ) -> None:
        batches = list(reader.batches(batch_size))
        assert_same_sample([sample for batch in batches for sample in batch], list(samples))
        assert [key for batch in batches for key in batch.keys] == list(keys)
        assert {len(batch) for batch in batches[:-1]} <= {batch_size}

    def test_the_number_of_batches_is_known(self, reader: Reader) -> None:
        for arguments in ({}, {"drop_last": True}, {"start": 2}, {"indices": [1, 2, 3, 4]}):
            batches = reader.batches(3, **arguments)
            number = len(batches)
            assert len(list(batches)) == number == len(batches)

    def test_batches_leave_the_position_alone(self, reader: Reader, samples: Sequence[Sample]) -> None:
        reader.seek(2)
        next(reader.batches(4))
        assert_same_sample(reader.next(), samples[2])

    @pytest.mark.parametrize("shuffle", [True, "block"])
    def test_shuffled_batches_have_every_sample_once(self, reader: Reader, shuffle: Any) -> None:
        orders = [indices_of(reader.batches(3, shuffle=shuffle, seed=1, epoch=e)) for e in (0, 1, 0)]
        assert sorted(orders[0]) == list(range(len(reader)))
        assert orders[0] == orders[2]
        if shuffle is True:
            assert len(reader) < 5 or orders[0] != orders[1]

    def test_any_two_readers_of_as_many_samples_shuffle_alike(self, reader: Reader) -> None:
        from ddfast.order import epoch_order

        n = len(reader)
        expected = epoch_order(n, n, True, 7, 2).indices(0, n).tolist()
        assert indices_of(reader.batches(5, shuffle=True, seed=7, epoch=2)) == expected

    def test_ranks_share_the_order(self, reader: Reader) -> None:
        parts = [indices_of(reader.batches(2, shuffle=True, rank=r, world_size=3)) for r in range(3)]
        assert sorted(index for part in parts for index in part) == list(range(len(reader)))

    def test_batches_begin_where_told(self, reader: Reader) -> None:
        whole = indices_of(reader.batches(2, shuffle=True))
        assert indices_of(reader.batches(3, shuffle=True, start=4)) == whole[4:]

    def test_batches_follow_a_list_of_indices(self, reader: Reader, samples: Sequence[Sample]) -> None:
        order = [3, 3, 0, -1, 2]
        batches = list(reader.batches(2, indices=order))
        assert [len(batch) for batch in batches] == [2, 2, 1]
        assert_same_sample([s for batch in batches for s in batch], [samples[i] for i in order])
        assert indices_of(reader.batches(2, indices=order, start=3)) == [len(samples) - 1, 2]
        assert list(reader.batches(2, indices=[])) == []

    def test_batches_refuse_a_list_that_is_to_be_shuffled(self, reader: Reader) -> None:
        with pytest.raises(ValueError, match="indices are an order already"):
            reader.batches(2, indices=[0, 1], shuffle=True)

    def test_batches_refuse_indices_out_of_range(self, reader: Reader) -> None:
        with pytest.raises(IndexError, match="out of range"):
            reader.batches(2, indices=[0, len(reader)])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"batch_size": 0}, "batch_size is 0"),
            ({"start": -1}, "start is -1"),
            ({"rank": 1}, "rank is 1"),
            ({"shuffle": "blocks"}, "shuffle is 'blocks'"),
        ],
    )
    def test_batches_refuse_arguments_out_of_range(
        self, reader: Reader, arguments: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            reader.batches(**{"batch_size": 2, **arguments})

    def test_batches_take_columns_as_a_sequence_of_names(self, reader: Reader) -> None:
        with pytest.raises(TypeError, match="not a sequence of names"):
            reader.batches(2, columns="label")

    def test_closed_batches_have_ended(self, reader: Reader) -> None:
        batches = reader.batches(2)
        next(batches)
        batches.close()
        assert list(batches) == []

    def test_several_streams_give_their_own_batches(self, reader: Reader) -> None:
        streams = [reader.batches(3, shuffle=True, seed=seed) for seed in range(3)]
        alone = [indices_of(reader.batches(3, shuffle=True, seed=seed)) for seed in range(3)]
        turns = list(zip(*streams, strict=True))
        assert [indices_of(iter(batches)) for batches in zip(*turns, strict=True)] == alone
