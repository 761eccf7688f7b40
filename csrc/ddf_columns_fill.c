#include "ddf_columns_fill.h"

#include <errno.h>

#include "ddf_msgpack.h"
#include "ddf_nd.h"

/* Suitable for vector loads of a consumer, and no two columns share a cache line. */
#define DATA_ALIGN 64

#define SEEN_INTS (DDF_SEEN_NEGATIVE | DDF_SEEN_INT | DDF_SEEN_BIG)
#define INLINE_MAX 12

/* The first `n` bytes in memory of a word, n from 0 to 7. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW_BYTES(n) (((uint64_t)1 << (8 * (n))) - 1)
#else
#define LOW_BYTES(n) (~(UINT64_MAX >> (8 * (n))))
#endif

/* The loads below read what ddf_fields_locate has checked, so they know neither ends nor errors. */

static inline int64_t load_int(const uint8_t *p) {
    uint8_t c = *p++;
    if (c <= 0x7f || c >= 0xe0) {
        return (int8_t)c;
    }
    switch (c) {
    case 0xcc:
        return *p;
    case 0xcd:
        return ddf_load16(p);
    case 0xce:
        return ddf_load32(p);
    case 0xd0:
        return (int8_t)*p;
    case 0xd1:
        return (int16_t)ddf_load16(p);
    case 0xd2:
        return (int32_t)ddf_load32(p);
    default: /* 0xcf, 0xd3; one above INT64_MAX keeps its bits */
        return (int64_t)ddf_load64(p);
    }
}

static inline int is_float(const uint8_t *p) { return *p == 0xca || *p == 0xcb; }

static inline double load_float(const uint8_t *p) {
    if (*p == 0xcb) {
        uint64_t bits = ddf_load64(p + 1);
        double f;
        memcpy(&f, &bits, sizeof f);
        return f;
    }
    uint32_t bits = ddf_load32(p + 1);
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

/* The payload of a str or a bin: headers of one byte, or with lengths of 1, 2 and 4 bytes. */
static inline ddf_slice load_bytes(const uint8_t *p) {
    uint8_t c = *p++;
    switch (c) {
    case 0xc4:
    case 0xd9:
        return (ddf_slice){p + 1, *p};
    case 0xc5:
    case 0xda:
        return (ddf_slice){p + 2, ddf_load16(p)};
    case 0xc6:
    case 0xdb:
        return (ddf_slice){p + 4, ddf_load32(p)};
    default:
        return (ddf_slice){p, c & 0x1fu};
    }
}

static void *data_new(ddf_arena *arena, uint64_t n, uint64_t item_size) {
    uint64_t bytes = n * item_size;
    return ddf_arena_alloc(arena, bytes == 0 ? 1 : (size_t)bytes, DATA_ALIGN, 0);
}

static void fill_ints(const uint8_t *const *at, size_t n, int64_t *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = load_int(at[i]);
    }
}

static void fill_bools(const uint8_t *const *at, size_t n, uint8_t *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = *at[i] & 1;
    }
}

static void fill_floats(const uint8_t *const *at, size_t n, double *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = load_float(at[i]);
    }
}

static int exact_double(const uint8_t *p, double *out) {
    int64_t i = load_int(p);
    if (*p == 0xcf && i < 0) { /* a uint64 above INT64_MAX */
        *out = (double)(uint64_t)i;
        return *out < 0x1p64 && (uint64_t)*out == (uint64_t)i;
    }
    *out = (double)i;
    return *out < 0x1p63 && (int64_t)*out == i;
}

/* Floats and ints as doubles; 0 where one of the ints has no exact double. */
static int fill_mixed(const uint8_t *const *at, size_t n, double *out) {
    for (size_t i = 0; i < n; i++) {
        if (is_float(at[i])) {
            out[i] = load_float(at[i]);
        } else if (!exact_double(at[i], &out[i])) {
            return 0;
        }
    }
    return 1;
}

