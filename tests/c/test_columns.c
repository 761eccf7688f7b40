#define _GNU_SOURCE
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "ddf_columns.h"

typedef struct built {
    ddf_pool *pool;
    ddf_arena *arena;
    ddf_table *table;
    ddf_err err;
    int status;
} built;

static built build(ddf_slice region, const ddf_slice *samples, size_t n, const ddf_slice *names, size_t names_n) {
    built b = {.table = NULL};
    assert(ddf_pool_new((uint64_t)1 << 30, &b.pool) == 0 && ddf_arena_new(b.pool, 1, &b.arena) == 0);
    b.status = ddf_columns_build(b.arena, region, samples, n, names, names_n, &b.table, &b.err);
    return b;
}

static void drop(built b) {
    ddf_arena_release(b.arena);
    ddf_pool_release(b.pool);
}

#define SLICE(text) ((ddf_slice){(const uint8_t *)(text), sizeof(text) - 1})

/* Samples in memory of exactly their size, so that the sanitizer sees every byte read beyond. */
static built build_two(ddf_slice first, ddf_slice second, ddf_slice *samples) {
    uint8_t *memory = malloc(first.size + second.size);
    assert(memory != NULL);
    memcpy(memory, first.data, first.size);
    memcpy(memory + first.size, second.data, second.size);
    samples[0] = (ddf_slice){memory, first.size};
    samples[1] = (ddf_slice){memory + first.size, second.size};
    return build((ddf_slice){memory, first.size + second.size}, samples, 2, NULL, 0);
}

static ddf_column_kind kind_of(ddf_slice first, ddf_slice second) {
    ddf_slice samples[2];
    built b = build_two(first, second, samples);
    assert(b.status == 0 && b.table->columns_n == 1);
    ddf_column_kind kind = b.table->columns[0].kind;
    drop(b);
    free((void *)(uintptr_t)samples[0].data);
    return kind;
}

#define KIND(first, second) kind_of(SLICE("\x81\xa1x" first), SLICE("\x81\xa1x" second))

static void kinds_follow_from_the_values(void) {
    assert(KIND("\x01", "\xff") == DDF_COLUMN_INT64);
    assert(KIND("\x01", "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff") == DDF_COLUMN_INT64);
    assert(KIND("\x01", "\xcf\x80\0\0\0\0\0\0\0") == DDF_COLUMN_UINT64);
    assert(KIND("\xff", "\xcf\x80\0\0\0\0\0\0\0") == DDF_COLUMN_OBJECT);
    assert(KIND("\x01", "\xca\x3f\x80\0\0") == DDF_COLUMN_FLOAT64);
    assert(KIND("\xcf\0\x20\0\0\0\0\0\x01", "\xca\x3f\x80\0\0") == DDF_COLUMN_OBJECT);
    assert(KIND("\xcf\x80\0\0\0\0\0\0\0", "\xca\x3f\x80\0\0") == DDF_COLUMN_FLOAT64);
    assert(KIND("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\xca\x3f\x80\0\0") == DDF_COLUMN_OBJECT);
    assert(KIND("\xc2", "\xc3") == DDF_COLUMN_BOOL);
    assert(KIND("\xc2", "\x01") == DDF_COLUMN_OBJECT);
    assert(KIND("\xc0", "\x01") == DDF_COLUMN_OBJECT);
    assert(KIND("\xa1y", "\xd9\x01y") == DDF_COLUMN_STR);
    assert(KIND("\xa1y", "\xc4\x01y") == DDF_COLUMN_OBJECT);
    assert(KIND("\xc4\x01y", "\xc5\0\x01y") == DDF_COLUMN_BYTES);
    assert(KIND("\x90", "\x90") == DDF_COLUMN_OBJECT);
    assert(kind_of(SLICE("\x81\xa1x\x01"), SLICE("\x80")) == DDF_COLUMN_OBJECT);
    assert(kind_of(SLICE("\x81\xa1x\x01"), SLICE("\x01")) == DDF_COLUMN_OBJECT);
}

#define ARRAY(type, shape, data)                                                                                       \
    "\x85\xc4\x02nd\xc3\xc4\x04type\xa3" type "\xc4\x04kind\xc4\0\xc4\x05shape" shape "\xc4\x04"                       \
    "data\xc4" data

