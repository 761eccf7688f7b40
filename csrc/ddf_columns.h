/* ddf_columns: the fields of a batch's samples as typed columns.
 *
 * What decides a column's kind is written down once, in ddfast/batch.py. A table, its columns and all scratch memory
 * come from one arena, so there is nothing to free; the samples lie in that arena (or outlive it) and are pointed
 * into. Building takes no lock and no GIL; a table is read-only afterwards and may be read from any thread. */
#ifndef DDF_COLUMNS_H
#define DDF_COLUMNS_H

#include "ddf_arena.h"
#include "ddf_common.h"

/* Distinct field names of one batch. Beyond it, or where names times samples outgrow the input by far, a batch is
 * refused with DDF_E_FIELDS. */
#define DDF_MAX_FIELDS 4096

/* Dimensions of an array that can become part of a stack; numpy 1 has 32 in all. */
#define DDF_STACK_MAX_DIMS 31

/* Step from one window of the region to the next, see ddf_view. */
#define DDF_WINDOW ((uint64_t)1 << 30)

typedef enum ddf_column_kind {
    DDF_COLUMN_OBJECT,  /* no data: values are decoded from `at` when asked for */
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

/* One string or binary value in the layout of Arrow's BinaryView. Up to 12 bytes lie inline, padded with zeros.
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
    const uint8_t *const *at; /* [n]: first byte of each sample's packed value, NULL where it has none */
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
    int odd_names;   /* a sample has a field whose name is not a str; such fields are in no column */
    int reserved;    /* a sample has a field named b"nd" or b"complex": only decoding tells whether it is a map at all.
                      * All columns are DDF_COLUMN_OBJECT then, and `at` says nothing about such a sample. */
} ddf_table;

/* Build the columns of `n` samples, each exactly one message inside `region`.
 * `samples` is kept by the table: it must live as long, best in the arena. `names` (NULL: all) selects columns and
 * need not be kept; a name that no sample has gives no column.
 * Returns 0 with `*out` set, -ENOMEM, or DDF_E_* with err->item the sample and err->pos the byte in it. All samples
 * are checked to be whole, well-formed messages, selected or not. */
int ddf_table_build(ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n, const ddf_slice *names,
                    size_t names_n, ddf_table **out, ddf_err *err);

/* A table of samples that nothing is known about: no columns, nothing checked. Returns 0 or -ENOMEM. */
int ddf_table_raw(ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n, ddf_table **out);

/* Where the `n` samples `first`, `first + step`, ... end when they are laid one after the other, which takes `ends[n - 1]`
 * bytes. All of them must be samples of the table. Returns 1 if they lie so already, from samples[first].data on, else
 * 0. */
int ddf_table_ends(const ddf_table *table, size_t first, ptrdiff_t step, size_t n, uint64_t *ends);

/* Lay the same samples one after the other. */
void ddf_table_join(const ddf_table *table, size_t first, ptrdiff_t step, size_t n, uint8_t *out);

/* The packed value of sample `i` in `column`; its size is 0 where the sample has none. */
ddf_slice ddf_column_value(const ddf_table *table, const ddf_column *column, size_t i);

/* The bytes of item `i` of a DDF_COLUMN_STR or DDF_COLUMN_BYTES. */
ddf_slice ddf_column_bytes(const ddf_table *table, const ddf_column *column, size_t i);

/* Bytes of one element of the dtype named by `type` ("|b1", "<i4", ">f8", "<c16", ...: bool, int, uint, float up to 64
 * bits, complex of those), or 0 for every other dtype. */
uint32_t ddf_dtype_size(const uint8_t *type, size_t len);

#endif
