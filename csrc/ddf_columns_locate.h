/* ddf_columns_locate: the first pass of ddf_columns, where each sample's fields are and what kinds of values they
 * have. Internal to the column kernel. */
#ifndef DDF_COLUMNS_LOCATE_H
#define DDF_COLUMNS_LOCATE_H

#include "ddf_columns.h"

/* What a field's values are, over all samples. */
enum {
    DDF_SEEN_NIL = 1 << 0,
    DDF_SEEN_BOOL = 1 << 1,
    DDF_SEEN_NEGATIVE = 1 << 2, /* an int below 0 */
    DDF_SEEN_INT = 1 << 3,      /* an int from 0 on that fits int64_t */
    DDF_SEEN_BIG = 1 << 4,      /* an int above INT64_MAX */
    DDF_SEEN_FLOAT = 1 << 5,
    DDF_SEEN_STR = 1 << 6,
    DDF_SEEN_BYTES = 1 << 7,
    DDF_SEEN_COMPLEX = 1 << 8,
    DDF_SEEN_ARRAY = 1 << 9,
    DDF_SEEN_SCALAR = 1 << 10,
    DDF_SEEN_DIFFERENT = 1 << 11, /* an array or numpy scalar whose dtype or shape is not that of the first one */
    DDF_SEEN_OTHER = 1 << 12,     /* anything else, and names that a sample has twice */
};

typedef struct ddf_field {
    uint64_t head, mask; /* up to 8 bytes of the packed name as integer, and which of them count */
    const uint8_t *key;  /* the packed name as it came first; NULL before */
    uint64_t key_len;
    ddf_slice name;
    const uint8_t **at; /* [n]; NULL for a field that is not selected */
    size_t present;     /* samples that have the field */
    uint32_t seen;
    uint32_t prefix_len;   /* bytes of an array's packed form before its data */
    const uint8_t *prefix; /* of the first array or numpy scalar, the reference for all others */
    uint64_t data_len;     /* bytes of its data */
} ddf_field;

typedef struct ddf_fields {
    ddf_field *items;
    size_t n;
    int odd_names, reserved; /* as in ddf_table */
} ddf_fields;

/* Find the fields of all samples of `table`, which has samples, n, region and nbytes set.
 * Results and errors as ddf_table_build. */
int ddf_fields_locate(ddf_arena *arena, const ddf_table *table, const ddf_slice *names, size_t names_n,
                      ddf_fields *out, ddf_err *err);

#endif