static inline int view_utf8(const ddf_view *view) {
    uint8_t all = 0;
    for (size_t i = 0; i < INLINE_MAX; i++) {
        all |= view->as.bytes[i];
    }
    return all < 0x80 || ddf_utf8_valid(view->as.bytes, (size_t)view->len);
}

static inline void view_inline(ddf_view *view, ddf_slice value, const uint8_t *region_end) {
    memset(view->as.bytes, 0, INLINE_MAX);
    if (DDF_LIKELY(region_end - value.data >= 16)) { /* load whole words, then mask the bytes that do not belong to the value */
        uint64_t low, high;
        memcpy(&low, value.data, 8);
        memcpy(&high, value.data + 8, 8);
        uint64_t size = value.size;
        low &= size >= 8 ? UINT64_MAX : LOW_BYTES(size);
        high &= size <= 8 ? 0 : LOW_BYTES(size - 8);
        memcpy(view->as.bytes, &low, 8);
        memcpy(view->as.bytes + 8, &high, 4);
    } else {
        memcpy(view->as.bytes, value.data, (size_t)value.size);
    }
}

static inline void view_outline(ddf_view *view, ddf_slice value, const uint8_t *region) {
    uint64_t offset = (uint64_t)(value.data - region);
    memcpy(view->as.ref.prefix, value.data, 4);
    view->as.ref.buffer = (int32_t)(offset / DDF_WINDOW);
    view->as.ref.offset = (int32_t)(offset % DDF_WINDOW);
}

/* Views of all values. Returns n, or the first sample whose string is not UTF-8 where `utf8` is true. */
static inline size_t fill_views(const ddf_table *table, const uint8_t *const *at, int utf8, ddf_view *out) {
    const uint8_t *region = table->region.data, *region_end = region + table->region.size;
    for (size_t i = 0; i < table->n; i++) {
        ddf_slice value = load_bytes(at[i]);
        ddf_view *view = &out[i];
        view->len = (int32_t)value.size;
        if (value.size <= INLINE_MAX) {
            view_inline(view, value, region_end);
            if (utf8 && DDF_UNLIKELY(!view_utf8(view))) {
                return i;
            }
        } else {
            view_outline(view, value, region);
            if (utf8 && DDF_UNLIKELY(!ddf_utf8_valid(value.data, value.size))) {
                return i;
            }
        }
    }
    return table->n;
}

static inline void stack(const uint8_t *const *at, size_t n, size_t skip, size_t size, uint8_t *out) {
    for (size_t i = 0; i < n; i++) {
        memcpy(out + i * size, at[i] + skip, size);
    }
}

/* A copy whose size the compiler knows is a few moves instead of a call. */
static void fill_stack(const uint8_t *const *at, size_t n, size_t skip, size_t size, uint8_t *out) {
    switch (size) {
    case 4:
        stack(at, n, skip, 4, out);
        break;
    case 8:
        stack(at, n, skip, 8, out);
        break;
    case 16:
        stack(at, n, skip, 16, out);
        break;
    case 32:
        stack(at, n, skip, 32, out);
        break;
    case 64:
        stack(at, n, skip, 64, out);
        break;
    case 128:
        stack(at, n, skip, 128, out);
        break;
    default:
        stack(at, n, skip, size, out);
    }
}

static int column_stack(ddf_arena *arena, const ddf_table *table, const ddf_field *field, ddf_column *column) {
    ddf_nd nd;
    (void)ddf_nd_parse(field->prefix, field->prefix + field->prefix_len + field->data_len, &nd);
    uint64_t *shape = ddf_arena_alloc(arena, (nd.ndim + 1) * sizeof *shape, _Alignof(uint64_t), 0);
    column->data = data_new(arena, table->n, field->data_len);
    if (shape == NULL || column->data == NULL) {
        return -ENOMEM;
    }
    memcpy(shape, nd.shape, nd.ndim * sizeof *shape);
    column->shape = shape;
    column->ndim = nd.ndim;
    column->dtype = (ddf_slice){nd.type, nd.type_len};
    column->item_size = field->data_len;
    fill_stack(column->at, table->n, field->prefix_len, (size_t)field->data_len, column->data);
    return DDF_OK;
}

