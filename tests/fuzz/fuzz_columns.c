/* Columns of hostile samples. What is built is compared with a plain walk over each sample.
 *
 * Input: a byte of flags, then samples of one length byte each. Flags: 1 selects the columns "a" and "key", 2 has
 * each sample twice. */
#include <assert.h>
#include <stdlib.h>

#include "ddf_columns.h"
#include "ddf_msgpack.h"
#include "ddf_nd.h"

#define MAX_SAMPLES 64

static const uint8_t *token_at(const uint8_t *p, const uint8_t *end, ddf_token *token) {
    int status;
    const uint8_t *next = ddf_token_read(p, end, token, &status);
    assert(next != NULL);
    return next;
}

/* The last value of `name` in a checked sample; NULL without one. */
static const uint8_t *find(ddf_slice sample, ddf_slice name) {
    const uint8_t *p = sample.data, *end = p + sample.size, *found = NULL;
    ddf_token token;
    p = token_at(p, end, &token);
    if (token.kind != DDF_MAP) {
        return NULL;
    }
    for (uint32_t k = token.len; k > 0; k--) {
        ddf_token key;
        (void)token_at(p, end, &key);
        p = ddf_msgpack_skip(p, end, p, NULL);
        assert(p != NULL);
        if (key.kind == DDF_STR && key.len == name.size && memcmp(key.data, name.data, key.len) == 0) {
            found = p;
        }
        p = ddf_msgpack_skip(p, end, p, NULL);
        assert(p != NULL);
    }
    assert(p == end);
    return found;
}

static void check_number(const ddf_column *column, size_t i, const ddf_token *token) {
    if (column->kind == DDF_COLUMN_BOOL) {
        assert(token->kind == DDF_BOOL && ((uint8_t *)column->data)[i] == token->value.i);
    } else if (column->kind == DDF_COLUMN_INT64) {
        assert(token->kind == DDF_INT && ((int64_t *)column->data)[i] == token->value.i);
    } else if (column->kind == DDF_COLUMN_UINT64) {
        assert((token->kind == DDF_UINT || (token->kind == DDF_INT && token->value.i >= 0)) &&
               ((uint64_t *)column->data)[i] == token->value.u);
    } else {
        double want = token->kind == DDF_INT    ? (double)token->value.i
                      : token->kind == DDF_UINT ? (double)token->value.u
                                                : token->value.f;
        assert(memcmp(&want, (double *)column->data + i, sizeof want) == 0);
    }
}

static void check_array(const ddf_column *column, size_t i, const ddf_nd *nd) {
    uint64_t bytes = ddf_dtype_size(nd->type, nd->type_len);
    assert(bytes > 0);
    for (uint32_t d = 0; d < nd->ndim; d++) {
        bytes *= nd->shape[d];
    }
    assert(bytes == nd->data_len);
    if (column->kind == DDF_COLUMN_STACKED) {
        assert(nd->ndim == column->ndim && nd->data_len == column->item_size);
        assert(nd->ndim == 0 || memcmp(nd->shape, column->shape, nd->ndim * sizeof *nd->shape) == 0);
        assert(nd->type_len == column->dtype.size && memcmp(nd->type, column->dtype.data, nd->type_len) == 0);
        assert(memcmp((uint8_t *)column->data + i * column->item_size, nd->data, nd->data_len) == 0);
    }
}

static void check_value(const ddf_table *table, const ddf_column *column, size_t i) {
    const uint8_t *end = table->samples[i].data + table->samples[i].size;
    const uint8_t *p = find(table->samples[i], column->name);
    ddf_slice value = ddf_column_value(table, column, i);
    assert(value.data == p);
    if (column->kind == DDF_COLUMN_OBJECT) {
        return;
    }
    assert(p != NULL && value.size > 0 && p + value.size <= end);
    ddf_token token;
    (void)token_at(p, end, &token);
    ddf_nd nd;
    const uint8_t *array_end = ddf_nd_parse(p, end, &nd);
    switch (column->kind) {
    case DDF_COLUMN_STR:
    case DDF_COLUMN_BYTES: {
        ddf_slice bytes = ddf_column_bytes(table, column, i);
        assert(token.kind == (column->kind == DDF_COLUMN_STR ? DDF_STR : DDF_BIN));
        assert(bytes.size == token.len && memcmp(bytes.data, token.data, token.len) == 0);
        assert(column->kind == DDF_COLUMN_BYTES || ddf_utf8_valid(bytes.data, bytes.size));
        break;
    }
    case DDF_COLUMN_COMPLEX:
        assert(array_end == p + value.size && nd.form == DDF_ND_COMPLEX);
        break;
    case DDF_COLUMN_STACKED:
    case DDF_COLUMN_VIEWS:
        assert(array_end == p + value.size && nd.form != DDF_ND_COMPLEX);
        check_array(column, i, &nd);
        break;
    default:
        check_number(column, i, &token);
    }
}

static void check_table(const ddf_table *table) {
    for (size_t i = 0; i < table->n; i++) {
        assert(ddf_msgpack_check(table->samples[i].data, table->samples[i].size, 0, NULL) >= DDF_E_DEPTH);
    }
    for (size_t c = 0; c < table->columns_n && !table->reserved; c++) {
        for (size_t i = 0; i < table->n; i++) {
            check_value(table, &table->columns[c], i);
        }
    }
}

/* An error names the first sample that does not pass by itself, or a damaged string of a column of strings. */
static void check_error(const ddf_slice *samples, size_t n, const ddf_err *err) {
    assert(err->item < n && err->pos <= samples[err->item].size);
    ddf_err own;
    if (err->code != DDF_E_UTF8 && err->code != DDF_E_DEPTH) {
        assert(ddf_msgpack_check(samples[err->item].data, samples[err->item].size, 0, &own) == err->code);
        assert(own.pos == err->pos);
    }
}

static size_t split(const uint8_t *p, const uint8_t *end, size_t times, ddf_slice *samples) {
    size_t n = 0;
    while (p < end && n + times <= MAX_SAMPLES) {
        size_t size = *p++;
        size = size < (size_t)(end - p) ? size : (size_t)(end - p);
        for (size_t k = 0; k < times; k++) {
            samples[n++] = (ddf_slice){p, size};
        }
        p += size;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    static const ddf_slice NAMES[] = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"key", 3}};
    ddf_slice samples[MAX_SAMPLES];
    size_t n = split(data + 1, data + size, data[0] & 2 ? 2 : 1, samples);
    ddf_pool *pool;
    ddf_arena *arena;
    ddf_table *table;
    ddf_err err;
    assert(ddf_pool_new((uint64_t)1 << 24, &pool) == 0 && ddf_arena_new(pool, 1 << 16, &arena) == 0);
    const ddf_slice *names = data[0] & 1 ? NAMES : NULL;
    int status = ddf_columns_build(arena, (ddf_slice){data, size}, samples, n, names, 2, &table, &err);
    if (status == 0) {
        check_table(table);
    } else {
        assert(err.code == status);
        check_error(samples, n, &err);
    }
    ddf_arena_release(arena);
    ddf_pool_release(pool);
    return 0;
}
