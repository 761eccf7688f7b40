/* ddf_json: a JSON document, read piece by piece: arrays of records as columns, everything else as text.
 *
 * The document is an object whose members are such arrays, or other values; or one such array. The caller fills the
 * room of the window and runs the reader, again and again. Memory is the window, which grows as far as one record
 * needs, and one chunk of columns. No thread safety: a reader belongs to one thread at a time. Nothing here waits. */
#ifndef DDF_JSON_H
#define DDF_JSON_H

#include "ddf_json_record.h"

/* Sizes in bytes. */
typedef struct ddf_json_options {
    size_t window;        /* first size of the window, at least 1 */
    size_t max_record;    /* maximum text of one record, or of another part that is read at once; up to 2**30 */
    size_t chunk_records; /* a chunk ends after as many records, */
    size_t chunk_bytes;   /* or when its columns have as many bytes; up to 2**29 */
    size_t max_rest;      /* maximum text of another member of the document that is kept */
} ddf_json_options;

typedef struct ddf_json ddf_json;

/* What ddf_json_run came to. */
typedef enum ddf_json_event {
    DDF_JSON_DONE,                 /* the end of the document */
    DDF_JSON_FEED = DDF_JSON_MORE, /* more bytes are needed */
    DDF_JSON_CHUNK,  /* a chunk of ddf_json_chunk is complete; an array without records has one, which is empty */
    DDF_JSON_MEMBER, /* another member of the document is complete: ddf_json_member */
} ddf_json_event;

/* `arrays` and their names belong to the caller and outlive the reader. NULL: no memory. */
ddf_json *ddf_json_new(ddf_json_array *arrays, size_t n_arrays, const ddf_json_options *options);
void ddf_json_free(ddf_json *json);

/* Room for the next bytes: `*size` is at least 1. To read in linear time, the caller fills all of it before the next
 * run, unless the input ends. NULL with err->code DDF_E_LIMIT if one record is larger than allowed, or -ENOMEM. */
uint8_t *ddf_json_room(ddf_json *json, size_t *size, ddf_err *err);

/* `size` bytes were written to the room. */
void ddf_json_fed(ddf_json *json, size_t size);

/* The input has ended. */
void ddf_json_end(ddf_json *json);

/* Read on. Returns a ddf_json_event; or -ENOMEM or DDF_E_* with err->pos the position in the document, after which the
 * reader is not used any more. */
int ddf_json_run(ddf_json *json, ddf_err *err);

/* The array whose records are being read, or to which the chunk belongs: released buffers, and everything else of the
 * chunk, are replaced by the next run. NULL outside of all arrays. */
ddf_json_array *ddf_json_chunk(ddf_json *json);

/* A member of the document that is no array of records, until the next run. */
typedef struct ddf_json_rest {
    ddf_slice name; /* as in the text, with quotes */
    ddf_slice text; /* of the value; `data` is NULL if it is larger than max_rest */
    uint64_t start; /* position of the value in the document */
    uint64_t size;  /* its bytes */
} ddf_json_rest;

void ddf_json_member(const ddf_json *json, ddf_json_rest *out);

/* Line and column of a position in the window, such as that of an error: both from 1, the column in characters. */
void ddf_json_place(const ddf_json *json, uint64_t pos, uint64_t *line, uint64_t *column);

#endif
