/* ddf_columns: the fields of a batch's samples as typed columns.
 *
 * The rule for the kind of a column is documented in ddfast/batch/batch.py. A table, its columns and all scratch memory
 * come from one arena. Building takes no lock and no GIL. */
#ifndef DDF_COLUMNS_H
#define DDF_COLUMNS_H

#include "ddf_table.h"

/* Build the columns of `n` samples, each exactly one message inside `region`.
 * The table keeps `samples`: they must live as long, usually in the arena. `names` (NULL: all) selects columns and
 * need not be kept; there is no column for a name that no sample has, and none at all if there would be too many.
 * Returns 0 with `*out` set, -ENOMEM, or DDF_E_* with err->item the sample and err->pos the byte in it. All samples
 * are checked to be whole, well-formed messages, selected or not. */
int ddf_columns_build(ddf_arena *arena, ddf_slice region, const ddf_slice *samples, size_t n, const ddf_slice *names,
                      size_t names_n, ddf_table **out, ddf_err *err);

#endif
