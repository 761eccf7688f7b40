/* ddf_columns_fields: the fields of a batch by name, and what is known about each. Internal to the column kernel. */
#ifndef DDF_COLUMNS_FIELDS_H
#define DDF_COLUMNS_FIELDS_H

#include "ddf_table.h"

#define DDF_NO_FIELD UINT16_MAX

/* Kinds of values that a field has in all samples. */
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
    DDF_SEEN_OTHER = 1 << 12,     /* any other value, and names that a sample has twice */
};

typedef struct ddf_field {
    uint64_t head, mask; /* up to 8 bytes of the packed name as integer, and which of them count */
    const uint8_t *key;  /* the packed name as it was first found; NULL before */
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
    ddf_arena *arena;
    const ddf_table *table;
    ddf_field *items;
    size_t n, room;
    uint16_t *slots; /* hash table from name to field; a power of two, at most half full */
    size_t slots_n;
} ddf_fields;

/* No fields yet, and room for `expected` of them. Returns 0 or -ENOMEM. */
int ddf_fields_init(ddf_fields *fields, ddf_arena *arena, const ddf_table *table, size_t expected);

/* Number of the item with this name, or DDF_NO_FIELD. */
int ddf_fields_find(const ddf_fields *fields, ddf_slice name);

/* Append a field that is not there yet; a `selected` one gets room for its values. Returns its number, -ENOMEM, or
 * DDF_E_FIELDS if there are too many. Moves the items. */
int ddf_fields_add(ddf_fields *fields, ddf_slice name, int selected);

#endif
