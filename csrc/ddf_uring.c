#include "ddf_uring.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "ddf_sys.h"

#if defined(__linux__) && defined(__has_include)
#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#endif
#endif

#ifdef IORING_SETUP_R_DISABLED /* Linux 5.10; everything else that is needed is older */

/* One call reads at most this much. */
#define CALL_MAX ((size_t)1 << 30)

/* What completions carry instead of a slot's number. */
#define TAG_WAKE UINT64_MAX
#define TAG_CANCEL (UINT64_MAX - 1)

/* Where a kernel lacks one of these, it refuses the ring and gets a plainer one. */
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

#define NEEDED (IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL)

/* A read in flight. */
typedef struct slot {
    uint8_t *buffer;
    size_t len, done;
    uint64_t offset;
    void *owner; /* NULL: the slot is free */
    size_t number;
    int fd;
    uint32_t next_free;
} slot;

struct ddf_uring {
    int fd;
    uint8_t *rings; /* both rings, in one mapping */
    size_t rings_size;
    struct io_uring_sqe *sqes;
    size_t sqes_size;

    /* Submission: the kernel moves the head, we the tail. */
    uint32_t *sq_head, *sq_tail;
    uint32_t sq_mask, sq_entries;
    uint32_t tail;   /* of what is written */
    uint32_t queued; /* written, but not taken by the kernel */

    /* Completion: the other way round. */
    uint32_t *cq_head, *cq_tail;
    uint32_t cq_mask;
    const struct io_uring_cqe *cqes;

    slot *slots;
    uint32_t *refused; /* slots that the kernel would not take, to be handed out with `refusal` */
    size_t n_refused;
    int refusal;
    uint32_t first_free;
    size_t depth, in_flight;
    int listening; /* a poll of the notifier is in flight or queued */
    int cancelled;
    int notifier[2];
};

/* ---- life ---- */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static int setup(size_t depth, struct io_uring_params *params) {
    static const uint32_t flags[] = {
        IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, /* 6.1 */
        IORING_SETUP_R_DISABLED,
    };
    int fd = -EINVAL;
    for (size_t i = 0; i < 2 && fd == -EINVAL; i++) {
        *params = (struct io_uring_params){.flags = flags[i]};
        fd = ddf_sys_uring_setup((uint32_t)depth + 2, params); /* and the poll, and a cancellation */
    }
    if (fd == -EINVAL) {
        return -ENOTSUP; /* before 5.10 */
    }
    return fd;
}

/* 1 if the rings are such that no completion can be lost: every read, its cancellation and the poll have room. */
static int is_usable(size_t depth, const struct io_uring_params *p) {
    uint32_t sq = p->sq_entries, cq = p->cq_entries;
    return (p->features & NEEDED) == NEEDED && sq >= depth + 2 && cq >= 2 * depth + 2 && (sq & (sq - 1)) == 0 &&
           (cq & (cq - 1)) == 0;
}

static int map_rings(ddf_uring *ring, const struct io_uring_params *p) {
    ring->rings_size = larger((size_t)p->sq_off.array + p->sq_entries * sizeof(uint32_t),
                              (size_t)p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe));
    ring->sqes_size = p->sq_entries * sizeof(struct io_uring_sqe);
    ring->rings = ddf_sys_uring_map(ring->fd, ring->rings_size, IORING_OFF_SQ_RING);
    ring->sqes = ddf_sys_uring_map(ring->fd, ring->sqes_size, IORING_OFF_SQES);
    if (ring->rings == NULL || ring->sqes == NULL) {
        return -ENOMEM;
    }
    uint8_t *at = ring->rings;
    ring->sq_head = (void *)(at + p->sq_off.head);
    ring->sq_tail = (void *)(at + p->sq_off.tail);
    ring->sq_entries = p->sq_entries;
    ring->sq_mask = p->sq_entries - 1;
    ring->cq_head = (void *)(at + p->cq_off.head);
    ring->cq_tail = (void *)(at + p->cq_off.tail);
    ring->cq_mask = p->cq_entries - 1;
    ring->cqes = (const void *)(at + p->cq_off.cqes);
    uint32_t *order = (void *)(at + p->sq_off.array);
    for (uint32_t i = 0; i < p->sq_entries; i++) {
        order[i] = i;
    }
    return DDF_OK;
}

static int make_slots(ddf_uring *ring) {
    ring->slots = calloc(ring->depth, sizeof *ring->slots);
    ring->refused = calloc(ring->depth, sizeof *ring->refused);
    if (ring->slots == NULL || ring->refused == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < ring->depth; i++) {
        ring->slots[i].next_free = (uint32_t)i + 1;
    }
    return DDF_OK;
}

