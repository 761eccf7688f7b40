#include "ddf_json_window.h"

#include <errno.h>
#include <stdlib.h>

int ddf_json_window_open(ddf_json_window *window, size_t room) {
    *window = (ddf_json_window){.room = room, .data = calloc(1, room + DDF_JSON_PADDING)};
    return window->data == NULL ? -ENOMEM : 0;
}

void ddf_json_window_free(ddf_json_window *window) {
    free(window->data);
    window->data = NULL;
}

#define ONES 0x0101010101010101u
#define LOW (0x7f * ONES)
#define HIGH (0x80 * ONES)

static uint64_t load(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static uint64_t count_newlines(const uint8_t *p, const uint8_t *end) {
    int64_t found = 0;
    for (; end - p >= 8; p += 8) {
        uint64_t word = load(p) ^ ('\n' * ONES);
        found += __builtin_popcountll(~(((word & LOW) + LOW) | word) & HIGH);
    }
    for (; p < end; p++) {
        found += *p == '\n';
    }
    return (uint64_t)found;
}

static uint64_t count_characters(const uint8_t *p, const uint8_t *end) {
    int64_t inside = 0; /* bytes after the first one of a character */
    const uint8_t *start = p;
    for (; end - p >= 8; p += 8) {
        uint64_t word = load(p);
        inside += __builtin_popcountll(word & ~(word << 1) & HIGH);
    }
    for (; p < end; p++) {
        inside += (*p & 0xc0) == 0x80;
    }
    return (uint64_t)(end - start - inside);
}

/* Add the lines and characters of `[p, end)`. */
static void count(const uint8_t *p, const uint8_t *end, uint64_t *lines, uint64_t *characters) {
    uint64_t newlines = count_newlines(p, end);
    if (newlines > 0) {
        *lines += newlines;
        *characters = 0;
        for (p = end; p[-1] != '\n';) {
            p--;
        }
    }
    *characters += count_characters(p, end);
}

uint8_t *ddf_json_window_room(ddf_json_window *window, size_t *size) {
    if (window->start > 0) {
        count(window->data, window->data + window->start, &window->lines, &window->characters);
        window->size -= window->start;
        memmove(window->data, window->data + window->start, window->size);
        window->base += window->start;
        window->start = 0;
    }
    if (window->size == window->room) {
        uint8_t *data = realloc(window->data, 2 * window->room + DDF_JSON_PADDING);
        if (data == NULL) {
            return NULL;
        }
        window->data = data;
        window->room *= 2;
    }
    memset(window->data + window->size, 0, DDF_JSON_PADDING);
    *size = window->room - window->size;
    return window->data + window->size;
}

void ddf_json_window_fed(ddf_json_window *window, size_t size) {
    window->size += size;
    memset(window->data + window->size, 0, DDF_JSON_PADDING);
}

void ddf_json_window_place(const ddf_json_window *window, uint64_t pos, uint64_t *line, uint64_t *column) {
    uint64_t lines = window->lines, characters = window->characters;
    count(window->data, window->data + (pos - window->base), &lines, &characters);
    *line = lines + 1;
    *column = characters + 1;
}
