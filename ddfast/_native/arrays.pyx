"""Arrays that kernels fill. numpy is imported with the first array: reading a sample may not need it."""

cdef object new = None


cdef object empty(object shape, str dtype):
    global new
    if new is None:
        from numpy import empty as new
    return new(shape, dtype)
