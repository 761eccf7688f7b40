# A numpy array of `shape` that holds anything yet.
cdef object empty(object shape, str dtype)