int ddf_uring_new(size_t depth, ddf_uring **out) {
    if (depth < 1 || depth > 1024) {
        return -EINVAL;
    }
    struct io_uring_params params;
    int fd = setup(depth, &params);
    if (fd < 0) {
        return fd;
    }
    ddf_uring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        ddf_sys_close(fd);
        return -ENOMEM;
    }
    ring->fd = fd;
    ring->depth = depth;
    ring->notifier[0] = -1;
    int status = is_usable(depth, &params) ? map_rings(ring, &params) : -ENOTSUP;
    if (status >= 0) {
        status = make_slots(ring);
    }
    if (status >= 0) {
        status = ddf_sys_notifier_open(ring->notifier);
    }
    if (status < 0) {
        ddf_uring_free(ring);
        return status;
    }
    *out = ring;
    return DDF_OK;
}

void ddf_uring_free(ddf_uring *ring) {
    if (ring == NULL) {
        return;
    }
    if (ring->sqes != NULL) {
        ddf_sys_memory_free(ring->sqes, ring->sqes_size);
    }
    if (ring->rings != NULL) {
        ddf_sys_memory_free(ring->rings, ring->rings_size);
    }
    ddf_sys_close(ring->fd);
    if (ring->notifier[0] >= 0) {
        ddf_sys_notifier_close(ring->notifier);
    }
    free(ring->slots);
    free(ring->refused);
    free(ring);
}

int ddf_uring_start(ddf_uring *ring) { return ddf_sys_uring_register(ring->fd, IORING_REGISTER_ENABLE_RINGS); }

size_t ddf_uring_room(const ddf_uring *ring) { return ring->cancelled ? 0 : ring->depth - ring->in_flight; }

size_t ddf_uring_in_flight(const ddf_uring *ring) { return ring->in_flight; }

/* ---- submission ---- */

/* What the kernel will not take now or ever: its reads fail. The cancellations and the poll among it are forgotten. */
static void refuse_queued(ddf_uring *ring, int status) {
    while (ring->queued > 0) {
        uint64_t tag = ring->sqes[--ring->tail & ring->sq_mask].user_data;
        ring->queued--;
        if (tag == TAG_WAKE) {
            ring->listening = 0;
        } else if (tag != TAG_CANCEL) {
            ring->refused[ring->n_refused++] = (uint32_t)tag;
        }
    }
    ring->refusal = status;
    __atomic_store_n(ring->sq_tail, ring->tail, __ATOMIC_RELEASE);
}

/* Submit the queued reads, and wait for `least` completions. The kernel may accept a part. Returns 1, or 0 if it
 * refuses all of them permanently. */
static int enter(ddf_uring *ring, uint32_t least) {
    __atomic_store_n(ring->sq_tail, ring->tail, __ATOMIC_RELEASE);
    int status = ddf_sys_uring_enter(ring->fd, ring->queued, least, IORING_ENTER_GETEVENTS);
    ring->queued = ring->tail - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
    if (status >= 0 || status == -EINTR) {
        return 1;
    }
    ddf_sys_sleep_ms(1); /* the kernel is short of something, or broken: do not spin */
    if (status == -EAGAIN || status == -EBUSY) {
        return 1;
    }
    refuse_queued(ring, status);
    return 0;
}

/* An empty entry. The submission ring has room for all reads, the poll and one cancellation. */
static struct io_uring_sqe *new_sqe(ddf_uring *ring, uint64_t tag) {
    struct io_uring_sqe *sqe = &ring->sqes[ring->tail++ & ring->sq_mask];
    ring->queued++;
    *sqe = (struct io_uring_sqe){.user_data = tag};
    return sqe;
}

static void queue_slot(ddf_uring *ring, uint32_t i, uint8_t flags) {
    const slot *s = &ring->slots[i];
    size_t left = s->len - s->done;
    struct io_uring_sqe *sqe = new_sqe(ring, i);
    sqe->opcode = IORING_OP_READ;
    sqe->flags = flags;
    sqe->fd = s->fd;
    sqe->addr = (uint64_t)(uintptr_t)(s->buffer + s->done);
    sqe->len = (uint32_t)(left < CALL_MAX ? left : CALL_MAX);
    sqe->off = s->offset + s->done;
}

void ddf_uring_read(ddf_uring *ring, int fd, void *buffer, size_t len, uint64_t offset, void *owner, size_t number) {
    uint32_t i = ring->first_free;
    slot *s = &ring->slots[i];
    ring->first_free = s->next_free;
    ring->in_flight++;
    *s = (slot){.fd = fd, .buffer = buffer, .len = len, .offset = offset, .owner = owner, .number = number};
    queue_slot(ring, i, 0);
}

static void listen_for_wakes(ddf_uring *ring) {
    if (ring->listening) {
        return;
    }
    struct io_uring_sqe *sqe = new_sqe(ring, TAG_WAKE);
    sqe->opcode = IORING_OP_POLL_ADD;
    sqe->fd = ring->notifier[0];
    sqe->poll_events = POLLIN;
    ring->listening = 1;
}

