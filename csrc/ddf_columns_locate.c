#include "ddf_columns_locate.h"

#include <errno.h>

#include "ddf_msgpack.h"
#include "ddf_nd.h"

#define NO_FIELD UINT16_MAX

/* Pointers from fields to values may take this much, whatever the input, and else this many times its bytes. */
#define ROOM_FREE ((uint64_t)4 << 20)
#define ROOM_PER_BYTE 16

typedef struct locator {
    ddf_arena *arena;
    const ddf_table *table;
    const uint8_t *region_end;
    ddf_field *fields;
    size_t fields_n, fields_room;
    int select_all, odd_names, reserved;
    uint16_t *slots; /* hash table from name to field; a power of two, at most half full */
    size_t slots_n;
    size_t order_n;
    uint16_t order[DDF_MAX_FIELDS]; /* fields in the order of the samples before: samples of a dataset look alike */
    ddf_err *err;
    size_t sample;
    const uint8_t *start; /* of this sample */
} locator;

static const char *reason(int status) {
    return status == DDF_E_RESERVED ? "byte 0xc1 starts no msgpack value" : "value runs past the end of the sample";
}

static int fail(const locator *s, int code, const char *msg, const uint8_t *at) {
    return ddf_fail(s->err, code, msg, s->sample, (uint64_t)(at - s->start));
}

/* ---- names ---- */

static inline uint64_t mix(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Seeded by an address, so that a file cannot be made to collide. */
static uint64_t name_hash(const locator *s, ddf_slice name) {
    uint64_t hash = (uint64_t)(uintptr_t)s->fields ^ 0x9e3779b97f4a7c15u;
    const uint8_t *p = name.data;
    uint64_t left = name.size, word = 0;
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        hash = mix(hash ^ word, 0xa0761d6478bd642fu);
    }
    word = 0;
    memcpy(&word, p, left);
    return mix(hash ^ word, 0xe7037ed1a0b428dbu ^ name.size);
}

/* The slot of `name`: where its field is, or the empty one where it belongs. */
static uint16_t *name_slot(const locator *s, ddf_slice name) {
    size_t at = (size_t)name_hash(s, name) & (s->slots_n - 1);
    for (; s->slots[at] != NO_FIELD; at = (at + 1) & (s->slots_n - 1)) {
        const ddf_slice *other = &s->fields[s->slots[at]].name;
        if (other->size == name.size && memcmp(other->data, name.data, name.size) == 0) {
            break;
        }
    }
    return &s->slots[at];
}

/* Room for at least `n` fields, and slots for them. */
static int fields_grow(locator *s, size_t n) {
    size_t room = 16;
    while (room < n) {
        room *= 2;
    }
    ddf_field *fields = ddf_arena_alloc(s->arena, room * sizeof *fields, _Alignof(ddf_field), 0);
    uint16_t *slots = ddf_arena_alloc(s->arena, 2 * room * sizeof *slots, _Alignof(uint16_t), 0);
    if (fields == NULL || slots == NULL) {
        return -ENOMEM;
    }
    if (s->fields_n > 0) {
        memcpy(fields, s->fields, s->fields_n * sizeof *fields);
    }
    memset(slots, 0xff, 2 * room * sizeof *slots); /* NO_FIELD */
    s->fields = fields;
    s->fields_room = room;
    s->slots = slots;
    s->slots_n = 2 * room;
    for (size_t i = 0; i < s->fields_n; i++) {
        *name_slot(s, fields[i].name) = (uint16_t)i;
    }
    return DDF_OK;
}

static int pointers_fit(const locator *s) {
    uint64_t pointers = (uint64_t)(s->fields_n + 1) * s->table->n;
    return pointers * sizeof(void *) <= ROOM_FREE + ROOM_PER_BYTE * s->table->nbytes;
}

/* Append a field; `selected` ones get room for their values. Returns DDF_OK, -ENOMEM or DDF_E_FIELDS. */
static int field_add(locator *s, ddf_slice name, int selected) {
    if (s->fields_n == DDF_MAX_FIELDS || (selected && !pointers_fit(s))) {
        return DDF_E_FIELDS;
    }
    if (s->fields_n == s->fields_room && fields_grow(s, s->fields_n + 1) < 0) {
        return -ENOMEM;
    }
    ddf_field *field = &s->fields[s->fields_n];
    memset(field, 0, sizeof *field);
    field->name = name;
    if (selected) {
        size_t bytes = s->table->n * sizeof *field->at;
        field->at = ddf_arena_alloc(s->arena, bytes, _Alignof(void *), 0);
        if (field->at == NULL) {
            return -ENOMEM;
        }
        memset(field->at, 0, bytes);
    }
    *name_slot(s, name) = (uint16_t)s->fields_n++;
    return DDF_OK;
}

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

