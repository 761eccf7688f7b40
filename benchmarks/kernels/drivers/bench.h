/* bench: functions of all counted programs. Each program has the cases of one kernel, after which it is named: fixed
 * inputs, which are made before counting begins, and one function that is counted. */
#ifndef BENCH_H
#define BENCH_H

#include <assert.h>
#include <stdlib.h>

#include "ddf_common.h"

typedef struct bench_case {
    const char *name;
    void (*prepare)(void);
    void (*run)(void); /* counted; checks its results, so that compilers do not remove the call */
} bench_case;

/* Defined by each program; ends with a case without a name. */
extern const bench_case BENCH_CASES[];

/* The same numbers on every machine. */
uint64_t bench_random(uint64_t *state);

/* Memory for `n` items of `size` bytes, zeroed, or the end of the program. */
void *bench_new(size_t n, size_t size);

/* Consecutive samples. */
typedef struct bench_samples {
    uint8_t *data;
    size_t size, room, n;
    ddf_slice *samples;
    uint64_t *bounds; /* [n + 1] */
} bench_samples;

/* `n` samples, sample i packed by `pack`, which calls the functions below. */
bench_samples bench_pack(size_t n, void (*pack)(bench_samples *out, uint64_t i));

void pack_bytes(bench_samples *out, const void *data, size_t n); /* as they are, without a header */
void pack_map(bench_samples *out, unsigned pairs);               /* fewer than 16, which follow */
void pack_list(bench_samples *out, unsigned items);              /* likewise */
void pack_bool(bench_samples *out, int value);
void pack_uint(bench_samples *out, uint64_t value); /* in the shortest form, as all packers do */
void pack_negative(bench_samples *out, int64_t value);
void pack_float(bench_samples *out, double value);
void pack_str(bench_samples *out, const char *text);
void pack_bin(bench_samples *out, size_t size, uint64_t seed);
void pack_array(bench_samples *out, unsigned floats, uint64_t seed); /* float32, as msgpack-numpy packs it */
void pack_complex(bench_samples *out, unsigned real);

/* A typical sample: {"key": "n0000017/0000017.jpg", "image": bytes, "label": int, "box": float32[4]}. */
void pack_image(bench_samples *out, uint64_t i);

/* Entries of an offset table, big-endian. */
uint8_t *bench_table(const uint64_t *bounds, size_t entries);

/* Write samples into a temporary file, and return its name. The program removes the file at its end. */
const char *bench_file(const bench_samples *samples);

#endif
