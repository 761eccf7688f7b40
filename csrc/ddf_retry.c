#include "ddf_retry.h"

#include <errno.h>

/* How long a stop may go unnoticed. */
#define SLICE_MS 20

/* The handle fails; a new one may work. */
static int is_stale(int status) { return status == -ESTALE || status == -EBADF || status == -ENOTCONN; }

int ddf_retry_is_transient(int status, int mounted) {
    switch (-status) {
    case ESTALE:
    case ETIMEDOUT:
    case ENOTCONN:
    case ECONNRESET:
    case ECONNABORTED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
        return 1;
    case EIO:
    case EBADF:
    case EAGAIN:
        return mounted;
    default:
        return 0;
    }
}

int ddf_retry_pause(unsigned number, uint32_t chance) {
    int longest = DDF_RETRY_PAUSE_MS << (number - 1);
    return longest - (int)(chance % (uint32_t)(longest / 2 + 1));
}

/* Chances that differ from read to read and from attempt to attempt are all that is needed. */
static uint32_t chance_of(uint64_t offset, unsigned number) {
    return (uint32_t)(((offset + number) * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static int is_set(const atomic_int *stop) { return stop != NULL && atomic_load(stop); }

static void pause_unless(const atomic_int *stop, int ms) {
    for (; ms > 0 && !is_set(stop); ms -= SLICE_MS) {
        ddf_sys_sleep_ms(ms < SLICE_MS ? ms : SLICE_MS);
    }
}

/* After attempt `number` of a read: have all ready for the next one. Returns 0 where there is to be none, with `*status`
 * what the read ends with. */
static int again(ddf_file *file, unsigned number, uint64_t offset, const atomic_int *stop, int *status, ddf_err *err) {
    if (*status >= 0 || number == DDF_RETRY_ATTEMPTS || !ddf_retry_is_transient(*status, ddf_file_is_mounted(file))) {
        return 0;
    }
    pause_unless(stop, ddf_retry_pause(number, chance_of(offset, number)));
    if (is_set(stop)) {
        return 0;
    }
    if (is_stale(*status) && ddf_file_reopen(file, err) == DDF_E_CHANGED) {
        *status = DDF_E_CHANGED;
        return 0;
    }
    return 1;
}

int ddf_retry_read(ddf_file *file, uint8_t *buffer, size_t len, uint64_t offset, const atomic_int *stop, ddf_err *err) {
    unsigned number = 0;
    int status;
    do {
        status = ddf_file_read(file, buffer, len, offset, err);
    } while (again(file, ++number, offset, stop, &status, err));
    return status;
}

int ddf_retry_read_planned(ddf_file *file, ddf_access access, uint8_t *buffer, size_t len, uint64_t offset,
                           const atomic_int *stop, ddf_err *err) {
    unsigned number = 0;
    int status;
    do {
        status = ddf_file_read_planned(file, access, buffer, len, offset, err);
    } while (again(file, ++number, offset, stop, &status, err));
    return status;
}

int ddf_retry_read_parts(ddf_file *file, const ddf_room parts[3], uint64_t offset, ddf_err *err) {
    unsigned number = 0;
    int status;
    do {
        status = ddf_file_read_parts(file, parts, offset, err);
    } while (again(file, ++number, offset, NULL, &status, err));
    return status;
}