static void arrays_stack_where_dtype_and_shape_agree(void) {
    assert(KIND(ARRAY("<f4", "\x91\x01", "\x04" "1234"), ARRAY("<f4", "\x91\x01", "\x04" "5678")) ==
           DDF_COLUMN_STACKED);
    assert(KIND(ARRAY("<f4", "\x91\x01", "\x04" "1234"), ARRAY(">f4", "\x91\x01", "\x04" "5678")) == DDF_COLUMN_VIEWS);
    assert(KIND(ARRAY("<f4", "\x91\x01", "\x04" "1234"), ARRAY("<f4", "\x90", "\x04" "5678")) == DDF_COLUMN_VIEWS);
    assert(KIND(ARRAY("<f4", "\x91\x01", "\x04" "1234"), ARRAY("<f4", "\x91\x01", "\x03" "567")) == DDF_COLUMN_OBJECT);
    assert(KIND(ARRAY("|O8", "\x91\0", "\0"), ARRAY("|O8", "\x91\0", "\0")) == DDF_COLUMN_OBJECT);
}

static void errors_name_sample_and_byte(void) {
    ddf_slice samples[2];
    built b = build_two(SLICE("\x81\xa1x\x01"), SLICE("\x81\xa1x\xc4\x02y"), samples);
    assert(b.status == DDF_E_TRUNCATED && b.err.item == 1 && b.err.pos == 3);
    drop(b);
    free((void *)(uintptr_t)samples[0].data);
    b = build_two(SLICE("\x81\xa1x\xa1y"), SLICE("\x81\xa1x\xa1\xff"), samples);
    assert(b.status == DDF_E_UTF8 && b.err.item == 1 && b.err.pos == 3);
    drop(b);
    free((void *)(uintptr_t)samples[0].data);
}

static void nothing_gives_no_columns(void) {
    built b = build((ddf_slice){NULL, 0}, NULL, 0, NULL, 0);
    assert(b.status == 0 && b.table->n == 0 && b.table->columns_n == 0);
    drop(b);
}

static void a_table_keeps_the_names_of_its_columns(void) {
    ddf_slice sample = SLICE("\x82\xa1x\x01\xa1y\x02");
    uint8_t *memory = malloc(1);
    assert(memory != NULL);
    *memory = 'y';
    ddf_slice name = {memory, 1};
    built b = build(sample, &sample, 1, &name, 1);
    free(memory);
    assert(b.status == 0 && b.table->columns_n == 1 && b.table->columns[0].name.data[0] == 'y');
    drop(b);
}

static void raw_tables_look_at_nothing(void) {
    built b = build((ddf_slice){NULL, 0}, NULL, 0, NULL, 0);
    ddf_slice sample = SLICE("\xc1");
    assert(ddf_table_raw(b.arena, sample, &sample, 1, &b.table) == 0);
    assert(b.table->raw && b.table->nbytes == 1 && b.table->columns_n == 0);
    drop(b);
}

/* Long values behind 1, 2 and 5 GiB of a region that is mostly a hole. */
static void views_reach_all_of_a_large_region(void) {
    const uint64_t size = (uint64_t)5 << 30;
    static const uint64_t AT[] = {0, 1000, ((uint64_t)1 << 30) - 10, ((uint64_t)1 << 30), ((uint64_t)5 << 30) - 64};
    enum { N = sizeof AT / sizeof *AT };
    uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return; /* no such address space here */
    }
    ddf_slice samples[N], message = SLICE("\x81\xa1x\xc4\x10" "0123456789abcdef");
    for (size_t i = 0; i < N; i++) {
        memcpy(memory + AT[i], message.data, message.size);
        samples[i] = (ddf_slice){memory + AT[i], message.size};
    }
    built b = build((ddf_slice){memory, size}, samples, N, NULL, 0);
    assert(b.status == 0 && b.table->columns[0].kind == DDF_COLUMN_BYTES);
    const ddf_view *views = b.table->columns[0].data;
    for (size_t i = 0; i < N; i++) {
        ddf_slice value = ddf_column_bytes(b.table, &b.table->columns[0], i);
        assert(value.data == samples[i].data + 5 && value.size == 16);
        assert(views[i].as.ref.buffer == (int32_t)((AT[i] + 5) >> 30) && views[i].as.ref.offset >= 0);
    }
    drop(b);
    munmap(memory, size);
}

