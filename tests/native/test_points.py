import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast._native.points import pack_points, unpack_points

coordinates = st.integers(0, 4).flatmap(
    lambda decimals: st.lists(st.integers(-(10**7), 10**7).map(lambda n: n / 10**decimals), max_size=40)
)


def comes_back(values, decimals):
    return np.array_equal(np.round(values.astype(np.float32).astype(np.float64), decimals), values)


@given(coordinates | st.lists(st.floats(width=32) | st.floats(), max_size=5))
def test_points_are_packed_with_the_fewest_decimals_that_give_them_back(values):
    values = np.array(values, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        fitting = [decimals for decimals in range(5) if comes_back(values, decimals)]
    packed = pack_points(values)
    if not fitting:
        assert packed is None
    else:
        points, decimals = packed
        assert (points.dtype, decimals) == (np.float32, fitting[0])
        assert unpack_points(points, decimals).tobytes() == values.tobytes()


def test_one_value_beyond_the_first_thousands_decides():
    values = np.full(5000, 1.5)
    assert pack_points(values)[1] == 1
    values[4999] = 0.25
    assert pack_points(values)[1] == 2
    values[4998] = 0.123456
    assert pack_points(values) is None


def test_no_points_need_no_decimals():
    points, decimals = pack_points(np.empty(0))
    assert (len(points), decimals, len(unpack_points(points, decimals))) == (0, 0, 0)


@pytest.mark.parametrize("decimals", [-1, 5])
def test_decimals_have_limits(decimals):
    with pytest.raises(ValueError, match=f"decimals must be between 0 and 4, not {decimals}"):
        unpack_points(np.zeros(1, np.float32), decimals)
