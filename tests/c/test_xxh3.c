#include "ddf_xxh3.h"

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>

/* Digests of the bytes 0, 1, 2, ... by the reference implementation. */
static void known_digests(void) {
    static const struct {
        size_t size;
        uint64_t digest;
    } known[] = {
        {1, 0xc44bdff4074eecdb}, {2, 0xd6645fc3051a9457}, {3, 0x5f4299fc161c9cbb},
        {4, 0x60dab036a58211f2}, {8, 0x3a1c2d7c85af88f8}, {9, 0xe9612598145bb9dc},
        {16, 0x8355e3a6f61770db}, {17, 0x9ef341a99de37328}, {32, 0x3523581fe96e4c05},
        {33, 0xe68c56ba88991e58}, {64, 0x6187eb9089b0ed55}, {65, 0x6928c76ce90422d0},
        {128, 0x85c6174c7ff4c46b}, {129, 0xec7642b431ba3e5a}, {160, 0x5bea9075ec9401b8},
        {240, 0x375a384d957fe865}, {241, 0x02e8cd95421c6d02}, {255, 0xb85fd37a0a050e63},
        {256, 0x9408a4433b952d71}, {512, 0x1059105ad19bfa09}, {1023, 0x26a0a01d1c925c06},
        {1024, 0xa870f92984398d22}, {1025, 0x78c86e91ee939852}, {1088, 0x280d4e7cb6579eb6},
        {2048, 0xdd420471ff96bd00}, {2049, 0x62dff343e7dbac9b}, {10007, 0xe0148537b86bb14c},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint8_t *data = malloc(known[i].size + 1); /* its own, so that a read behind it is seen */
        assert(data != NULL);
        for (size_t j = 0; j < known[i].size; j++) {
            data[j] = (uint8_t)j;
        }
        data = realloc(data, known[i].size);
        assert(ddf_xxh3(data, known[i].size) == known[i].digest);
        free(data);
    }
}

static void samples_that_end_behind_the_data(void) {
    uint64_t sizes[] = {1, UINT64_MAX}, sums[2];
    ddf_err err;
    assert(ddf_xxh3_parts((const uint8_t *)"abc", 3, sizes, 2, sums, &err) == DDF_E_TRUNCATED);
    assert(err.item == 1 && err.pos == 1);
    assert(sums[0] == ddf_xxh3((const uint8_t *)"a", 1));
}

/* However a sample is cut into places, its checksum is the same. */
static void samples_in_several_places(void) {
    enum { MOST = 5000 };
    uint8_t *data = malloc(MOST);
    unsigned seed = 1;
    assert(data != NULL);
    for (size_t i = 0; i < MOST; i++) {
        data[i] = (uint8_t)(rand_r(&seed) >> 8);
    }
    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t)rand_r(&seed) % (round % 2 ? 300 : MOST), at = 0;
        ddf_slice places[4];
        uint8_t *copies[4];
        for (size_t i = 0; i < 4; i++) {
            size_t part = i == 3 ? size - at : (size_t)rand_r(&seed) % (size - at + 1) * (rand_r(&seed) % 4 != 0);
            copies[i] = malloc(part + 1); /* its own, so that a read behind it is seen */
            assert(copies[i] != NULL);
            copies[i] = realloc(copies[i], part > 0 ? part : 1);
            memcpy(copies[i], data + at, part);
            places[i] = (ddf_slice){copies[i], part};
            at += part;
        }
        uint64_t sum = ddf_xxh3(data, size);
        assert(ddf_xxh3_joined(places, 4) == sum && ddf_xxh3_check(places, 4, sum, NULL) == 0);
        assert(ddf_xxh3_check(places, 4, sum ^ 1, NULL) == DDF_E_CHECKSUM);
        for (size_t i = 0; i < 4; i++) {
            free(copies[i]);
        }
    }
    free(data);
}

int main(void) {
    known_digests();
    samples_in_several_places();
    samples_that_end_behind_the_data();
    return 0;
}
