"""The read planner, for tests and benchmarks."""

import numpy as np

from ddfast._native.status cimport check


def plan_reads(const uint64_t[:, ::1] spans, uint64_t max_gap, uint64_t max_read):
    cdef size_t n = spans.shape[0]
    if spans.shape[1] != 2 or max_read == 0:
        raise ValueError("spans must have the shape (n, 2), and max_read must be at least 1")
    reads, landing, scratch = np.empty((n + 1, 3), np.uint64), np.empty(n + 1, np.uint64), np.empty(4 * n + 1, np.uint64)
    cdef uint64_t[:, ::1] out = reads
    cdef uint64_t[::1] land = landing, temporary = scratch
    cdef uint64_t total = 0
    cdef int64_t count
    cdef int overlaps
    cdef const ddf_plan_item *sorted
    cdef ddf_err err
    with nogil:
        count = ddf_plan_reads(<const ddf_span *>&spans[0, 0] if n else NULL, n, max_gap, DDF_LANDING_ALIGN,
                               <ddf_read *>&out[0, 0], &land[0], &total, <ddf_plan_item *>&temporary[0], &sorted, &overlaps,
                               &err)
    check(count, &err)
    pieces = np.empty((ddf_plan_cut(<ddf_read *>&out[0, 0], count, max_read, NULL, 0, NULL) + 1, 3), np.uint64)
    cdef uint64_t[:, ::1] cut = pieces
    count = ddf_plan_cut(<ddf_read *>&out[0, 0], count, max_read, NULL, 0, <ddf_read *>&cut[0, 0])
    return pieces[:count], landing[:n], total
