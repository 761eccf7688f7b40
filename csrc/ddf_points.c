#include "ddf_points.h"

#include <math.h>

/* Values after which it is checked whether all are exact so far. */
#define BLOCK 1024

static const double TENS[DDF_POINTS_DECIMALS + 1] = {1e0, 1e1, 1e2, 1e3, 1e4};

static double rounded(float value, double tens) {
    return rint((double)value * tens) / tens;
}

static int are_exact(const double *values, const float *floats, size_t n, double tens) {
    for (size_t start = 0; start < n; start += BLOCK) {
        size_t stop = n - start < BLOCK ? n : start + BLOCK;
        int64_t wrong = 0;
        for (size_t i = start; i < stop; i++) {
            wrong |= rounded(floats[i], tens) != values[i];
        }
        if (wrong != 0) {
            return 0;
        }
    }
    return 1;
}

int ddf_points_pack(const double *values, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)values[i];
    }
    for (int decimals = 0; decimals <= DDF_POINTS_DECIMALS; decimals++) {
        if (are_exact(values, out, n, TENS[decimals])) {
            return decimals;
        }
    }
    return DDF_E_VALUE;
}

void ddf_points_unpack(const float *values, size_t n, int decimals, double *out) {
    double tens = TENS[decimals];
    for (size_t i = 0; i < n; i++) {
        out[i] = rounded(values[i], tens);
    }
}
