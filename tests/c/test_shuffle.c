#include <assert.h>

#include "ddf_shuffle.h"

/* Words of a small generator, as good as any here. */
static void fill(uint32_t *words, size_t n, uint64_t seed) {
    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        words[i] = (uint32_t)(seed >> 32);
    }
}

static void numbers_are_below_their_bound(void) {
    uint32_t bounds[] = {1, 2, 3, 4, 5, 255, 256, 257, 1u << 31, (1u << 31) + 1, UINT32_MAX};
    uint32_t words[512], numbers[64];
    fill(words, 512, 1);
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++) {
        ddf_words left = {words, 512};
        size_t count = ddf_shuffle_below(&left, bounds[b], numbers, 64);
        assert(count == 64 && left.at + left.n == words + 512);
        for (size_t i = 0; i < count; i++) {
            assert(numbers[i] < bounds[b]);
        }
    }
}

static void a_number_is_the_upper_bits_of_the_first_word_that_fits(void) {
    uint32_t words[] = {0xffffffff, 0xa0000000, 0x60000000, 0};
    uint32_t number;
    ddf_words left = {words, 4};
    assert(ddf_shuffle_below(&left, 5, &number, 1) == 1);
    assert(number == 3 && left.n == 1); /* 7 and 5 are refused */
}

static void words_that_run_out_are_told(void) {
    uint32_t words[] = {0xffffffff, 0xffffffff};
    uint32_t number;
    int64_t items[] = {0, 1, 2};
    ddf_words left = {words, 2};
    assert(ddf_shuffle_below(&left, 5, &number, 1) == 0 && left.n == 0);
    assert(ddf_shuffle_below(&left, 5, &number, 1) == 0);
    assert(ddf_shuffle_items(&left, items, 3) == 3);
    left = (ddf_words){words, 0};
    assert(ddf_shuffle_items(&left, items, 1) == 1 && ddf_shuffle_items(&left, items, 0) == 0);
}

static void a_shuffle_in_pieces_is_the_same_as_a_whole_one(void) {
    enum { N = 200, WORDS = 2000 };
    uint32_t words[WORDS];
    int64_t whole[N], pieces[N];
    fill(words, WORDS, 2);
    for (int i = 0; i < N; i++) {
        whole[i] = pieces[i] = i;
    }
    ddf_words all = {words, WORDS};
    assert(ddf_shuffle_items(&all, whole, N) == 1);
    size_t left = N;
    for (size_t at = 0; left > 1; at++) {
        ddf_words one = {words + at, 1};
        left = ddf_shuffle_items(&one, pieces, left);
        assert(one.n == 0);
    }
    assert(memcmp(whole, pieces, sizeof whole) == 0);
    char seen[N] = {0};
    for (int i = 0; i < N; i++) {
        assert(whole[i] >= 0 && whole[i] < N && !seen[whole[i]]);
        seen[whole[i]] = 1;
    }
}

static void exchanging_moves_each_item_once(void) {
    int64_t buffer[] = {10, 11}, incoming[] = {12, 13, 14}, outgoing[3];
    uint32_t draws[] = {1, 1, 0};
    assert(ddf_shuffle_exchange(buffer, 2, draws, 3, incoming, outgoing, NULL) == 0);
    assert(outgoing[0] == 11 && outgoing[1] == 12 && outgoing[2] == 10);
    assert(buffer[0] == 14 && buffer[1] == 13);
    assert(ddf_shuffle_exchange(buffer, 2, draws, 3, incoming, incoming, NULL) == 0);
    assert(incoming[0] == 13 && incoming[1] == 12 && incoming[2] == 14);
}

static void a_draw_outside_the_buffer_is_told(void) {
    int64_t buffer[] = {0}, incoming[] = {1, 2}, outgoing[2];
    uint32_t draws[] = {0, 1};
    ddf_err err;
    assert(ddf_shuffle_exchange(buffer, 1, draws, 2, incoming, outgoing, &err) == DDF_E_INDEX && err.item == 1);
    assert(ddf_shuffle_exchange(NULL, 0, draws, 1, incoming, outgoing, &err) == DDF_E_INDEX && err.item == 0);
}

int main(void) {
    numbers_are_below_their_bound();
    a_number_is_the_upper_bits_of_the_first_word_that_fits();
    words_that_run_out_are_told();
    a_shuffle_in_pieces_is_the_same_as_a_whole_one();
    exchanging_moves_each_item_once();
    a_draw_outside_the_buffer_is_told();
    return 0;
}