void ddf_uring_cancel(ddf_uring *ring) {
    ring->cancelled = 1;
    for (uint32_t i = 0; i < ring->depth; i++) {
        if (ring->slots[i].owner == NULL) {
            continue;
        }
        for (int tries = 0; tries < 100 && ring->queued == ring->sq_entries; tries++) {
            (void)enter(ring, 0);
        }
        if (ring->queued == ring->sq_entries) {
            return; /* the kernel takes nothing: the reads end when they end */
        }
        struct io_uring_sqe *sqe = new_sqe(ring, TAG_CANCEL);
        sqe->opcode = IORING_OP_ASYNC_CANCEL;
        sqe->addr = i;
    }
}

void ddf_uring_wake(ddf_uring *ring) { ddf_sys_notifier_raise(ring->notifier); }

/* ---- completion ---- */

static ddf_uring_end end_slot(ddf_uring *ring, uint32_t i, int64_t got) {
    slot *s = &ring->slots[i];
    ddf_uring_end end = {s->owner, s->number, got};
    s->owner = NULL;
    s->next_free = ring->first_free;
    ring->first_free = i;
    ring->in_flight--;
    return end;
}

/* Take one result of a read. Returns 1 if the read has ended; otherwise the rest of it is queued again. */
static int take_result(ddf_uring *ring, uint32_t i, int32_t result, ddf_uring_end *end) {
    slot *s = &ring->slots[i];
    int again = result == -EINTR || result == -EAGAIN;
    if (result > 0) {
        s->done += (size_t)result;
    } else if (result < 0 && !again) {
        *end = end_slot(ring, i, result);
        return 1;
    }
    if (result == 0 || s->done == s->len) {
        *end = end_slot(ring, i, (int64_t)s->done);
        return 1;
    }
    if (ring->cancelled) {
        *end = end_slot(ring, i, -ECANCELED);
        return 1;
    }
    queue_slot(ring, i, again ? IOSQE_ASYNC : 0); /* a thread of the kernel's can wait where this one may not */
    return 0;
}

static size_t reap(ddf_uring *ring, ddf_uring_end *ends, size_t most, int *woken) {
    size_t n = 0;
    while (n < most && ring->n_refused > 0) {
        ends[n++] = end_slot(ring, ring->refused[--ring->n_refused], ring->refusal);
    }
    uint32_t head = *ring->cq_head, tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
    for (; n < most && head != tail; head++) {
        const struct io_uring_cqe *cqe = &ring->cqes[head & ring->cq_mask];
        if (cqe->user_data == TAG_WAKE) {
            ring->listening = 0;
            ddf_sys_notifier_clear(ring->notifier);
            *woken = 1;
        } else if (cqe->user_data < ring->depth) {
            n += (size_t)take_result(ring, (uint32_t)cqe->user_data, cqe->res, &ends[n]);
        }
    }
    __atomic_store_n(ring->cq_head, head, __ATOMIC_RELEASE);
    return n;
}

size_t ddf_uring_wait(ddf_uring *ring, ddf_uring_end *ends, size_t most) {
    int woken = 0;
    size_t n = reap(ring, ends, most, &woken);
    for (; n == 0 && !woken; n = reap(ring, ends, most, &woken)) {
        if (!ring->cancelled) {
            listen_for_wakes(ring);
        }
        if (ring->in_flight == 0 && ring->cancelled) {
            break;
        }
        woken = !enter(ring, 1); /* a refusal counts as a wake, because the ring cannot receive one */
    }
    return n;
}

#else

int ddf_uring_new(size_t depth, ddf_uring **out) {
    (void)depth, (void)out;
    return -ENOTSUP;
}

void ddf_uring_free(ddf_uring *ring) { (void)ring; }
int ddf_uring_start(ddf_uring *ring) { return (void)ring, -ENOTSUP; }
size_t ddf_uring_room(const ddf_uring *ring) { return (void)ring, (size_t)0; }
size_t ddf_uring_in_flight(const ddf_uring *ring) { return (void)ring, (size_t)0; }
void ddf_uring_wake(ddf_uring *ring) { (void)ring; }
void ddf_uring_cancel(ddf_uring *ring) { (void)ring; }

void ddf_uring_read(ddf_uring *ring, int fd, void *buffer, size_t len, uint64_t offset, void *owner, size_t number) {
    (void)ring, (void)fd, (void)buffer, (void)len, (void)offset, (void)owner, (void)number;
}

size_t ddf_uring_wait(ddf_uring *ring, ddf_uring_end *ends, size_t most) {
    (void)ring, (void)ends, (void)most;
    return 0;
}

#endif