static void samples_are_joined_from_where_they_lie(void) {
    ddf_slice samples[2];
    built b = build_two(SLICE("\x01"), SLICE("\xa1z"), samples);
    uint64_t ends[2];
    uint8_t out[3];
    assert(ddf_table_ends(b.table, 0, 1, 2, ends) == 1 && ends[0] == 1 && ends[1] == 3);
    assert(ddf_table_ends(b.table, 1, 1, 1, ends) == 1 && ends[0] == 2);
    assert(ddf_table_ends(b.table, 0, 1, 0, ends) == 1);
    assert(ddf_table_ends(b.table, 1, -1, 2, ends) == 0 && ends[0] == 2 && ends[1] == 3);
    ddf_table_join(b.table, 1, -1, 2, out);
    assert(memcmp(out, "\xa1z\x01", 3) == 0);
    drop(b);
    free((void *)(uintptr_t)samples[0].data);
}

static void values_are_joined_in_any_order(void) {
    static const char LONG[] = "\x81\xa1x\xd9\x28" "0123456789012345678901234567890123456789";
    ddf_slice samples[2];
    built b = build_two(SLICE(LONG), SLICE("\x81\xa1x\xa2hi"), samples);
    assert(b.status == 0 && b.table->columns_n == 1 && b.table->columns[0].kind == DDF_COLUMN_STR);
    const ddf_column *column = &b.table->columns[0];
    uint64_t ends[2];
    ddf_column_ends(column, 1, -1, 2, ends);
    assert(ends[0] == 2 && ends[1] == 42);
    uint8_t *joined = malloc(42);
    assert(joined != NULL);
    ddf_column_join(b.table, column, 1, -1, 2, joined);
    assert(memcmp(joined, "hi0123456789", 12) == 0 && joined[41] == '9');
    ddf_column_ends(column, 0, 1, 0, ends);
    ddf_column_join(b.table, column, 0, 1, 0, joined);
    free(joined);
    drop(b);
    free((void *)(uintptr_t)samples[0].data);
}

static void too_many_names_make_no_columns(void) {
    enum { NAMES = DDF_MAX_FIELDS + 1, SIZE = 3 + 4 * NAMES };
    uint8_t *packed = malloc(SIZE);
    assert(packed != NULL);
    memcpy(packed, "\xde\x10\x01", 3); /* a map of 4,097 pairs: names of two bytes, and 0 */
    for (size_t i = 0; i < NAMES; i++) {
        memcpy(packed + 3 + 4 * i, "\xa2  \x00", 4);
        packed[3 + 4 * i + 1] = (uint8_t)(' ' + i / 80);
        packed[3 + 4 * i + 2] = (uint8_t)(' ' + i % 80);
    }
    ddf_slice sample = {packed, SIZE}, name = {packed + 4, 2};
    built b = build(sample, &sample, 1, NULL, 0);
    assert(b.status == 0 && b.table->crowded && b.table->columns_n == 0 && b.table->n == 1);
    drop(b);
    b = build(sample, &sample, 1, &name, 1);
    assert(b.status == 0 && !b.table->crowded && b.table->columns_n == 1);
    drop(b);
    packed[SIZE - 1] = 0xc1; /* damage after the last name that has room */
    b = build(sample, &sample, 1, NULL, 0);
    assert(b.status == DDF_E_RESERVED && b.err.pos == SIZE - 1);
    drop(b);
    free(packed);
}

int main(void) {
    samples_are_joined_from_where_they_lie();
    kinds_follow_from_the_values();
    arrays_stack_where_dtype_and_shape_agree();
    errors_name_sample_and_byte();
    nothing_gives_no_columns();
    a_table_keeps_the_names_of_its_columns();
    raw_tables_look_at_nothing();
    views_reach_all_of_a_large_region();
    values_are_joined_in_any_order();
    too_many_names_make_no_columns();
    return 0;
}
