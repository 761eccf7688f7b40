#include "ddf_columns_locate.h"

#include <errno.h>

#include "ddf_msgpack.h"
#include "ddf_nd.h"

/* Dimensions of an array that can become part of a stack; numpy 1 has 32 in all. */
#define DDF_STACK_MAX_DIMS 31

typedef struct locator {
    ddf_fields *fields;
    ddf_table *table;
    const uint8_t *region_end;
    int select_all;
    size_t order_n;
    uint16_t order[DDF_MAX_FIELDS]; /* fields in the order of the samples before: samples of a dataset look alike */
    ddf_err *err;
    size_t sample;
    const uint8_t *start; /* of this sample */
} locator;

static const char *reason(int status) {
    return status == DDF_E_RESERVED ? "no msgpack value starts with byte 0xc1" : "value runs past the end of the sample";
}

static int fail(const locator *s, int code, const char *msg, const uint8_t *at) {
    return ddf_fail(s->err, code, msg, s->sample, (uint64_t)(at - s->start));
}

/* ---- names ---- */

static void field_set_key(ddf_field *field, const uint8_t *key, uint64_t len) {
    uint8_t head[8] = {0}, mask[8] = {0};
    size_t n = len < 8 ? (size_t)len : 8;
    memcpy(head, key, n);
    memset(mask, 0xff, n);
    memcpy(&field->head, head, 8);
    memcpy(&field->mask, mask, 8);
    field->key = key;
    field->key_len = len;
}

/* Whether the packed name at `p` is `field`'s. */
static inline int key_matches(const locator *s, const ddf_field *field, const uint8_t *p, const uint8_t *end) {
    if (DDF_UNLIKELY((size_t)(end - p) < field->key_len)) {
        return 0;
    }
    if (DDF_LIKELY(s->region_end - p >= 8)) { /* reading on into the next sample does no harm */
        uint64_t word;
        memcpy(&word, p, 8);
        if ((word & field->mask) != field->head) {
            return 0;
        }
        return field->key_len <= 8 || memcmp(p + 8, field->key + 8, field->key_len - 8) == 0;
    }
    return memcmp(p, field->key, field->key_len) == 0;
}

/* The field of a name that did not come where it was expected, DDF_NO_FIELD for one that is left out, or an error. */
static int field_find(locator *s, ddf_slice name, const uint8_t *key, const uint8_t *key_end) {
    int id = ddf_fields_find(s->fields, name);
    if (id == DDF_NO_FIELD) {
        if ((s->select_all || s->table->crowded) && !ddf_utf8_valid(name.data, name.size)) {
            return fail(s, DDF_E_UTF8, "string is not valid UTF-8", key);
        }
        id = ddf_fields_add(s->fields, name, s->select_all);
        if (id == DDF_E_FIELDS) {
            s->table->crowded |= s->select_all;
            s->select_all = 0; /* the samples are still checked */
            return DDF_NO_FIELD;
        }
        if (id < 0) {
            return id;
        }
    }
    if (s->fields->items[id].key == NULL) {
        field_set_key(&s->fields->items[id], key, (uint64_t)(key_end - key));
    }
    return id;
}

static int name_is(const ddf_token *token, const char *text, size_t len) {
    return token->len == len && memcmp(token->data, text, len) == 0;
}

/* Read the name at `*p`, the `k`th of its sample, and advance `*p` to its end. Returns its field, DDF_NO_FIELD or an error. */
static int name_read(locator *s, size_t k, const uint8_t **p, const uint8_t *end) {
    ddf_token token;
    int status;
    const uint8_t *next = ddf_token_read(*p, end, &token, &status);
    if (next == NULL) {
        return fail(s, status, reason(status), *p);
    }
    int id = DDF_NO_FIELD;
    if (token.kind == DDF_STR) {
        id = field_find(s, (ddf_slice){token.data, token.len}, *p, next);
        if (id < 0) {
            return id;
        }
    } else {
        s->table->odd_names = 1;
        s->table->reserved |= token.kind == DDF_BIN && (name_is(&token, "nd", 2) || name_is(&token, "complex", 7));
        ddf_err local;
        next = ddf_msgpack_skip(*p, end, s->start, &local);
        if (next == NULL) {
            return ddf_fail(s->err, local.code, local.msg, s->sample, local.pos);
        }
    }
    if (k < DDF_MAX_FIELDS) {
        s->order[k] = (uint16_t)id;
        s->order_n = k < s->order_n ? s->order_n : k + 1;
    }
    *p = next;
    return id;
}

/* ---- values ---- */

