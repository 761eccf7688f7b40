/* ddf_table: the samples of a batch and their columns, as ddf_columns builds them.
 *
 * A table and its columns come from one arena, so there is nothing to free; the samples are in that arena (or outlive
 * it), and columns point into them. A table is read-only once it is built and may be read from any thread. */
#ifndef DDF_TABLE_H
#define DDF_TABLE_H

#include "ddf_arena.h"
#include "ddf_common.h"

/* Distinct field names of one batch. With more, or if the product of names and samples is many times the size of
 * the input, a batch has no columns. */
#define DDF_MAX_FIELDS 4096

/* Step from one window of the region to the next, see ddf_view. */
#define DDF_WINDOW ((uint64_t)1 << 30)

typedef enum ddf_column_kind {
    DDF_COLUMN_OBJECT,  /* no data: values are decoded from `at` on access */
    DDF_COLUMN_INT64,   /* data: int64_t[n] */
    DDF_COLUMN_UINT64,  /* data: uint64_t[n] */
    DDF_COLUMN_FLOAT64, /* data: double[n] */
    DDF_COLUMN_BOOL,    /* data: uint8_t[n], 0 or 1 */
    DDF_COLUMN_COMPLEX, /* no data: every value is a complex number in msgpack-numpy's form */
    DDF_COLUMN_STR,     /* data: ddf_view[n], all of it valid UTF-8 */
    DDF_COLUMN_BYTES,   /* data: ddf_view[n] */
    DDF_COLUMN_STACKED, /* data: n items of `shape` and `dtype`, C order, aligned to 64 bytes */
    DDF_COLUMN_VIEWS,   /* no data: every value is an array (ddf_nd_parse succeeds) whose size fits its dtype */
} ddf_column_kind;

/* One string or binary value in the layout of Arrow's BinaryView. Up to 12 bytes are inline, padded with zeros.
 * Longer ones are at `offset` of window `buffer` of the region; window k starts DDF_WINDOW * k bytes into it and
 * reaches to its end. */
typedef struct ddf_view {
    int32_t len;
    union {
        uint8_t bytes[12];
        struct {
            uint8_t prefix[4];
            int32_t buffer, offset;
        } ref;
    } as;
} ddf_view;

typedef struct ddf_column {
    ddf_slice name; /* UTF-8 */
    ddf_column_kind kind;
    uint32_t ndim;      /* DDF_COLUMN_STACKED: dimensions of one item */
    ddf_slice dtype;    /* DDF_COLUMN_STACKED: such as "<f4"; always one that ddf_dtype_size knows */
    uint64_t item_size; /* DDF_COLUMN_STACKED: bytes of one item */
    const uint64_t *shape;
    void *data;
    const uint8_t *const *at; /* [n]: first byte of each sample's packed value, NULL if it has none */
} ddf_column;

typedef struct ddf_table {
    const ddf_slice *samples; /* [n]: as given */
    size_t n;
    ddf_slice region;
    ddf_column *columns; /* in order of first appearance, or of selection */
    size_t columns_n;
    uint64_t nbytes; /* of all samples together */
    int selected;    /* names were given */
    int raw;         /* made by ddf_table_raw */
    int crowded;     /* too many columns, see DDF_MAX_FIELDS: there are none */
    int odd_names;   /* a sample has a field whose name is not a str; such fields are in no column */
    int reserved;    /* a sample has a field named b"nd" or b"complex": only decoding determines whether it is a map.
                      * All columns are DDF_COLUMN_OBJECT then, and `at` is undefined for such a sample. */
} ddf_table;

/* A table without columns; all fields except samples, n, region and nbytes are 0; NULL: the system has no memory
 * left. */
ddf_table *ddf_table_new(ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n);

/* A table without columns, whose samples are not checked. Returns 0 or -ENOMEM. */
int ddf_table_raw(ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n, ddf_table **out);

/* The ends of the `n` samples `first`, `first + step`, ... when they are copied one after the other, which takes
 * `ends[n - 1]` bytes. All of them must be samples of the table. Returns 1 if they are consecutive already, from
 * samples[first].data on, else 0. */
int ddf_table_ends(const ddf_table *table, size_t first, ptrdiff_t step, size_t n, uint64_t *ends);

/* Copy the same samples one after the other. */
void ddf_table_join(const ddf_table *table, size_t first, ptrdiff_t step, size_t n, uint8_t *out);

/* The packed value of sample `i` in `column`; its size is 0 if the sample has none. */
ddf_slice ddf_column_value(const ddf_table *table, const ddf_column *column, size_t i);

/* The bytes of item `i` of a DDF_COLUMN_STR or DDF_COLUMN_BYTES. */
ddf_slice ddf_column_bytes(const ddf_table *table, const ddf_column *column, size_t i);

/* As ddf_table_ends and ddf_table_join, for the items `first`, `first + step`, ... of a DDF_COLUMN_STR or
 * DDF_COLUMN_BYTES. */
void ddf_column_ends(const ddf_column *column, size_t first, ptrdiff_t step, size_t n, uint64_t *ends);
void ddf_column_join(const ddf_table *table, const ddf_column *column, size_t first, ptrdiff_t step, size_t n,
                     uint8_t *out);

#endif
