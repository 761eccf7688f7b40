from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ddfast._native.status cimport ddf_err


cdef extern from "ddf_common.h":
    ctypedef struct ddf_span:
        uint64_t start
        uint64_t stop


cdef extern from "ddf_scan.h":
    ctypedef enum ddf_scan_key:
        DDF_KEY_TEXT
        DDF_KEY_OTHER
        DDF_KEY_NONE
        DDF_KEY_NO_MAP

    ctypedef struct ddf_scanned:
        uint64_t start
        uint64_t stop
        ddf_scan_key kind
        uint32_t key_size
        uint64_t key_at

    int64_t ddf_scan_run(const uint8_t *p, size_t len, ddf_scanned *out, size_t room, ddf_err *err) nogil
    int64_t ddf_scan_spans(
        const uint8_t *p, size_t len, uint64_t base, const ddf_span *spans, size_t n, ddf_scanned *out,
        ddf_err *err) nogil