static const uint8_t *value_skip(const locator *s, const uint8_t *p, const uint8_t *end) {
    ddf_err local;
    const uint8_t *next = ddf_msgpack_skip(p, end, s->start, &local);
    if (DDF_UNLIKELY(next == NULL)) {
        ddf_fail(s->err, local.code, local.msg, s->sample, local.pos);
    }
    return next;
}

/* Whether the array or numpy scalar has a dtype and a shape that can become part of a stack, and the data for it. */
static int nd_is_plain(const ddf_nd *nd) {
    uint64_t itemsize = ddf_dtype_size(nd->type, nd->type_len);
    return itemsize > 0 && nd->ndim <= DDF_STACK_MAX_DIMS && ddf_nd_fits(nd, itemsize);
}

/* One item of shape (2**62, 0) is nothing, a stack of four is refused by numpy. */
static int nd_stacks(const ddf_nd *nd, uint64_t n) {
    uint64_t items = n;
    for (uint32_t i = 0; i < nd->ndim; i++) {
        if (nd->shape[i] != 0 && __builtin_mul_overflow(items, nd->shape[i], &items)) {
            return 0;
        }
    }
    return items <= INT64_MAX / 16;
}

static uint32_t nd_seen(const locator *s, ddf_field *field, const uint8_t *p, const ddf_nd *nd) {
    if (nd->form == DDF_ND_COMPLEX) {
        return DDF_SEEN_COMPLEX;
    }
    if (!nd_is_plain(nd) || !nd_stacks(nd, s->table->n)) {
        return DDF_SEEN_OTHER;
    }
    uint32_t seen = nd->form == DDF_ND_ARRAY ? DDF_SEEN_ARRAY : DDF_SEEN_SCALAR;
    if (field->prefix != NULL) {
        return seen | DDF_SEEN_DIFFERENT; /* else its bytes would have matched */
    }
    field->prefix = p;
    field->prefix_len = (uint32_t)(nd->data - p);
    field->data_len = nd->data_len;
    return seen;
}

/* A map: an array like the field's first one if all bytes up to the data are equal, else parsed. */
static const uint8_t *value_map(const locator *s, ddf_field *field, const uint8_t *p, const uint8_t *end) {
    if (DDF_LIKELY(field->prefix != NULL && (size_t)(end - p) >= field->prefix_len + field->data_len &&
                   memcmp(p, field->prefix, field->prefix_len) == 0)) {
        return p + field->prefix_len + field->data_len;
    }
    ddf_nd nd;
    const uint8_t *next = ddf_nd_parse(p, end, &nd);
    if (next != NULL) {
        field->seen |= nd_seen(s, field, p, &nd);
        return next;
    }
    field->seen |= DDF_SEEN_OTHER;
    return value_skip(s, p, end);
}

static uint32_t token_seen(const ddf_token *token) {
    switch (token->kind) {
    case DDF_NIL:
        return DDF_SEEN_NIL;
    case DDF_BOOL:
        return DDF_SEEN_BOOL;
    case DDF_INT:
        return token->value.i < 0 ? DDF_SEEN_NEGATIVE : DDF_SEEN_INT;
    case DDF_UINT:
        return DDF_SEEN_BIG;
    case DDF_FLOAT:
        return DDF_SEEN_FLOAT;
    case DDF_STR:
        return token->len > INT32_MAX ? DDF_SEEN_OTHER : DDF_SEEN_STR;
    case DDF_BIN:
        return token->len > INT32_MAX ? DDF_SEEN_OTHER : DDF_SEEN_BYTES;
    default:
        return DDF_SEEN_OTHER;
    }
}

static const uint8_t *value_any(const locator *s, ddf_field *field, const uint8_t *p, const uint8_t *end) {
    ddf_token token;
    int status;
    const uint8_t *next = ddf_token_read(p, end, &token, &status);
    if (next == NULL) {
        (void)fail(s, status, reason(status), p);
        return NULL;
    }
    if (token.kind == DDF_MAP) {
        return value_map(s, field, p, end);
    }
    field->seen |= token_seen(&token);
    return token.kind == DDF_ARRAY ? value_skip(s, p, end) : next;
}

/* Note the kind of the value at `p` and step over it; NULL: it is damaged. The first cases are value_any's, inlined
 * for what most values are. */
