/* ddf_json_column: values of one field of many records, of one type, in memory that grows.
 *
 * No thread safety: a column belongs to one reader. Lists and strings have Arrow's layout: offsets[i] to offsets[i + 1]
 * are the values of row i. Functions return 0 or -ENOMEM. */
#ifndef DDF_JSON_COLUMN_H
#define DDF_JSON_COLUMN_H

#include "ddf_common.h"

/* Memory that grows; all zeros: empty. `hint` is how much to get first. */
typedef struct ddf_json_buffer {
    uint8_t *data;
    size_t size, room, hint; /* bytes */
} ddf_json_buffer;

/* Make room for `more` bytes. */
int ddf_json_grow(ddf_json_buffer *buffer, size_t more);

static inline int ddf_json_reserve(ddf_json_buffer *buffer, size_t more) {
    return DDF_LIKELY(buffer->room - buffer->size >= more) ? 0 : ddf_json_grow(buffer, more);
}

int ddf_json_append(ddf_json_buffer *buffer, const void *data, size_t size);

/* Give up the memory: it belongs to the caller, who frees it. NULL if there is none. */
uint8_t *ddf_json_release(ddf_json_buffer *buffer);

void ddf_json_buffer_free(ddf_json_buffer *buffer);

typedef enum ddf_json_kind {
    DDF_JSON_INT,      /* int64 */
    DDF_JSON_NUMBER,   /* double */
    DDF_JSON_BOOL,     /* a byte, 0 or 1 */
    DDF_JSON_STRING,   /* UTF-8 without escapes */
    DDF_JSON_NUMBERS,  /* a list of doubles */
    DDF_JSON_SEGMENTS, /* a list of lists of doubles, or one list of doubles */
    DDF_JSON_RAW,      /* the text of any value but null */
    DDF_JSON_KINDS,    /* how many there are */
} ddf_json_kind;

/* What a row has. Rows without a value hold 0, NaN, or an empty list. */
typedef enum ddf_json_state {
    DDF_JSON_MISSING, /* the record has no such member */
    DDF_JSON_PRESENT,
    DDF_JSON_NULL,
    DDF_JSON_OTHER, /* a value of another type: its text is in `other` */
    DDF_JSON_FLAT,  /* DDF_JSON_SEGMENTS: a list of doubles that stands for a list of one such list */
} ddf_json_state;

typedef struct ddf_json_column {
    ddf_json_kind kind;
    const uint8_t *name; /* borrowed, UTF-8 */
    size_t name_size;
    size_t rows;
    ddf_json_buffer states; /* a byte for each row */
    ddf_json_buffer values;
    ddf_json_buffer offsets; /* int32, rows + 1: into values; of DDF_JSON_SEGMENTS into parts; of scalars none */
    ddf_json_buffer parts;   /* DDF_JSON_SEGMENTS: int32, into values, one more than there are parts */
    ddf_json_buffer other_rows, other_offsets, other; /* int32 each, and the texts; nothing if there is none */
} ddf_json_column;

/* Begin at row 0, with memory that was not released. */
int ddf_json_column_begin(ddf_json_column *column);
void ddf_json_column_free(ddf_json_column *column);

/* Append to the current row. A row of DDF_JSON_SEGMENTS consists of parts: values, then the end of the part. */
int ddf_json_put_int(ddf_json_column *column, int64_t value);
int ddf_json_put_double(ddf_json_column *column, double value);
int ddf_json_put_bool(ddf_json_column *column, int value);
int ddf_json_end_part(ddf_json_column *column);
int ddf_json_put_other(ddf_json_column *column, const uint8_t *text, size_t size);

/* End the current row. */
int ddf_json_end_row(ddf_json_column *column, ddf_json_state state);

/* Forget everything from `row` on, with what the current row has so far. */
void ddf_json_truncate(ddf_json_column *column, size_t row);

/* Bytes of the values, offsets and texts. */
size_t ddf_json_column_size(const ddf_json_column *column);

#endif
