/* ddf_json_window: the part of a text that is in memory, and lines and columns of what was before it.
 *
 * No thread safety. The bytes are followed by DDF_JSON_PADDING zeros. */
#ifndef DDF_JSON_WINDOW_H
#define DDF_JSON_WINDOW_H

#include "ddf_json_text.h"

typedef struct ddf_json_window {
    uint8_t *data;
    size_t start, size; /* what is not read yet: [start, size) */
    size_t room;
    uint64_t base;              /* position of data[0] in the text */
    uint64_t lines, characters; /* before data[0]: lines that have ended, and characters of the next one */
} ddf_json_window;

/* Begin with room for `room` bytes. Returns 0 or -ENOMEM. */
int ddf_json_window_open(ddf_json_window *window, size_t room);
void ddf_json_window_free(ddf_json_window *window);

/* Discard what was read, and make room for more bytes: twice as much if what is not read fills the window. `*size` is
 * how many may be written to the result. NULL: no memory. */
uint8_t *ddf_json_window_room(ddf_json_window *window, size_t *size);

/* `size` bytes were written to the room. */
void ddf_json_window_fed(ddf_json_window *window, size_t size);

/* Line and column of a position in the window: both from 1, the column in characters. */
void ddf_json_window_place(const ddf_json_window *window, uint64_t pos, uint64_t *line, uint64_t *column);

#endif
