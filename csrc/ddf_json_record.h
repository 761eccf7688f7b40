/* ddf_json_record: one object of an array of records, its members into columns. */
#ifndef DDF_JSON_RECORD_H
#define DDF_JSON_RECORD_H

#include "ddf_json_column.h"
#include "ddf_json_text.h"

/* Members of a record whose column is remembered by their position: records mostly have theirs in one order. */
#define DDF_JSON_REMEMBERED 64

/* An array of records in a document. The caller sets `name`, and the kinds and names of the columns. */
typedef struct ddf_json_array {
    const uint8_t *name; /* borrowed, UTF-8; empty: the document itself */
    size_t name_size;
    ddf_json_column *columns;
    size_t n_columns;
    int has_extra;
    ddf_json_column extra;    /* DDF_JSON_RAW: members without a column, as an object */
    ddf_json_buffer scratch;  /* a name without its escapes */
    uint16_t remembered[DDF_JSON_REMEMBERED]; /* 1 + number of the column, 0: not known */
    size_t rows;              /* of the current chunk */
    uint64_t first;           /* number of the chunk's first record */
    int is_begun, is_seen;
} ddf_json_array;

/* Begin a chunk. Returns 0 or -ENOMEM. */
int ddf_json_array_begin(ddf_json_array *array);

/* Free the memory of the columns. */
void ddf_json_array_free(ddf_json_array *array);

/* Bytes of the chunk. */
size_t ddf_json_array_size(const ddf_json_array *array);

/* Read the object at `*p` as one more row of each column, and move `*p` past it. Of members with equal names, the last
 * one counts. Returns 0; or DDF_JSON_MORE, DDF_E_* or -ENOMEM with the columns as before. */
int ddf_json_record_read(ddf_json_text *text, ddf_json_array *array, const uint8_t **p);

#endif