static int column_views(ddf_arena *arena, const ddf_table *table, ddf_column *column, int utf8, ddf_err *err) {
    ddf_view *views = column->data = data_new(arena, table->n, sizeof *views);
    if (views == NULL) {
        return -ENOMEM;
    }
    size_t good = utf8 ? fill_views(table, column->at, 1, views) : fill_views(table, column->at, 0, views);
    if (good == table->n) {
        return DDF_OK;
    }
    uint64_t pos = (uint64_t)(column->at[good] - table->samples[good].data);
    return ddf_fail(err, DDF_E_UTF8, "string is not valid UTF-8", good, pos);
}

static int column_numbers(ddf_arena *arena, const ddf_table *table, uint32_t seen, ddf_column *column) {
    column->data = data_new(arena, table->n, column->kind == DDF_COLUMN_BOOL ? 1 : 8);
    if (column->data == NULL) {
        return -ENOMEM;
    }
    if (column->kind == DDF_COLUMN_BOOL) {
        fill_bools(column->at, table->n, column->data);
    } else if (column->kind != DDF_COLUMN_FLOAT64) {
        fill_ints(column->at, table->n, column->data);
    } else if (seen == DDF_SEEN_FLOAT) {
        fill_floats(column->at, table->n, column->data);
    } else if (!fill_mixed(column->at, table->n, column->data)) {
        column->kind = DDF_COLUMN_OBJECT;
        column->data = NULL;
    }
    return DDF_OK;
}

static ddf_column_kind number_kind(uint32_t seen) {
    if (seen & DDF_SEEN_FLOAT) {
        return DDF_COLUMN_FLOAT64; /* unless an int is not exact, which shows in filling */
    }
    if (!(seen & DDF_SEEN_BIG)) {
        return DDF_COLUMN_INT64;
    }
    return seen & DDF_SEEN_NEGATIVE ? DDF_COLUMN_OBJECT : DDF_COLUMN_UINT64;
}

static ddf_column_kind decide(const ddf_field *field, size_t n) {
    if (field->present < n) {
        return DDF_COLUMN_OBJECT;
    }
    switch (field->seen) {
    case DDF_SEEN_BOOL:
        return DDF_COLUMN_BOOL;
    case DDF_SEEN_STR:
        return DDF_COLUMN_STR;
    case DDF_SEEN_BYTES:
        return DDF_COLUMN_BYTES;
    case DDF_SEEN_COMPLEX:
        return DDF_COLUMN_COMPLEX;
    case DDF_SEEN_ARRAY:
    case DDF_SEEN_SCALAR:
        return DDF_COLUMN_STACKED;
    case DDF_SEEN_ARRAY | DDF_SEEN_DIFFERENT:
        return DDF_COLUMN_VIEWS;
    default:
        return field->seen & ~(uint32_t)(SEEN_INTS | DDF_SEEN_FLOAT) ? DDF_COLUMN_OBJECT : number_kind(field->seen);
    }
}

int ddf_column_fill(ddf_arena *arena, const ddf_table *table, const ddf_field *field, ddf_column *column,
                    ddf_err *err) {
    memset(column, 0, sizeof *column);
    column->name = field->name;
    column->at = (const uint8_t *const *)field->at;
    column->kind = table->reserved ? DDF_COLUMN_OBJECT : decide(field, table->n);
    switch (column->kind) {
    case DDF_COLUMN_STR:
        return column_views(arena, table, column, 1, err);
    case DDF_COLUMN_BYTES:
        return column_views(arena, table, column, 0, err);
    case DDF_COLUMN_STACKED:
        return column_stack(arena, table, field, column);
    case DDF_COLUMN_OBJECT:
    case DDF_COLUMN_COMPLEX:
    case DDF_COLUMN_VIEWS:
        return DDF_OK;
    default:
        return column_numbers(arena, table, field->seen, column);
    }
}
