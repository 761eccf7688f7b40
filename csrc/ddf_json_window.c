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

/* Count lines and characters of `[p, end)`. */
static void count(const uint8_t *p, const uint8_t *end, uint64_t *lines, uint64_t *characters) {
    uint64_t newlines = 0, others = 0;
    for (const uint8_t *q = p; q < end; q++) {
        newlines += *q == '\n';
    }
    if (newlines > 0) {
        *lines += newlines;
        *characters = 0;
        for (p = end; p[-1] != '\n';) {
            p--;
        }
    }
    for (; p < end; p++) {
        others += (*p & 0xc0) != 0x80; /* not inside of a character */
    }
    *characters += others;
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
