#include "ddf_json.h"

#include <errno.h>
#include <stdlib.h>

#include "ddf_json_window.h"

/* Where in the document the window begins. */
typedef enum place {
    AT_START,   /* at the beginning of the text */
    AT_VALUE,   /* before the document */
    IN_OBJECT,  /* before a member of the document, or its end */
    IN_VALUE,   /* in another member */
    IN_RECORDS, /* before a record, or the end of the array */
    AT_END,     /* after the document */
} place;

struct ddf_json {
    ddf_json_options options;
    ddf_json_array *arrays;
    size_t n_arrays;
    ddf_json_window window;
    place place;
    int is_first;            /* nothing is before the next member or record: no comma */
    int is_array;            /* the document is one array */
    int is_final;            /* no bytes follow those of the window */
    ddf_json_array *current; /* IN_RECORDS, and until the run after it */
    int is_reported;         /* its chunk is complete */
    ddf_json_skip skip;      /* IN_VALUE */
    ddf_json_buffer name, rest;
    uint64_t rest_start, rest_size;
};

/* A step reads what is at `*p`, and moves `*p` past it; it changes nothing if it fails. It returns an event, another
 * status, or NEXT. */
enum { NEXT = 100 };

ddf_json *ddf_json_new(ddf_json_array *arrays, size_t n_arrays, const ddf_json_options *options) {
    ddf_json *json = calloc(1, sizeof *json);
    if (json == NULL || ddf_json_window_open(&json->window, options->window) != 0) {
        free(json);
        return NULL;
    }
    json->options = *options;
    json->arrays = arrays;
    json->n_arrays = n_arrays;
    return json;
}

void ddf_json_free(ddf_json *json) {
    if (json != NULL) {
        ddf_json_window_free(&json->window);
        ddf_json_buffer_free(&json->name);
        ddf_json_buffer_free(&json->rest);
        free(json);
    }
}

uint8_t *ddf_json_room(ddf_json *json, size_t *size, ddf_err *err) {
    size_t unread = json->window.size - json->window.start;
    if (unread >= json->options.max_record) {
        ddf_fail(err, DDF_E_LIMIT, "a record is larger than allowed", 0, json->window.base + json->window.start);
        return NULL;
    }
    uint8_t *room = ddf_json_window_room(&json->window, size);
    if (room == NULL) {
        ddf_fail(err, -ENOMEM, "no memory for the window of a JSON file", 0, json->window.base);
        return NULL;
    }
    size_t allowed = json->options.max_record - unread;
    *size = *size < allowed ? *size : allowed;
    return room;
}

void ddf_json_fed(ddf_json *json, size_t size) {
    ddf_json_window_fed(&json->window, size);
}

void ddf_json_end(ddf_json *json) {
    json->is_final = 1;
}

ddf_json_array *ddf_json_chunk(ddf_json *json) {
    return json->current;
}

void ddf_json_member(const ddf_json *json, ddf_json_rest *out) {
    int is_kept = json->rest_size <= json->options.max_rest;
    *out = (ddf_json_rest){
        .name = {json->name.data, json->name.size},
        .text = {is_kept ? json->rest.data : NULL, is_kept ? json->rest.size : 0},
        .start = json->rest_start,
        .size = json->rest_size,
    };
}

void ddf_json_place(const ddf_json *json, uint64_t pos, uint64_t *line, uint64_t *column) {
    ddf_json_window_place(&json->window, pos, line, column);
}

static int fail(ddf_json_text *text, const uint8_t *at, const char *msg) {
    ddf_json_fail(text, at, DDF_E_SYNTAX, msg);
    return text->status;
}

static uint64_t position_of(const ddf_json *json, const uint8_t *p) {
    return json->window.base + (uint64_t)(p - json->window.data);
}

static ddf_json_array *find_array(ddf_json *json, const uint8_t *name, size_t size) {
    for (size_t i = 0; i < json->n_arrays; i++) {
        if (json->arrays[i].name_size == size && (size == 0 || memcmp(json->arrays[i].name, name, size) == 0)) {
            return &json->arrays[i];
        }
    }
    return NULL;
}

static void enter_records(ddf_json *json, ddf_json_array *array) {
    array->is_seen = 1;
    json->current = array;
    json->place = IN_RECORDS;
    json->is_first = 1;
}

/* Pass over the mark of the byte order, which is allowed here only. */
static int pass_mark(ddf_json *json, ddf_json_text *text, const uint8_t **p) {
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    const uint8_t *at = *p;
    for (size_t i = 0; (at == text->end || **p == mark[0]) && i < sizeof mark; i++, at++) {
        if (*at != mark[i]) {
            return fail(text, at, "a document begins with { or [");
        }
    }
    *p = at;
    json->place = AT_VALUE;
    return NEXT;
}

static int enter_document(ddf_json *json, ddf_json_text *text, const uint8_t **p) {
    const uint8_t *at = *p;
    if (*at == '[') {
        ddf_json_array *array = find_array(json, NULL, 0);
        if (array == NULL) {
            return fail(text, at, "the document is an array, and an object is expected");
        }
        json->is_array = 1;
        enter_records(json, array);
    } else if (*at == '{') {
        json->place = IN_OBJECT;
        json->is_first = 1;
    } else {
        return fail(text, at, "a document begins with { or [");
    }
    *p = at + 1;
    return NEXT;
}

/* The name of a member of the document without escapes, in json->name. Returns its size, -1 if it has none. */
static int64_t plain_name(ddf_json *json, const ddf_json_string *name, int *status) {
    json->name.size = 0;
    *status = ddf_json_reserve(&json->name, name->size + 2);
    return *status == 0 ? ddf_json_unescape(name, json->name.data) : -1;
}

