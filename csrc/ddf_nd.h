/* ddf_nd: arrays, numpy scalars and complex numbers in the layout msgpack-numpy 0.4.8 writes
 * (https://github.com/lebedov/msgpack-numpy). Pure, no allocation, thread safe.
 *
 * An array is the map {b"nd": True, b"type": dtype.str, b"kind": b"", b"shape": (...), b"data": bytes}, a numpy scalar
 * {b"nd": False, b"type": dtype.str, b"data": bytes}, a complex number {b"complex": True, b"data": repr}, with the
 * pairs in this order. Anything else (structured dtypes, pickled objects, older layouts) is left to the general
 * decoder, and treated as any other map here. */
#ifndef DDF_ND_H
#define DDF_ND_H

#include "ddf_common.h"

#define DDF_ND_MAX_DIMS 64 /* numpy's NPY_MAXDIMS since 2.0; 32 before */

typedef enum ddf_nd_form { DDF_ND_ARRAY, DDF_ND_SCALAR, DDF_ND_COMPLEX } ddf_nd_form;

typedef struct ddf_nd {
    ddf_nd_form form;
    uint32_t type_len;   /* of the dtype string, such as "<f4" */
    uint32_t data_len;   /* bytes */
    uint32_t ndim;       /* DDF_ND_ARRAY */
    const uint8_t *type; /* not for DDF_ND_COMPLEX */
    const uint8_t *data; /* raw elements, or the repr of a complex number */
    uint64_t shape[DDF_ND_MAX_DIMS];
} ddf_nd;

/* Read the map at `p` if it is one of the three forms. Returns the first byte after it, or NULL if it is
 * something else or truncated (ddf_msgpack_skip distinguishes the two). */
const uint8_t *ddf_nd_parse(const uint8_t *p, const uint8_t *end, ddf_nd *out);

/* Limit of the rows of an array without bytes, to bound loops over it: its shape takes no space and may contain any
 * number. Rows are the product of all dimensions before the first one that is 0. */
#define DDF_ND_MAX_ROWS ((uint64_t)1 << 26)

/* Bytes of the elements that the shape requires, `itemsize` (above 0) bytes each; UINT64_MAX if numpy cannot hold such
 * an array, or it has more than DDF_ND_MAX_ROWS rows without bytes. */
uint64_t ddf_nd_bytes(const ddf_nd *nd, uint64_t itemsize);

/* 1 if the data are exactly the elements that the shape requires, `itemsize` bytes each, else 0. */
int ddf_nd_fits(const ddf_nd *nd, uint64_t itemsize);

/* Bytes of one element of the dtype named by `type` ("|b1", "<i4", ">f8", "<c16", ...: bool, int, uint, float up to 64
 * bits, complex of those), or 0 for every other dtype. */
uint32_t ddf_dtype_size(const uint8_t *type, size_t len);

#endif
