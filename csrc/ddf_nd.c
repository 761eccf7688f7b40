#include "ddf_nd.h"

#include "ddf_msgpack.h"

/* Constant stretches of the three forms: a map header, keys and values that never vary. */
static const uint8_t ARRAY_HEAD[] = "\x85\xc4\x02nd\xc3\xc4\x04type";
static const uint8_t ARRAY_KIND[] = "\xc4\x04kind\xc4\x00\xc4\x05shape";
static const uint8_t SCALAR_HEAD[] = "\x83\xc4\x02nd\xc2\xc4\x04type";
static const uint8_t COMPLEX_HEAD[] = "\x82\xc4\x07"
                                      "complex\xc3";
static const uint8_t DATA_KEY[] = "\xc4\x04"
                                  "data";

static inline const uint8_t *expect(const uint8_t *p, const uint8_t *end, const uint8_t *want, size_t len) {
    return (size_t)(end - p) >= len && memcmp(p, want, len) == 0 ? p + len : NULL;
}

#define EXPECT(p, end, text) expect((p), (end), (text), sizeof(text) - 1)

static const uint8_t *payload(const uint8_t *p, const uint8_t *end, ddf_kind kind, const uint8_t **data,
                              uint32_t *len) {
    ddf_token token;
    int status;
    p = ddf_token_read(p, end, &token, &status);
    if (p == NULL || token.kind != kind) {
        return NULL;
    }
    *data = token.data;
    *len = token.len;
    return p;
}

static const uint8_t *read_shape(const uint8_t *p, const uint8_t *end, ddf_nd *out) {
    ddf_token token;
    int status;
    p = ddf_token_read(p, end, &token, &status);
    if (p == NULL || token.kind != DDF_ARRAY || token.len > DDF_ND_MAX_DIMS) {
        return NULL;
    }
    out->ndim = token.len;
    for (uint32_t i = 0; i < out->ndim; i++) {
        p = ddf_token_read(p, end, &token, &status);
        if (p == NULL || token.kind != DDF_INT || token.value.i < 0) {
            return NULL;
        }
        out->shape[i] = (uint64_t)token.value.i;
    }
    return p;
}

static const uint8_t *read_data(const uint8_t *p, const uint8_t *end, ddf_nd *out) {
    p = EXPECT(p, end, DATA_KEY);
    return p == NULL ? NULL : payload(p, end, DDF_BIN, &out->data, &out->data_len);
}

static const uint8_t *parse_array(const uint8_t *p, const uint8_t *end, ddf_nd *out) {
    out->form = DDF_ND_ARRAY;
    p = payload(p, end, DDF_STR, &out->type, &out->type_len);
    if (p == NULL || (p = EXPECT(p, end, ARRAY_KIND)) == NULL || (p = read_shape(p, end, out)) == NULL) {
        return NULL;
    }
    return read_data(p, end, out);
}

static const uint8_t *parse_scalar(const uint8_t *p, const uint8_t *end, ddf_nd *out) {
    out->form = DDF_ND_SCALAR;
    out->ndim = 0;
    p = payload(p, end, DDF_STR, &out->type, &out->type_len);
    return p == NULL ? NULL : read_data(p, end, out);
}

static const uint8_t *parse_complex(const uint8_t *p, const uint8_t *end, ddf_nd *out) {
    out->form = DDF_ND_COMPLEX;
    out->ndim = 0;
    p = EXPECT(p, end, DATA_KEY);
    return p == NULL ? NULL : payload(p, end, DDF_STR, &out->data, &out->data_len);
}

const uint8_t *ddf_nd_parse(const uint8_t *p, const uint8_t *end, ddf_nd *out) {
    const uint8_t *rest;
    if ((rest = EXPECT(p, end, ARRAY_HEAD)) != NULL) {
        return parse_array(rest, end, out);
    }
    if ((rest = EXPECT(p, end, SCALAR_HEAD)) != NULL) {
        return parse_scalar(rest, end, out);
    }
    if ((rest = EXPECT(p, end, COMPLEX_HEAD)) != NULL) {
        return parse_complex(rest, end, out);
    }
    return NULL;
}

uint64_t ddf_nd_bytes(const ddf_nd *nd, uint64_t itemsize) {
    uint64_t bytes = itemsize, rows = UINT64_MAX; /* until a dimension is 0 */
    for (uint32_t i = 0; i < nd->ndim; i++) {
        if (nd->shape[i] == 0) {
            rows = rows == UINT64_MAX ? bytes / itemsize : rows;
        } else if (__builtin_mul_overflow(bytes, nd->shape[i], &bytes) || bytes > INT64_MAX) {
            return UINT64_MAX;
        }
    }
    if (rows == UINT64_MAX) {
        return bytes;
    }
    return rows <= DDF_ND_MAX_ROWS ? 0 : UINT64_MAX;
}

int ddf_nd_fits(const ddf_nd *nd, uint64_t itemsize) { return ddf_nd_bytes(nd, itemsize) == nd->data_len; }

uint32_t ddf_dtype_size(const uint8_t *type, size_t len) {
    static const struct {
        char name[4];
        uint8_t size;
    } KNOWN[] = {{"i2", 2}, {"i4", 4}, {"i8", 8}, {"u2", 2}, {"u4", 4}, {"u8", 8},
                 {"f2", 2}, {"f4", 4}, {"f8", 8}, {"c8", 8}, {"c16", 16}};
    if (len < 3 || len > 4) {
        return 0;
    }
    if (type[0] == '|') {
        return len == 3 && type[2] == '1' && (type[1] == 'b' || type[1] == 'i' || type[1] == 'u');
    }
    if (type[0] != '<' && type[0] != '>') {
        return 0;
    }
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (strlen(KNOWN[i].name) == len - 1 && memcmp(KNOWN[i].name, type + 1, len - 1) == 0) {
            return KNOWN[i].size;
        }
    }
    return 0;
}
