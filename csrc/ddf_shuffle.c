#include "ddf_shuffle.h"

#include <stdbool.h>

/* By how many bits to shift a word down so that it has as many bits as `bound`. */
static int shift_of(uint32_t bound) { return __builtin_clz(bound); }

/* The next number below `bound`; false if the words run out first. */
static inline bool draw(ddf_words *words, uint32_t bound, uint32_t *out) {
    int shift = shift_of(bound);
    while (words->n > 0) {
        uint32_t number = *words->at >> shift;
        words->at++;
        words->n--;
        if (DDF_LIKELY(number < bound)) {
            *out = number;
            return true;
        }
    }
    return false;
}

size_t ddf_shuffle_below(ddf_words *words, uint32_t bound, uint32_t *out, size_t count) {
    size_t done = 0;
    while (done < count && draw(words, bound, &out[done])) {
        done++;
    }
    return done;
}

size_t ddf_shuffle_items(ddf_words *words, int64_t *items, size_t left) {
    uint32_t other;
    while (left > 1 && draw(words, (uint32_t)left, &other)) {
        left--;
        int64_t item = items[left];
        items[left] = items[other];
        items[other] = item;
    }
    return left;
}

int ddf_shuffle_exchange(int64_t *buffer, size_t places, const uint32_t *draws, size_t count, const int64_t *incoming,
                         int64_t *outgoing, ddf_err *err) {
    for (size_t i = 0; i < count; i++) {
        if (DDF_UNLIKELY(draws[i] >= places)) {
            return ddf_fail(err, DDF_E_INDEX, "a draw is not a place of the buffer", i, 0);
        }
        int64_t item = incoming[i];
        outgoing[i] = buffer[draws[i]];
        buffer[draws[i]] = item;
    }
    return DDF_OK;
}