/* The field of a name that did not come where it was expected; NO_FIELD for one that is left out. Negative: error. */
static int field_find(locator *s, ddf_slice name, const uint8_t *key, const uint8_t *key_end) {
    uint16_t id = *name_slot(s, name);
    if (id == NO_FIELD) {
        if (s->select_all && !ddf_utf8_valid(name.data, name.size)) {
            return fail(s, DDF_E_UTF8, "string is not valid UTF-8", key);
        }
        int status = field_add(s, name, s->select_all);
        if (status == DDF_E_FIELDS) {
            return s->select_all ? fail(s, status, "too many different field names in one batch", key) : NO_FIELD;
        }
        if (status < 0) {
            return status;
        }
        id = (uint16_t)(s->fields_n - 1);
    }
    if (s->fields[id].key == NULL) {
        field_set_key(&s->fields[id], key, (uint64_t)(key_end - key));
    }
    return id;
}

static int name_is(const ddf_token *token, const char *text, size_t len) {
    return token->len == len && memcmp(token->data, text, len) == 0;
}

/* Read the name at `*p`, the `k`th of its sample, and move behind it. Returns its field, NO_FIELD or an error. */
static int name_read(locator *s, size_t k, const uint8_t **p, const uint8_t *end) {
    ddf_token token;
    int status;
    const uint8_t *next = ddf_token_read(*p, end, &token, &status);
    if (next == NULL) {
        return fail(s, status, reason(status), *p);
    }
    int id = NO_FIELD;
    if (token.kind == DDF_STR) {
        id = field_find(s, (ddf_slice){token.data, token.len}, *p, next);
        if (id < 0) {
            return id;
        }
    } else {
        s->odd_names = 1;
        s->reserved |= token.kind == DDF_BIN && (name_is(&token, "nd", 2) || name_is(&token, "complex", 7));
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

/* Bytes of an array's data by its dtype and shape, or UINT64_MAX where numpy could not hold such an array. */
static uint64_t nd_bytes(const ddf_nd *nd) {
    uint64_t bytes = ddf_dtype_size(nd->type, nd->type_len);
    int empty = 0;
    if (bytes == 0 || nd->ndim > DDF_STACK_MAX_DIMS) {
        return UINT64_MAX;
    }
    for (uint32_t i = 0; i < nd->ndim; i++) {
        if (nd->shape[i] == 0) {
            empty = 1;
        } else if (__builtin_mul_overflow(bytes, nd->shape[i], &bytes) || bytes > INT64_MAX) {
            return UINT64_MAX;
        }
    }
    return empty ? 0 : bytes;
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
    if (nd_bytes(nd) != nd->data_len || !nd_stacks(nd, s->table->n)) {
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

/* A map: an array like the field's first one, told by comparing all up to the data, or something to look at. */
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
        int id = k < s->order_n ? s->order[k] : NO_FIELD;
        if (DDF_LIKELY(id != NO_FIELD && key_matches(s, &s->fields[id], p, end))) {
            p += s->fields[id].key_len;
        } else {
            id = name_read(s, k, &p, end);
            if (id < 0) {
                return id;
            }
        }
        if (DDF_UNLIKELY(id == NO_FIELD)) {
            p = value_skip(s, p, end);
        } else {
            ddf_field *field = &s->fields[id];
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

static int names_select(locator *s, const ddf_slice *names, size_t names_n) {
    for (size_t i = 0; i < names_n; i++) {
        if (*name_slot(s, names[i]) != NO_FIELD) {
            continue;
        }
        int status = field_add(s, names[i], 1);
        if (status < 0) {
            return ddf_fail(s->err, status, "too many columns selected", 0, 0);
        }
    }
    return DDF_OK;
}

int ddf_fields_locate(ddf_arena *arena, const ddf_table *table, const ddf_slice *names, size_t names_n,
                      ddf_fields *out, ddf_err *err) {
    locator s;
    memset(&s, 0, offsetof(locator, order));
    s.arena = arena;
    s.table = table;
    s.region_end = table->region.size == 0 ? table->region.data : table->region.data + table->region.size;
    s.select_all = names == NULL;
    s.err = err;
    s.sample = 0;
    int status = fields_grow(&s, names == NULL ? 0 : names_n);
    if (status == DDF_OK && names != NULL) {
        status = names_select(&s, names, names_n);
    }
    for (size_t i = 0; i < table->n && status == DDF_OK; i++) {
        s.sample = i;
        s.start = table->samples[i].data;
        status = sample_locate(&s, s.start, s.start + table->samples[i].size);
    }
    out->items = s.fields;
    out->n = s.fields_n;
    out->odd_names = s.odd_names;
    out->reserved = s.reserved;
    return status;
}
