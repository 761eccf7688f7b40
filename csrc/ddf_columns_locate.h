/* ddf_columns_locate: the first pass of ddf_columns, where each sample's fields are and what kinds of values they
 * have. Internal to the column kernel. */
#ifndef DDF_COLUMNS_LOCATE_H
#define DDF_COLUMNS_LOCATE_H

#include "ddf_columns_fields.h"

/* Find the fields of all samples of `table`, which has samples, n, region and nbytes set; odd_names and reserved are
 * set here. Results and errors as ddf_columns_build. */
int ddf_fields_locate(ddf_arena *arena, ddf_table *table, const ddf_slice *names, size_t names_n,
                      ddf_fields *out, ddf_err *err);

#endif
