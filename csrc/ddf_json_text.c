#include "ddf_json_text.h"

#include "ddf_msgpack.h"

#define ONES 0x0101010101010101u
#define HIGH (0x80 * ONES)

/* What a value that is being skipped needs next. */
enum { VALUE, VALUE_OR_END, NAME, NAME_OR_END, COMMA_OR_END };

const uint8_t *ddf_json_fail(ddf_json_text *text, const uint8_t *at, int code, const char *msg) {
    text->status = at >= text->end ? DDF_JSON_MORE : code;
    text->msg = msg;
    text->at = at;
    return NULL;
}

/* The first quote, backslash or control character at or after `p`. `*bits` collects the bits of the bytes before. */
static const uint8_t *plain_end(const uint8_t *p, uint64_t *bits) {
    for (;; p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        uint64_t quote = word ^ ('"' * ONES), backslash = word ^ ('\\' * ONES);
        uint64_t found = ((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash) | ((word - ' ' * ONES) & ~word);
        if ((found & HIGH) != 0) {
            break; /* in these bytes, though borrows make it uncertain in which */
        }
        *bits |= word;
    }
    for (; *p != '"' && *p != '\\' && *p >= ' '; p++) {
        *bits |= *p;
    }
    return p;
}

static int is_hex(uint8_t c) {
    return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 0x20) - 'a') < 6;
}

/* Check the escape at `p`. Returns the first byte after it, or NULL. */
static const uint8_t *escape_end(ddf_json_text *text, const uint8_t *p) {
    p++;
    if (*p == 'u') {
        for (int i = 1; i <= 4; i++) {
            if (!is_hex(p[i])) {
                return ddf_json_fail(text, p + i, DDF_E_SYNTAX, "a hexadecimal digit of an escape is expected");
            }
        }
        return p + 5;
    }
    if (*p == 0 || strchr("\"\\/bfnrt", *p) == NULL) {
        return ddf_json_fail(text, p, DDF_E_SYNTAX, "a backslash is followed by a character that it does not escape");
    }
    return p + 1;
}

/* The first byte of `[p, end)` that is not UTF-8; it is known that there is one. */
static const uint8_t *not_utf8(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        size_t size = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
        if (size > (size_t)(end - p) || !ddf_utf8_valid(p, size)) {
            break;
        }
        p += size;
    }
    return p;
}

const uint8_t *ddf_json_string_read(ddf_json_text *text, const uint8_t *p, ddf_json_string *out) {
    if (*p != '"') {
        return ddf_json_fail(text, p, DDF_E_SYNTAX, "a string is expected");
    }
    uint64_t bits = 0;
    const uint8_t *start = p + 1;
    out->is_escaped = 0;
    for (p = start;;) {
        p = plain_end(p, &bits);
        if (*p == '"') {
            break;
        }
        if (*p != '\\') {
            return ddf_json_fail(text, p, DDF_E_SYNTAX, "a string contains a control character");
        }
        out->is_escaped = 1;
        p = escape_end(text, p);
        if (p == NULL) {
            return NULL;
        }
    }
    out->data = start;
    out->size = (size_t)(p - start);
    if ((bits & HIGH) != 0 && !ddf_utf8_valid(start, out->size)) {
        return ddf_json_fail(text, not_utf8(start, p), DDF_E_UTF8, "a string is not UTF-8");
    }
    return p + 1;
}

static uint32_t hex(const uint8_t *p) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        value = value << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    }
    return value;
}

static uint8_t *put_utf8(uint8_t *out, uint32_t c) {
    if (c < 0x80) {
        *out++ = (uint8_t)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (uint8_t)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *out++ = (uint8_t)(0xe0 | c >> 12);
        } else {
            *out++ = (uint8_t)(0xf0 | c >> 18);
            *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        }
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    }
    *out++ = (uint8_t)(0x80 | (c & 0x3f));
    return out;
}

/* The character of the escape `\uXXXX`, or of a pair of them, at `*p`, which moves past it; -1: half of a pair. */
static int64_t escaped_character(const uint8_t **p, const uint8_t *end) {
    uint32_t c = hex(*p + 2);
    *p += 6;
    if ((c & 0xf800) != 0xd800) {
        return c;
    }
    if (c >= 0xdc00 || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u') {
        return -1;
    }
    uint32_t low = hex(*p + 2);
    *p += 6;
    if ((low & 0xfc00) != 0xdc00) {
        return -1;
    }
    return 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
}

