/* ddf_points: coordinates with few decimals as floats, from which every double comes back. Pure, thread safe. */
#ifndef DDF_POINTS_H
#define DDF_POINTS_H

#include "ddf_common.h"

/* Most decimals that are tried. */
#define DDF_POINTS_DECIMALS 4

/* Round `n` values to floats. Returns the smallest number of decimals with which ddf_points_unpack gives back every
 * value; DDF_E_VALUE if there is none up to DDF_POINTS_DECIMALS. */
int ddf_points_pack(const double *values, size_t n, float *out);

/* Round `n` floats to `decimals`, 0 to DDF_POINTS_DECIMALS, after the point: as numpy's round does it with doubles. */
void ddf_points_unpack(const float *values, size_t n, int decimals, double *out);

#endif
