/* ddf_shuffle: `shuffle` and `randrange` of Python's random.Random, many draws at a time.
 *
 * The caller passes the generator's 32-bit words, in the order in which it makes them. A number below b uses words
 * until the upper bits of one, as many as b has, are below b. Pure, no allocation, thread safe. */
#ifndef DDF_SHUFFLE_H
#define DDF_SHUFFLE_H

#include "ddf_common.h"

/* Random words that are still to be used; a call takes from the front. */
typedef struct ddf_words {
    const uint32_t *at;
    size_t n;
} ddf_words;

/* Numbers below `bound`, which is at least 1: up to `count` of them, fewer if there are not enough words. Returns their
 * number. */
size_t ddf_shuffle_below(ddf_words *words, uint32_t bound, uint32_t *out, size_t count);

/* Continue to shuffle `items`, of which the first `left` are still to be shuffled; at first all of them, fewer than
 * 2^32. Returns how many are left when the words are used up, and 1 or 0 at the end. */
size_t ddf_shuffle_items(ddf_words *words, int64_t *items, size_t left);

/* For each of `count` draws, replace the item at that place of `buffer` by the next one of `incoming`, and write the
 * replaced one to `outgoing`, which may be `incoming`. Returns 0, or DDF_E_INDEX with err->item = the first draw that
 * is not below `places`; the draws before it are done. */
int ddf_shuffle_exchange(int64_t *buffer, size_t places, const uint32_t *draws, size_t count, const int64_t *incoming,
                         int64_t *outgoing, ddf_err *err);

#endif
