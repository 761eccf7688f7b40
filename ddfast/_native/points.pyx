"""Coordinates with few decimals as float32, from which every float64 comes back."""

import numpy as np


def pack_points(const double[::1] values):
    cdef size_t n = values.shape[0]
    packed = np.empty(n, np.float32)
    cdef float[::1] out = packed
    cdef int decimals = 0
    if n:
        with nogil:
            decimals = ddf_points_pack(&values[0], n, &out[0])
    return None if decimals < 0 else (packed, decimals)


def unpack_points(const float[::1] values, int decimals):
    if not 0 <= decimals <= DDF_POINTS_DECIMALS:
        raise ValueError(f"decimals must be between 0 and {DDF_POINTS_DECIMALS}, not {decimals}")
    cdef size_t n = values.shape[0]
    points = np.empty(n, np.float64)
    cdef double[::1] out = points
    if n:
        with nogil:
            ddf_points_unpack(&values[0], n, decimals, &out[0])
    return points
