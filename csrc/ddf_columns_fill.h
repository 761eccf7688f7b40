/* ddf_columns_fill: the second pass of ddf_columns, from located values to one kind and its data. Internal to the
 * column kernel. */
#ifndef DDF_COLUMNS_FILL_H
#define DDF_COLUMNS_FILL_H

#include "ddf_columns_fields.h"

/* Decide the kind of `field` and fill `column` from it. Returns 0, -ENOMEM, or DDF_E_UTF8 for a string of a str
 * column. */
int ddf_column_fill(ddf_arena *arena, const ddf_table *table, const ddf_field *field, ddf_column *column,
                    ddf_err *err);

#endif
