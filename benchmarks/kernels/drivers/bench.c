#define _GNU_SOURCE
#include "bench.h"

#include <stdio.h>
#include <unistd.h>

uint64_t bench_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void *bench_new(size_t n, size_t size) {
    void *memory = calloc(n + 1, size);
    assert(memory != NULL);
    return memory;
}

bench_samples bench_pack(size_t n, void (*pack)(bench_samples *out, uint64_t i)) {
    bench_samples out = {.n = n};
    out.samples = bench_new(n, sizeof *out.samples);
    out.bounds = bench_new(n, sizeof *out.bounds);
    for (size_t i = 0; i < n; i++) {
        pack(&out, i);
        out.bounds[i + 1] = out.size;
    }
    for (size_t i = 0; i < n; i++) {
        out.samples[i] = (ddf_slice){out.data + out.bounds[i], out.bounds[i + 1] - out.bounds[i]};
    }
    return out;
}

void pack_bytes(bench_samples *out, const void *data, size_t n) {
    if (out->size + n > out->room) {
        out->room = 2 * (out->size + n);
        out->data = realloc(out->data, out->room);
        assert(out->data != NULL);
    }
    memcpy(out->data + out->size, data, n);
    out->size += n;
}

static void pack_byte(bench_samples *out, unsigned value) {
    uint8_t byte = (uint8_t)value;
    pack_bytes(out, &byte, 1);
}

/* A first byte, and the low bytes of a number, the highest of them first. */
static void pack_number(bench_samples *out, unsigned first, uint64_t value, size_t bytes) {
    uint8_t packed[8];
    ddf_store64(packed, value);
    pack_byte(out, first);
    pack_bytes(out, packed + 8 - bytes, bytes);
}

void pack_map(bench_samples *out, unsigned pairs) { pack_byte(out, 0x80 | pairs); }

void pack_list(bench_samples *out, unsigned items) { pack_byte(out, 0x90 | items); }

void pack_bool(bench_samples *out, int value) { pack_byte(out, value ? 0xc3 : 0xc2); }

void pack_uint(bench_samples *out, uint64_t value) {
    if (value < 0x80) {
        pack_byte(out, (unsigned)value);
    } else if (value <= UINT8_MAX) {
        pack_number(out, 0xcc, value, 1);
    } else if (value <= UINT16_MAX) {
        pack_number(out, 0xcd, value, 2);
    } else if (value <= UINT32_MAX) {
        pack_number(out, 0xce, value, 4);
    } else {
        pack_number(out, 0xcf, value, 8);
    }
}

void pack_negative(bench_samples *out, int64_t value) { pack_number(out, 0xd3, (uint64_t)value, 8); }

void pack_float(bench_samples *out, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    pack_number(out, 0xcb, bits, 8);
}

void pack_str(bench_samples *out, const char *text) {
    size_t size = strlen(text);
    if (size < 32) {
        pack_byte(out, 0xa0 | (unsigned)size);
    } else {
        pack_number(out, 0xda, size, 2);
    }
    pack_bytes(out, text, size);
}

static void pack_bin_head(bench_samples *out, size_t size) {
    if (size <= UINT8_MAX) {
        pack_number(out, 0xc4, size, 1);
    } else {
        pack_number(out, 0xc6, size, 4);
    }
}

void pack_bin(bench_samples *out, size_t size, uint64_t seed) {
    pack_bin_head(out, size);
    for (size_t i = 0; i < size; i++) {
        pack_byte(out, (unsigned)bench_random(&seed) & 0xff);
    }
}

static void pack_name(bench_samples *out, const char *name) {
    pack_bin_head(out, strlen(name));
    pack_bytes(out, name, strlen(name));
}

void pack_array(bench_samples *out, unsigned floats, uint64_t seed) {
    pack_map(out, 5);
    pack_name(out, "nd");
    pack_bool(out, 1);
    pack_name(out, "type");
    pack_str(out, "<f4");
    pack_name(out, "kind");
    pack_name(out, "");
    pack_name(out, "shape");
    pack_list(out, 1);
    pack_uint(out, floats);
    pack_name(out, "data");
    pack_bin(out, (size_t)floats * 4, seed);
}

void pack_complex(bench_samples *out, unsigned real) {
    char text[32];
    snprintf(text, sizeof text, "(%u.5+2j)", real);
    pack_map(out, 2);
    pack_name(out, "complex");
    pack_bool(out, 1);
    pack_name(out, "data");
    pack_str(out, text);
}

void pack_image(bench_samples *out, uint64_t i) {
    char key[64];
    snprintf(key, sizeof key, "n%07u/%07u.jpg", (unsigned)i % 1000, (unsigned)i);
    pack_map(out, 4);
    pack_str(out, "key");
    pack_str(out, key);
    pack_str(out, "image");
    pack_bin(out, 200 + i * 7919 % 200, i);
    pack_str(out, "label");
    pack_uint(out, i % 1000);
    pack_str(out, "box");
    pack_array(out, 4, i);
}

uint8_t *bench_table(const uint64_t *bounds, size_t entries) {
    uint8_t *table = bench_new(entries, 8);
    for (size_t i = 0; i < entries; i++) {
        ddf_store64(table + 8 * i, bounds[i]);
    }
    return table;
}

static char path[64] = "";

static void remove_file(void) { (void)unlink(path); }

const char *bench_file(const bench_samples *samples) {
    strcpy(path, "/tmp/ddfast_kernels_XXXXXX");
    int fd = mkstemp(path);
    assert(fd >= 0 && atexit(remove_file) == 0);
    assert(write(fd, samples->data, samples->size) == (ssize_t)samples->size && close(fd) == 0);
    return path;
}

/* Counting begins and ends with this function: callgrind is told its name. */
__attribute__((noinline)) void bench_counted(void (*run)(void));
__attribute__((noinline)) void bench_counted(void (*run)(void)) { run(); }

/* Without an argument: the names of all cases. */
int main(int argc, char **argv) {
    for (const bench_case *c = BENCH_CASES; c->name != NULL; c++) {
        if (argc < 2) {
            puts(c->name);
        } else if (strcmp(c->name, argv[1]) == 0) {
            c->prepare();
            bench_counted(c->run);
            return 0;
        }
    }
    return argc >= 2;
}
