# An uninitialised numpy array of `shape`.
cdef object empty(object shape, str dtype)
