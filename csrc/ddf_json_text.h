/* ddf_json_text: the smallest parts of JSON text: white space, strings, literals, and whole values that are skipped.
 * Pure, no allocation, thread safe.
 *
 * A text ends with a byte 0, which is none of JSON, and DDF_JSON_PADDING - 1 bytes after it can be read. A part that
 * the end cuts off is no error yet: more text may come. */
#ifndef DDF_JSON_TEXT_H
#define DDF_JSON_TEXT_H

#include "ddf_common.h"
#include "ddf_number.h"

#define DDF_JSON_PADDING 32

/* Maximum depth of nested arrays and objects in a value. */
#define DDF_JSON_MAX_DEPTH 512

/* Status of a text: its end cuts off what is read. Errors are negative. */
enum { DDF_JSON_MORE = 1 };

/* Where a text ends, and why the last reading failed: DDF_JSON_MORE or DDF_E_*. `msg` is a static string. */
typedef struct ddf_json_text {
    const uint8_t *end;
    int status;
    const char *msg;
    const uint8_t *at;
} ddf_json_text;

/* Note a failure at `at`: DDF_JSON_MORE if that is the end, else `code`. Returns NULL. */
const uint8_t *ddf_json_fail(ddf_json_text *text, const uint8_t *at, int code, const char *msg);

/* The first byte at or after `p` that is not white space. */
static inline const uint8_t *ddf_json_space(const uint8_t *p) {
    while (DDF_UNLIKELY(*p <= ' ') && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
        p++;
    }
    return p;
}

/* A string as it is in the text: what is between its quotes. */
typedef struct ddf_json_string {
    const uint8_t *data;
    size_t size;
    int is_escaped; /* contains a backslash */
} ddf_json_string;

/* Read the string at `p`, and check its escapes and its UTF-8. Returns the first byte after it, or NULL with the reason
 * in `text`. */
const uint8_t *ddf_json_string_read(ddf_json_text *text, const uint8_t *p, ddf_json_string *out);

/* Replace the escapes of a string that was read. `out` holds `string->size` bytes. Returns the number of bytes, or -1
 * if a surrogate stands alone, so that the string has no UTF-8. */
int64_t ddf_json_unescape(const ddf_json_string *string, uint8_t *out);

/* Read a number: see ddf_number_read. Returns the first byte after it, or NULL with the reason in `text`; a number that
 * ends where the text does may go on. */
const uint8_t *ddf_json_number(ddf_json_text *text, const uint8_t *p, ddf_number *out);

/* What that returns for a number that ends at `p`, or, if `p` is NULL, is wrong at `wrong`. */
const uint8_t *ddf_json_number_end(ddf_json_text *text, const uint8_t *p, const uint8_t *wrong);

/* The same for the value alone. */
static inline const uint8_t *ddf_json_double(ddf_json_text *text, const uint8_t *p, double *out) {
    const uint8_t *wrong = p;
    p = ddf_number_double(p, out, &wrong);
    return DDF_UNLIKELY(p == NULL || p == text->end) ? ddf_json_number_end(text, p, wrong) : p;
}

/* Read a literal such as `null`. Returns the first byte after it, or NULL with the reason in `text`. */
const uint8_t *ddf_json_literal(ddf_json_text *text, const uint8_t *p, const char *literal);

/* 1 if a number may begin with this byte. */
int ddf_json_begins_number(uint8_t c);

/* How far a value has been skipped. All zeros: it begins. */
typedef struct ddf_json_skip {
    uint64_t is_object[DDF_JSON_MAX_DEPTH / 64]; /* one bit for each level */
    uint32_t depth;
    uint32_t expected;
} ddf_json_skip;

/* Skip, and check, as much of a value as the text has. Returns 0 with `*p` the first byte after the value;
 * DDF_JSON_MORE with `*p` the place from which the next call continues, in the same text or in one that begins there;
 * or DDF_E_* with the reason in `text`. */
int ddf_json_skip_some(ddf_json_text *text, ddf_json_skip *skip, const uint8_t **p);

/* Skip the whole value at `p`. Returns the first byte after it, or NULL with the reason in `text`. */
const uint8_t *ddf_json_skip_value(ddf_json_text *text, const uint8_t *p);

/* Skip a colon with the white space around it. Returns the first byte of the value, or NULL. */
const uint8_t *ddf_json_colon(ddf_json_text *text, const uint8_t *p);

#endif
