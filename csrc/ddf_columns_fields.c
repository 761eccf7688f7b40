#include "ddf_columns_fields.h"

#include <errno.h>

/* Pointers from fields to values may take this much, whatever the input, and else this many times its bytes. */
#define ROOM_FREE ((uint64_t)4 << 20)
#define ROOM_PER_BYTE 16

static inline uint64_t mix(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Seeded by an address, so that a file cannot be made to collide. */
static uint64_t name_hash(const ddf_fields *fields, ddf_slice name) {
    uint64_t hash = (uint64_t)(uintptr_t)fields->items ^ 0x9e3779b97f4a7c15u;
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
static uint16_t *name_slot(const ddf_fields *fields, ddf_slice name) {
    size_t at = (size_t)name_hash(fields, name) & (fields->slots_n - 1);
    for (; fields->slots[at] != DDF_NO_FIELD; at = (at + 1) & (fields->slots_n - 1)) {
        const ddf_slice *other = &fields->items[fields->slots[at]].name;
        if (other->size == name.size && memcmp(other->data, name.data, name.size) == 0) {
            break;
        }
    }
    return &fields->slots[at];
}

/* Room for at least `n` fields, and slots for them. */
static int grow(ddf_fields *fields, size_t n) {
    size_t room = 16;
    while (room < n) {
        room *= 2;
    }
    ddf_field *items = ddf_arena_alloc(fields->arena, room * sizeof *items, _Alignof(ddf_field), 0);
    uint16_t *slots = ddf_arena_alloc(fields->arena, 2 * room * sizeof *slots, _Alignof(uint16_t), 0);
    if (items == NULL || slots == NULL) {
        return -ENOMEM;
    }
    if (fields->n > 0) {
        memcpy(items, fields->items, fields->n * sizeof *items);
    }
    memset(slots, 0xff, 2 * room * sizeof *slots); /* DDF_NO_FIELD */
    fields->items = items;
    fields->room = room;
    fields->slots = slots;
    fields->slots_n = 2 * room;
    for (size_t i = 0; i < fields->n; i++) {
        *name_slot(fields, items[i].name) = (uint16_t)i;
    }
    return DDF_OK;
}

static int pointers_fit(const ddf_fields *fields) {
    uint64_t pointers = (uint64_t)(fields->n + 1) * fields->table->n;
    return pointers * sizeof(void *) <= ROOM_FREE + ROOM_PER_BYTE * fields->table->nbytes;
}

int ddf_fields_init(ddf_fields *fields, ddf_arena *arena, const ddf_table *table, size_t expected) {
    memset(fields, 0, sizeof *fields);
    fields->arena = arena;
    fields->table = table;
    return grow(fields, expected < DDF_MAX_FIELDS ? expected : DDF_MAX_FIELDS);
}

int ddf_fields_find(const ddf_fields *fields, ddf_slice name) { return *name_slot(fields, name); }

int ddf_fields_add(ddf_fields *fields, ddf_slice name, int selected) {
    if (fields->n == DDF_MAX_FIELDS || (selected && !pointers_fit(fields))) {
        return DDF_E_FIELDS;
    }
    if (fields->n == fields->room && grow(fields, fields->n + 1) < 0) {
        return -ENOMEM;
    }
    ddf_field *field = &fields->items[fields->n];
    memset(field, 0, sizeof *field);
    field->name = name;
    if (selected) {
        size_t bytes = fields->table->n * sizeof *field->at;
        field->at = ddf_arena_alloc(fields->arena, bytes, _Alignof(void *), 0);
        if (field->at == NULL) {
            return -ENOMEM;
        }
        memset(field->at, 0, bytes);
    }
    *name_slot(fields, name) = (uint16_t)fields->n;
    return (int)fields->n++;
}
