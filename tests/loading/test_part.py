"""Parts: all ranks together follow exactly the order of the epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast.order import Order, Part, epoch_order

sizes = st.integers(0, 200)


@st.composite
def passes(draw):
    n = draw(sizes)
    return {
        "n": n,
        "batch_size": draw(st.integers(1, 30)),
        "start": draw(st.integers(0, n)),
        "world_size": draw(st.integers(1, 9)),
        "drop_last": draw(st.booleans()),
    }


def steps(**kwargs):
    """Positions of each step, those of rank 0 first."""
    parts = [Part(rank=rank, **kwargs) for rank in range(kwargs["world_size"])]
    walk = []
    for number in range(max(map(len, parts))):
        for part in parts:
            if number < len(part):
                first, count = part.stretch(number)
                assert 0 < count <= part.batch_size
                walk.append(range(first, first + count))
    return walk


@given(passes())
def test_all_ranks_together_walk_the_order(kwargs):
    walk = [position for stretch in steps(**kwargs) for position in stretch]
    left = kwargs["n"] - kwargs["start"]
    stride = kwargs["batch_size"] * kwargs["world_size"]
    expected = left // stride * stride if kwargs["drop_last"] else left
    assert walk == list(range(kwargs["start"], kwargs["start"] + expected))


@given(passes())
def test_ranks_differ_by_one_sample_at_most(kwargs):
    taken = []
    for rank in range(kwargs["world_size"]):
        part = Part(rank=rank, **kwargs)
        taken.append(sum(part.stretch(i)[1] for i in range(len(part))))
    assert max(taken) - min(taken) <= 1


@given(passes(), st.integers(0, 10), st.integers(1, 9))
def test_a_pass_resumed_elsewhere_is_the_tail(kwargs, done, world_size):
    walk = steps(**{**kwargs, "drop_last": False})
    taken = sum(map(len, walk[: done * kwargs["world_size"]]))
    kwargs = {**kwargs, "drop_last": False, "start": kwargs["start"] + taken, "world_size": world_size}
    rest = [position for stretch in steps(**kwargs) for position in stretch]
    assert rest == list(range(kwargs["start"], kwargs["n"]))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 1, "start": 11}, "start is 11.*0 to 10"),
        ({"batch_size": 1, "start": -1}, "start is -1"),
        ({"batch_size": 1, "rank": 2, "world_size": 2}, "rank is 2.*= 1"),
        ({"batch_size": 1, "world_size": 0}, "rank is 0"),
    ],
)
def test_arguments_out_of_range_are_told(bad, says):
    with pytest.raises(ValueError, match=says):
        Part(10, **bad)


@pytest.mark.parametrize("name", ["batch_size", "start", "rank", "world_size"])
@pytest.mark.parametrize("value", ["5", 2.0, None])
def test_arguments_that_are_no_integers_are_named(name, value):
    with pytest.raises(TypeError, match=f"{name} is {value!r}, not an integer"):
        Part(10, **{"batch_size": 1, name: value})


def test_block_orders_take_blocks_of_a_mebibyte():
    samples = epoch_order(10_000, 10_000 << 14, "block", seed=1, epoch=0).indices(0, 64 * 64)
    expected = Order(10_000, "block", 1, 0, 64, 64).indices(0, 64 * 64)
    assert np.array_equal(samples, expected)


@pytest.mark.parametrize("seed", [-1, 2**64, 10**30])
def test_any_integer_is_a_seed(seed):
    assert sorted(epoch_order(50, 5000, True, seed, 0).indices(0, 50)) == list(range(50))


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.uint64])
def test_seeds_and_epochs_may_be_numbers_of_numpy(kind):
    order = epoch_order(50, 5000, True, kind(7), kind(3))
    assert np.array_equal(order.indices(0, 50), epoch_order(50, 5000, True, 7, 3).indices(0, 50))


@pytest.mark.parametrize("name", ["seed", "epoch"])
@pytest.mark.parametrize("value", [None, 1.5, "7"])
def test_seeds_and_epochs_that_are_no_integers_are_named(name, value):
    with pytest.raises(TypeError, match=f"{name} is {value!r}, not an integer"):
        epoch_order(5, 5, True, **{"seed": 0, "epoch": 0, name: value})


def test_unknown_shuffles_are_refused():
    with pytest.raises(ValueError, match="shuffle is 'blocks'"):
        epoch_order(5, 5, "blocks", 0, 0)