static int enter_value(ddf_json *json, const ddf_json_string *name, const uint8_t *value) {
    json->name.size = json->rest.size = 0;
    if (ddf_json_append(&json->name, name->data - 1, name->size + 2) != 0) {
        return -ENOMEM;
    }
    json->place = IN_VALUE;
    json->skip = (ddf_json_skip){.depth = 0};
    json->rest_start = position_of(json, value);
    json->rest_size = 0;
    return NEXT;
}

static int read_member(ddf_json *json, ddf_json_text *text, const uint8_t **p) {
    const uint8_t *at = *p;
    if (*at == '}') {
        json->place = AT_END;
        *p = at + 1;
        return NEXT;
    }
    if (!json->is_first) {
        if (*at != ',') {
            return fail(text, at, "a comma or a closing brace is expected");
        }
        at = ddf_json_space(at + 1);
    }
    ddf_json_string name;
    const uint8_t *value = ddf_json_string_read(text, at, &name);
    value = value == NULL ? NULL : ddf_json_colon(text, value);
    if (value == NULL) {
        return text->status;
    }
    if (value == text->end) {
        return fail(text, value, "a value is expected");
    }
    int status;
    int64_t size = plain_name(json, &name, &status);
    if (status != 0) {
        return status;
    }
    ddf_json_array *array = *value == '[' && size > 0 ? find_array(json, json->name.data, (size_t)size) : NULL;
    if (array != NULL && array->is_seen) {
        return fail(text, at, "the document has a second member with this name");
    }
    if (array != NULL) {
        enter_records(json, array);
        *p = value + 1;
        return NEXT;
    }
    *p = value;
    return enter_value(json, &name, value);
}

static int read_rest(ddf_json *json, ddf_json_text *text, const uint8_t **p) {
    const uint8_t *from = *p;
    int status = ddf_json_skip_some(text, &json->skip, p);
    if (status < 0) {
        return status;
    }
    json->rest_size = position_of(json, *p) - json->rest_start;
    if (json->rest_size > json->options.max_rest) {
        ddf_json_buffer_free(&json->rest);
    } else if (ddf_json_append(&json->rest, from, (size_t)(*p - from)) != 0) {
        return -ENOMEM;
    }
    if (status == DDF_JSON_MORE) {
        return status;
    }
    json->place = IN_OBJECT;
    json->is_first = 0;
    return DDF_JSON_MEMBER;
}

static int end_records(ddf_json *json) {
    json->place = json->is_array ? AT_END : IN_OBJECT;
    json->is_first = 0;
    json->is_reported = json->current->rows > 0 || json->current->first == 0;
    if (!json->is_reported) {
        json->current = NULL;
        return NEXT;
    }
    return DDF_JSON_CHUNK;
}

static int read_record(ddf_json *json, ddf_json_text *text, const uint8_t **p) {
    ddf_json_array *array = json->current;
    if (!array->is_begun && ddf_json_array_begin(array) != 0) {
        return -ENOMEM;
    }
    const uint8_t *at = *p;
    if (*at == ']') {
        *p = at + 1;
        return end_records(json);
    }
    if (!json->is_first) {
        if (*at != ',') {
            return fail(text, at, "a comma or a closing bracket is expected");
        }
        at = ddf_json_space(at + 1);
    }
    int status = ddf_json_record_read(text, array, &at);
    if (status != DDF_OK) {
        return status;
    }
    *p = at;
    json->is_first = 0;
    json->is_reported =
        array->rows >= json->options.chunk_records || ddf_json_array_size(array) >= json->options.chunk_bytes;
    return json->is_reported ? DDF_JSON_CHUNK : NEXT;
}

static int finish(const ddf_json *json, ddf_json_text *text, const uint8_t *p) {
    if (p < text->end) {
        return fail(text, p, "something follows the end of the document");
    }
    return json->is_final ? DDF_JSON_DONE : DDF_JSON_MORE;
}

static int step(ddf_json *json, ddf_json_text *text, const uint8_t **p) {
    if (json->place != IN_VALUE && json->place != AT_START) { /* IN_VALUE the text is kept */
        *p = ddf_json_space(*p);
    }
    switch (json->place) {
    case AT_START:
        return pass_mark(json, text, p);
    case AT_VALUE:
        return enter_document(json, text, p);
    case IN_OBJECT:
        return read_member(json, text, p);
    case IN_VALUE:
        return read_rest(json, text, p);
    case IN_RECORDS:
        return read_record(json, text, p);
    default:
        return finish(json, text, *p);
    }
}

/* The caller has the chunk that was reported. */
static void leave_chunk(ddf_json *json) {
    if (json->is_reported) {
        json->current->first += json->current->rows;
        json->current->rows = 0;
        json->current->is_begun = 0;
        json->current = json->place == IN_RECORDS ? json->current : NULL;
        json->is_reported = 0;
    }
}

int ddf_json_run(ddf_json *json, ddf_err *err) {
    leave_chunk(json);
    ddf_json_window *window = &json->window;
    ddf_json_text text = {.end = window->data + window->size};
    const uint8_t *p = window->data + window->start;
    int status;
    do {
        status = step(json, &text, &p);
        window->start = (size_t)(p - window->data);
    } while (status == NEXT);
    if (status == DDF_JSON_MORE && json->is_final) {
        return ddf_fail(err, DDF_E_TRUNCATED, "the text ends before the document does", 0, position_of(json, text.end));
    }
    if (status < 0) {
        ddf_fail(err, status, status == -ENOMEM ? "no memory for a JSON file" : text.msg, 0,
                 status == -ENOMEM ? 0 : position_of(json, text.at));
    }
    return status;
}
