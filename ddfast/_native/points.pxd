from libc.stddef cimport size_t


cdef extern from "ddf_points.h":
    enum:
        DDF_POINTS_DECIMALS

    int ddf_points_pack(const double *values, size_t n, float *out) nogil
    void ddf_points_unpack(const float *values, size_t n, int decimals, double *out) nogil
