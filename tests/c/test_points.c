#include <assert.h>
#include <math.h>

#include "ddf_points.h"

static void the_fewest_decimals_are_found(void) {
    const double values[] = {1, 2.5, -3.25, 473.07, -0.0, 0.1234};
    const int decimals[] = {0, 1, 2, 2, 2, 4};
    float packed[6];
    double again[6];
    for (size_t n = 1; n <= 6; n++) {
        assert(ddf_points_pack(values, n, packed) == decimals[n - 1]);
        ddf_points_unpack(packed, n, decimals[n - 1], again);
        assert(memcmp(again, values, n * sizeof *values) == 0);
    }
    assert(ddf_points_pack(values, 0, packed) == 0);
}

static void what_does_not_come_back_is_refused(void) {
    const double values[] = {0.12345, 1e300, NAN, 16777217, 1234567.891};
    float packed[1];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert(ddf_points_pack(values + i, 1, packed) == DDF_E_VALUE);
    }
}

int main(void) {
    the_fewest_decimals_are_found();
    what_does_not_come_back_is_refused();
    return 0;
}
