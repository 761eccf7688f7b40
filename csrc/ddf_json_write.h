/* ddf_json_write: columns to the text of JSON records. Pure but for the memory of its result, thread safe. */
#ifndef DDF_JSON_WRITE_H
#define DDF_JSON_WRITE_H

#include "ddf_json_column.h"

/* One member of every record: borrowed columns, as ddf_json_column has them but with offsets of 64 bits. Counts are
 * numbers of items: nothing is read beyond. */
typedef struct ddf_json_field {
    ddf_slice name;        /* JSON text with quotes and colon; empty: the rows are objects, whose members are written */
    ddf_slice literal;     /* text of the value of every row; if its data is not NULL, nothing below counts */
    ddf_json_kind kind;
    const uint8_t *states; /* a ddf_json_state of each row; NULL: all are present */
    const void *values;
    uint64_t n_values;
    const int64_t *offsets;
    const int64_t *parts;
    uint64_t n_parts; /* items of `parts` */
    const int32_t *other_rows; /* ascending */
    const int64_t *other_offsets;
    const uint8_t *other;
    uint64_t n_other_rows, n_other;
    uint64_t next_other; /* the text of the next row with DDF_JSON_OTHER; begins at 0 */
} ddf_json_field;

typedef struct ddf_json_write_options {
    int missing_is_null; /* write null for a row without a value, else leave the member out */
    int is_short;        /* write 12 for 12.0 */
    ddf_slice between;   /* text between records */
    size_t chunk_bytes;  /* stop after so many */
} ddf_json_write_options;

/* Append the records of the rows `[row, rows)` to `out` until it has `chunk_bytes`. Rows are written in ascending order,
 * from 0. Returns the row to continue from; or -ENOMEM, or with err->item the field and err->pos the row DDF_E_SPAN
 * (offsets that are not ascending, or beyond the values), DDF_E_UTF8, or DDF_E_VALUE (a state without its value). */
int64_t ddf_json_write(ddf_json_field *fields, size_t n, uint64_t row, uint64_t rows,
                       const ddf_json_write_options *options, ddf_json_buffer *out, ddf_err *err);

/* Append the texts of `n` numbers; `offsets` gets n + 1 positions in `out`. Returns 0 or -ENOMEM. */
int ddf_json_write_numbers(const double *values, size_t n, int is_short, int64_t *offsets, ddf_json_buffer *out);

#endif
