"""Messages to Python objects, equal to the results of msgpack and msgpack-numpy.

One loop builds a message with an explicit stack, so that nesting costs no C stack beyond the 48 kB of `builder`.
Map keys and dtypes come from small caches; arrays, scalars and complex numbers in the layout that msgpack-numpy
writes are built straight from the buffer. All other maps with its keys go to `ddfast._util.nd.decode`.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport memcmp

from ddfast._native.msgpack cimport *
from ddfast._native.nd cimport NdDecoder
from ddfast._native.status cimport DDF_E_DEPTH, DDF_E_TRAILING, DDF_E_TRUNCATED, DDF_E_UTF8, DDF_E_VALUE, check, ddf_err

from ddfast.errors import KernelError, PickleRefusedError

# Failures that already describe their cause, or are not caused by the message.
cdef tuple PASSED_ON = (KernelError, PickleRefusedError, MemoryError, RecursionError)

# The C API with plain pointers: the references on the stack of the builder are released in one place.
cdef extern from "Python.h":
    PyObject *Py_None
    PyObject *Py_True
    PyObject *Py_False
    void Py_INCREF(PyObject *)
    void Py_DECREF(PyObject *)
    void Py_XDECREF(PyObject *)
    PyObject *PyLong_FromLongLong(long long) except NULL
    PyObject *PyLong_FromUnsignedLongLong(unsigned long long) except NULL
    PyObject *PyFloat_FromDouble(double) except NULL
    PyObject *PyBytes_FromStringAndSize(const char *, Py_ssize_t) except NULL
    bint PyBytes_Check(PyObject *)
    bint PyLong_CheckExact(PyObject *)
    bint PyFloat_CheckExact(PyObject *)
    bint PyBool_Check(PyObject *)
    bint PyUnicode_CheckExact(PyObject *)
    Py_ssize_t PyBytes_GET_SIZE(PyObject *)
    const char *PyBytes_AS_STRING(PyObject *)
    PyObject *PyUnicode_DecodeUTF8(const char *, Py_ssize_t, const char *)
    bint PyUnicode_IS_COMPACT_ASCII(PyObject *)
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject *)
    const void *PyUnicode_DATA(PyObject *)
    void PyUnicode_InternInPlace(PyObject **)
    PyObject *PyList_New(Py_ssize_t) except NULL
    void PyList_SET_ITEM(PyObject *, Py_ssize_t, PyObject *)
    PyObject *PyDict_New() except NULL
    int PyDict_SetItem(PyObject *, PyObject *, PyObject *)
    bint PyErr_ExceptionMatches(object)
    void PyErr_Clear()
    # Raise what a C function above has set.
    void raise_pending "PyErr_Occurred" () except *

cdef extern from "ddf_common.h":
    uint32_t ddf_load32(const uint8_t *)
    uint64_t ddf_load64(const uint8_t *)

cdef enum:
    KEY_LIMIT = 64  # longest key in bytes that is remembered
    INTERN_LIMIT = 4096  # strings that one decoder interns; some versions of Python never free them
    # Keys of one map that are neither str, bytes, int, float, bool, None nor ExtType. Anybody can make complex numbers
    # or times whose hashes are equal, and a dict of n of them takes n**2 steps.
    RARE_KEYS = 1024

MAX_RARE_KEYS = RARE_KEYS

# An array or a map that is not complete yet.
cdef struct frame:
    PyObject *items
    PyObject *key  # of a map, waiting for its value
    const uint8_t *at
    const uint8_t *key_at
    uint32_t left
    uint32_t filled
    uint32_t rare_keys
    bint is_map
    bint special  # it has a key of msgpack-numpy's maps

cdef struct builder:
    const uint8_t *base
    const uint8_t *end
    const uint8_t *at  # the value that is being built, for errors
    uint64_t owed  # values that are missing; each takes at least one byte, so this limits every allocation
    uint32_t depth
    PyObject *landed  # borrowed: the bytes object that already holds the payload at `landed_at`
    const uint8_t *landed_at  # NULL: there is none
    frame[DDF_MAX_DEPTH] frames


@cython.no_gc  # what it owns refers to nothing
cdef class Decoder:
    def __cinit__(self, *, bint allow_pickle=False):
        self.allow_pickle = allow_pickle
        self.special = NdDecoder()

    def __dealloc__(self):
        cdef int i
        for i in range(KEY_SLOTS):
            Py_XDECREF(self.keys[i].text)

    def unpack(self, buffer):
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
        try:
            return self.decode(<const uint8_t *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    def unpack_run(self, list messages not None, Py_ssize_t start, uint64_t room):
        cdef list values = []
        cdef uint64_t taken = 0
        cdef bytes message
        cdef Py_ssize_t i
        for i in range(start, len(messages)):
            if values and (taken >= room or type(messages[i]) is not bytes):
                break
            message = messages[i]
            try:
                values.append(self.decode(<const uint8_t *>PyBytes_AS_STRING(<PyObject *>message), len(message)))
            except ValueError:
                if not values:
                    raise
                break
            taken += len(message)
        return values

    cdef object decode(self, const uint8_t *p, uint64_t size):
        return self.decode_landed(p, size, None, NULL)

    cdef object decode_landed(self, const uint8_t *p, uint64_t size, bytes landed, const uint8_t *at):
        cdef const uint8_t *stop = p
        value = take(self.run(&stop, p + size, <PyObject *>landed, at))
        if stop != p + size:
            raise KernelError(DDF_E_TRAILING, "bytes follow the end of the message", 0, stop - p)
        return value

    cdef object decode_value(self, const uint8_t *p, const uint8_t *end):
        return take(self.run(&p, end, NULL, NULL))

    cdef PyObject *run(self, const uint8_t **p, const uint8_t *end, PyObject *landed, const uint8_t *at) except NULL:
        """Build the value at `p[0]` and advance `p[0]` to its end."""
        cdef builder b
        b.base = b.at = p[0]
        b.end = end
        b.owed = 1
        b.depth = 0
        b.landed = landed
        b.landed_at = at
        try:
            return build(self, &b, p)
        except BaseException as error:
            unwind(&b)
            if isinstance(error, PASSED_ON) or not isinstance(error, Exception):
                raise
            raise KernelError(DDF_E_VALUE, f"value cannot be built: {error}", 0, b.at - b.base) from error


cdef inline object take(PyObject *owned):
    value = <object>owned
    Py_DECREF(owned)
    return value


cdef void unwind(builder *b) noexcept:
    cdef frame *top
    while b.depth:
        b.depth -= 1
        top = &b.frames[b.depth]
        Py_DECREF(top.items)
        Py_XDECREF(top.key)


cdef int damaged(builder *b, int status) except -1:
    """Raise the error of a damaged message, with the code and place that the scanner reports for it."""
    cdef ddf_err err
    check(ddf_msgpack_check(b.base, b.end - b.base, 1, &err), &err)
    raise KernelError(status, "message cannot be decoded", 0, b.at - b.base)


cdef PyObject *build(Decoder self, builder *b, const uint8_t **stop) except NULL:
    cdef const uint8_t *p = stop[0]
    cdef const uint8_t *rest
    cdef PyObject *value
    cdef ddf_token token
    cdef int status = 0
    while True:
        b.at = p
        b.owed -= 1
        rest = ddf_token_read(p, b.end, &token, &status)
        if rest == NULL:
            damaged(b, status)
            return NULL
        if token.kind < DDF_ARRAY:
            value = leaf(self, b, &token)
        else:
            value = NULL
            if token.kind == DDF_MAP:
                value = special_form(self, b, &token, &rest)
            if value == NULL:
                value = open_container(b, &token, rest)
        p = rest
        if value != NULL and attach(self, b, &value):
            stop[0] = p
            return value


cdef inline PyObject *leaf(Decoder self, builder *b, const ddf_token *token) except NULL:
    cdef PyObject *constant
    cdef frame *top
    if token.kind == DDF_INT:
        return PyLong_FromLongLong(token.value.i)
    if token.kind == DDF_STR:
        if b.depth:
            top = &b.frames[b.depth - 1]
            if top.is_map and top.key == NULL:
                return map_key(self, b, token)
        return text(b, token)
    if token.kind == DDF_BIN:
        if token.data == b.landed_at:
            Py_INCREF(b.landed)
            return b.landed
        return PyBytes_FromStringAndSize(<const char *>token.data, token.len)
    if token.kind == DDF_FLOAT:
        return PyFloat_FromDouble(token.value.f)
    if token.kind == DDF_UINT:
        return PyLong_FromUnsignedLongLong(token.value.u)
    if token.kind == DDF_EXT:
        return extension(token)
    constant = Py_None if token.kind == DDF_NIL else Py_True if token.value.i else Py_False
    Py_INCREF(constant)
    return constant


cdef PyObject *open_container(builder *b, const ddf_token *token, const uint8_t *rest) except? NULL:
    """Push an array or a map; the value itself if it is empty, else NULL."""
    cdef frame *top = &b.frames[b.depth]
    if b.depth == DDF_MAX_DEPTH:
        damaged(b, DDF_E_DEPTH)
    top.is_map = token.kind == DDF_MAP
    b.owed += (<uint64_t>token.len) << top.is_map
    if b.owed > <uint64_t>(b.end - rest):
        damaged(b, DDF_E_TRUNCATED)
    top.items = PyDict_New() if top.is_map else PyList_New(token.len)
    if token.len == 0:
        return top.items
    top.key = NULL
    top.at = b.at
    top.left = token.len
    top.filled = 0
    top.rare_keys = 0
    top.special = False
    b.depth += 1
    return NULL


cdef bint attach(Decoder self, builder *b, PyObject **value) except -1:
    """Add a value to the innermost open container, and a container that is full to the one around it.

    True when the value that was built is the message itself.
    """
    cdef frame *top
    while b.depth:
        top = &b.frames[b.depth - 1]
        if not top.is_map:
            PyList_SET_ITEM(top.items, top.filled, value[0])
            top.filled += 1
        elif top.key == NULL:
            top.key = value[0]
            top.key_at = b.at
            if not PyUnicode_CheckExact(value[0]):
                note_key(b, top)
            return False
        else:
            set_item(b, top, value[0])
        top.left -= 1
        if top.left:
            return False
        value[0] = top.items
        b.at = top.at
        b.depth -= 1
        if top.special:
            value[0] = convert(self, value[0])
    return True


cdef int note_key(builder *b, frame *top) except -1:
    """Look at a key that is not a str: whether it marks numpy values, and how many others may have its hash."""
    cdef PyObject *key = top.key
    if PyBytes_Check(key):
        top.special = top.special or names_special(key)
    elif not (PyLong_CheckExact(key) or PyFloat_CheckExact(key) or PyBool_Check(key) or key == Py_None
              or type(<object>key) is ExtType):
        top.rare_keys += 1
        if top.rare_keys > RARE_KEYS:
            raise ValueError(f"a map has more than {RARE_KEYS:,} keys that are complex numbers, numpy scalars or times")
    return 0


cdef inline int set_item(builder *b, frame *top, PyObject *value) except -1:
    cdef int status = PyDict_SetItem(top.items, top.key, value)
    Py_DECREF(value)
    if status < 0:
        b.at = top.key_at
        raise_pending()
    Py_DECREF(top.key)
    top.key = NULL
    return 0


cdef inline PyObject *text(builder *b, const ddf_token *token) except NULL:
    cdef PyObject *value = PyUnicode_DecodeUTF8(<const char *>token.data, token.len, NULL)
    if value == NULL:
        if PyErr_ExceptionMatches(UnicodeDecodeError):
            PyErr_Clear()
            damaged(b, DDF_E_UTF8)
        raise_pending()
    return value


cdef inline uint64_t digest(const uint8_t *p, uint32_t size) noexcept:
    """A number that differs for most strings. Fixed-size loads that may overlap: copying a tail byte by byte stalls."""
    cdef uint64_t mixed = size
    cdef uint32_t i = 0
    while size > i + 8:
        mixed = mix(mixed ^ ddf_load64(p + i))
        i += 8
    if size >= 8:
        return mix(mixed ^ ddf_load64(p + size - 8))
    if size >= 4:
        return mix(mixed ^ (<uint64_t>ddf_load32(p) << 32 | ddf_load32(p + size - 4)))
    if size:
        mixed ^= <uint64_t>p[0] << 8 | <uint64_t>p[size >> 1] << 16 | <uint64_t>p[size - 1] << 24
    return mix(mixed)


cdef inline uint64_t mix(uint64_t x) noexcept:
    x *= <uint64_t>0x9e3779b97f4a7c15
    return x ^ x >> 32


cdef PyObject *map_key(Decoder self, builder *b, const ddf_token *token) except NULL:
    if token.len > KEY_LIMIT:
        return text(b, token)
    cdef uint64_t mixed = digest(token.data, token.len)
    cdef key_slot *slot = &self.keys[mixed >> 56]
    cdef PyObject *value = slot.text
    if (value != NULL and slot.digest == mixed and PyUnicode_GET_LENGTH(value) == token.len
            and memcmp(PyUnicode_DATA(value), token.data, token.len) == 0):
        Py_INCREF(value)
        return value
    value = text(b, token)
    if PyUnicode_IS_COMPACT_ASCII(value):
        if self.interned < INTERN_LIMIT:
            self.interned += 1
            PyUnicode_InternInPlace(&value)
        Py_INCREF(value)
        Py_XDECREF(slot.text)
        slot.digest = mixed
        slot.text = value
    return value


cdef object ExtType = None, Timestamp = None  # of msgpack's, which few samples need


cdef PyObject *extension(const ddf_token *token) except NULL:
    global ExtType, Timestamp
    if Timestamp is None:
        from msgpack import ExtType, Timestamp
    if token.ext_type == -1:
        value = timestamp(token.data, token.len)
    else:
        value = ExtType(token.ext_type, (<const char *>token.data)[:token.len])
    Py_INCREF(<PyObject *>value)
    return <PyObject *>value


cdef object timestamp(const uint8_t *data, uint32_t size):
    cdef uint64_t packed
    if size == 4:
        return Timestamp(ddf_load32(data), 0)
    if size == 8:
        packed = ddf_load64(data)
        return Timestamp(packed & 0x3ffffffff, packed >> 34)
    if size == 12:
        return Timestamp(<int64_t>ddf_load64(data + 4), ddf_load32(data))
    raise ValueError(f"a timestamp has 4, 8 or 12 bytes, not {size}")


# --- What msgpack-numpy writes ---

cdef object nd_decode = None


cdef PyObject *convert(Decoder self, PyObject *owned) except NULL:
    """The value of a map with msgpack-numpy's keys, by the general rules."""
    global nd_decode
    source = take(owned)
    if nd_decode is None:
        from ddfast._util.nd import decode as nd_decode
    value = nd_decode(source, allow_pickle=self.allow_pickle)
    Py_INCREF(<PyObject *>value)
    return <PyObject *>value


cdef bint names_special(PyObject *key) noexcept:
    cdef const char *name = PyBytes_AS_STRING(key)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(key)
    return (size == 2 and memcmp(name, b"nd", 2) == 0) or (size == 7 and memcmp(name, b"complex", 7) == 0)


cdef inline PyObject *special_form(
        Decoder self, builder *b, const ddf_token *token, const uint8_t **rest) except? NULL:
    """The array, scalar or complex number that begins at `b.at` and ends at the new `rest[0]`.

    NULL: the map is something else, or something unusual that the general rules will tell.
    """
    cdef const uint8_t *p = b.at
    cdef PyObject *value
    if rest[0] == b.end or rest[0][0] != 0xc4 or (token.len != 5 and token.len != 3 and token.len != 2):
        return NULL
    if b.depth > DDF_MAX_DEPTH - 2:  # the map and the shape in it count as two levels
        return NULL
    value = self.special.build(&p, b.end)
    if value != NULL:
        rest[0] = p
    return value