static inline const uint8_t *value_step(const locator *s, ddf_field *field, const uint8_t *p, const uint8_t *end) {
    size_t left = (size_t)(end - p);
    if (DDF_UNLIKELY(left < 5)) {
        return value_any(s, field, p, end);
    }
    uint8_t c = *p;
    if (c <= 0x7f) {
        field->seen |= DDF_SEEN_INT;
        return p + 1;
    }
    if (c == 0x85) {
        return value_map(s, field, p, end);
    }
    if ((c & 0xe0) == 0xa0 && left > (c & 0x1fu)) {
        field->seen |= DDF_SEEN_STR;
        return p + 1 + (c & 0x1fu);
    }
    if (c == 0xcd) {
        field->seen |= DDF_SEEN_INT;
        return p + 3;
    }
    if (c == 0xc5 && left - 3 >= ddf_load16(p + 1)) {
        field->seen |= DDF_SEEN_BYTES;
        return p + 3 + ddf_load16(p + 1);
    }
    return value_any(s, field, p, end);
}

/* ---- samples ---- */

static inline void value_note(ddf_field *field, size_t sample, const uint8_t *p) {
    if (DDF_LIKELY(field->at[sample] == NULL)) {
        field->present++;
    } else {
        field->seen |= DDF_SEEN_OTHER;
    }
    field->at[sample] = p;
}

static int pairs_locate(locator *s, uint32_t pairs, const uint8_t *p, const uint8_t *end) {
    for (size_t k = 0; k < pairs; k++) {
        int id = k < s->order_n ? s->order[k] : DDF_NO_FIELD;
        if (DDF_LIKELY(id != DDF_NO_FIELD && key_matches(s, &s->fields->items[id], p, end))) {
            p += s->fields->items[id].key_len;
        } else {
            id = name_read(s, k, &p, end);
            if (id < 0) {
                return id;
            }
        }
        if (DDF_UNLIKELY(id == DDF_NO_FIELD)) {
            p = value_skip(s, p, end);
        } else {
            ddf_field *field = &s->fields->items[id];
            if (DDF_LIKELY(field->at != NULL)) {
                value_note(field, s->sample, p);
            }
            p = value_step(s, field, p, end);
        }
        if (DDF_UNLIKELY(p == NULL)) {
            return s->err->code;
        }
    }
    return p == end ? DDF_OK : fail(s, DDF_E_TRAILING, "bytes follow the end of the message", p);
}

static int sample_locate(locator *s, const uint8_t *p, const uint8_t *end) {
    if (DDF_LIKELY(p < end && (*p & 0xf0) == 0x80)) {
        return pairs_locate(s, *p & 0x0fu, p + 1, end);
    }
    ddf_token token;
    int status;
    const uint8_t *next = ddf_token_read(p, end, &token, &status);
    if (next != NULL && token.kind == DDF_MAP) {
        return pairs_locate(s, token.len, next, end);
    }
    ddf_err local;
    status = ddf_msgpack_check(p, (size_t)(end - p), 0, &local);
    return status == DDF_OK ? DDF_OK : ddf_fail(s->err, status, local.msg, s->sample, local.pos);
}

/* The names are copied: a table may outlive the caller's list. */
static int names_select(locator *s, const ddf_slice *names, size_t names_n) {
    for (size_t i = 0; i < names_n; i++) {
        if (ddf_fields_find(s->fields, names[i]) != DDF_NO_FIELD) {
            continue;
        }
        uint8_t *kept = ddf_arena_alloc(s->fields->arena, (size_t)names[i].size + 1, 1, 0);
        if (kept == NULL) {
            return -ENOMEM;
        }
        memcpy(kept, names[i].data, (size_t)names[i].size);
        int status = ddf_fields_add(s->fields, (ddf_slice){kept, names[i].size}, 1);
        if (status == DDF_E_FIELDS) {
            s->table->crowded = s->table->n > 0;
            return DDF_OK;
        }
        if (status < 0) {
            return status;
        }
    }
    return DDF_OK;
}

int ddf_fields_locate(ddf_arena *arena, ddf_table *table, const ddf_slice *names, size_t names_n, ddf_fields *out,
                      ddf_err *err) {
    locator s;
    memset(&s, 0, offsetof(locator, order));
    s.fields = out;
    s.table = table;
    s.region_end = table->region.size == 0 ? table->region.data : table->region.data + table->region.size;
    s.select_all = names == NULL;
    s.err = err;
    s.sample = 0;
    int status = ddf_fields_init(out, arena, table, names == NULL ? 0 : names_n);
    if (status == DDF_OK && names != NULL) {
        status = names_select(&s, names, names_n);
    }
    for (size_t i = 0; i < table->n && status == DDF_OK; i++) {
        s.sample = i;
        s.start = table->samples[i].data;
        status = sample_locate(&s, s.start, s.start + table->samples[i].size);
    }
    return status;
}