int64_t ddf_json_unescape(const ddf_json_string *string, uint8_t *out) {
    const uint8_t *p = string->data, *end = p + string->size, *start = out;
    while (p < end) {
        const uint8_t *next = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((next == NULL ? end : next) - p);
        memcpy(out, p, plain);
        out += plain;
        p += plain;
        if (p == end) {
            break;
        }
        if (p[1] == 'u') {
            int64_t c = escaped_character(&p, end);
            if (c < 0) {
                return -1;
            }
            out = put_utf8(out, (uint32_t)c);
        } else {
            static const char names[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
            *out++ = (uint8_t)characters[strchr(names, p[1]) - names];
            p += 2;
        }
    }
    return out - start;
}

const uint8_t *ddf_json_number_end(ddf_json_text *text, const uint8_t *p, const uint8_t *wrong) {
    if (p == NULL || p == text->end) {
        return ddf_json_fail(text, p == NULL ? wrong : p, DDF_E_SYNTAX, "a number is not well-formed");
    }
    return p;
}

const uint8_t *ddf_json_number(ddf_json_text *text, const uint8_t *p, ddf_number *out) {
    const uint8_t *wrong = p;
    p = ddf_number_read(p, out, &wrong);
    return ddf_json_number_end(text, p, wrong);
}

const uint8_t *ddf_json_literal(ddf_json_text *text, const uint8_t *p, const char *literal) {
    for (; *literal != 0; literal++, p++) {
        if (*p != (uint8_t)*literal) {
            return ddf_json_fail(text, p, DDF_E_SYNTAX, "a value is expected");
        }
    }
    return p;
}

int ddf_json_begins_number(uint8_t c) {
    return (uint8_t)(c - '0') < 10 || c == '-' || c == 'N' || c == 'I';
}

const uint8_t *ddf_json_colon(ddf_json_text *text, const uint8_t *p) {
    p = ddf_json_space(p);
    if (*p != ':') {
        return ddf_json_fail(text, p, DDF_E_SYNTAX, "a colon is expected");
    }
    return ddf_json_space(p + 1);
}

static const uint8_t *open_level(ddf_json_text *text, ddf_json_skip *skip, const uint8_t *p) {
    if (skip->depth == DDF_JSON_MAX_DEPTH) {
        return ddf_json_fail(text, p, DDF_E_DEPTH, "values are nested deeper than 512 levels");
    }
    uint64_t bit = (uint64_t)1 << (skip->depth % 64), *word = &skip->is_object[skip->depth / 64];
    *word = *p == '{' ? *word | bit : *word & ~bit;
    skip->expected = *p == '{' ? NAME_OR_END : VALUE_OR_END;
    skip->depth++;
    return p + 1;
}

static int in_object(const ddf_json_skip *skip) {
    uint32_t level = skip->depth - 1;
    return (int)(skip->is_object[level / 64] >> (level % 64) & 1);
}

static const uint8_t *skip_scalar(ddf_json_text *text, const uint8_t *p) {
    ddf_json_string string;
    double value;
    switch (*p) {
    case '"':
        return ddf_json_string_read(text, p, &string);
    case 't':
        return ddf_json_literal(text, p, "true");
    case 'f':
        return ddf_json_literal(text, p, "false");
    case 'n':
        return ddf_json_literal(text, p, "null");
    default:
        if (!ddf_json_begins_number(*p)) {
            return ddf_json_fail(text, p, DDF_E_SYNTAX, "a value is expected");
        }
        return ddf_json_double(text, p, &value);
    }
}

/* One step: a bracket, a comma, a scalar, or a name with its colon. */
static const uint8_t *skip_part(ddf_json_text *text, ddf_json_skip *skip, const uint8_t *p) {
    int is_end = skip->depth > 0 && *p == (in_object(skip) ? '}' : ']');
    ddf_json_string name;
    switch (skip->expected) {
    case COMMA_OR_END:
        if (*p == ',') {
            skip->expected = in_object(skip) ? NAME : VALUE;
            return p + 1;
        }
        if (!is_end) {
            return ddf_json_fail(text, p, DDF_E_SYNTAX, "a comma or a closing bracket is expected");
        }
        skip->depth--;
        return p + 1;
    case NAME_OR_END:
    case NAME:
        if (is_end && skip->expected == NAME_OR_END) {
            break;
        }
        p = ddf_json_string_read(text, p, &name);
        p = p == NULL ? NULL : ddf_json_colon(text, p);
        skip->expected = p == NULL ? skip->expected : VALUE;
        return p;
    default:
        if (is_end && skip->expected == VALUE_OR_END) {
            break;
        }
        if (*p == '{' || *p == '[') {
            return open_level(text, skip, p);
        }
        p = skip_scalar(text, p);
        skip->expected = p == NULL ? skip->expected : COMMA_OR_END;
        return p;
    }
    skip->depth--;
    skip->expected = COMMA_OR_END;
    return p + 1;
}

int ddf_json_skip_some(ddf_json_text *text, ddf_json_skip *skip, const uint8_t **p) {
    do {
        *p = ddf_json_space(*p);
        const uint8_t *next = skip_part(text, skip, *p);
        if (next == NULL) {
            return text->status;
        }
        *p = next;
    } while (skip->depth > 0);
    return DDF_OK;
}

const uint8_t *ddf_json_skip_value(ddf_json_text *text, const uint8_t *p) {
    ddf_json_skip skip = {.depth = 0};
    return ddf_json_skip_some(text, &skip, &p) == DDF_OK ? p : NULL;
}
