/* ddf_uring: many reads in flight with Linux's io_uring, owned by one thread.
 *
 * One thread adds reads and waits for their ends; only ddf_uring_wake may be called from others. Short and interrupted
 * reads are continued until they end. The kernel writes into a buffer until its read has been returned by
 * ddf_uring_wait: the buffer must live as long in any case. If the system has no io_uring, or this build was made
 * without its header, ddf_uring_new fails and no other function may be called. */
#ifndef DDF_URING_H
#define DDF_URING_H

#include "ddf_common.h"

typedef struct ddf_uring ddf_uring;

/* The end of a read. */
typedef struct ddf_uring_end {
    void *owner; /* as given to ddf_uring_read */
    size_t number;
    int64_t got; /* bytes, fewer than requested only at the end of the file; or -errno */
} ddf_uring_end;

/* A ring for `depth` reads in flight (1 to 1024). Returns 0, or -errno: -ENOTSUP (this build, or a kernel before 5.10),
 * -ENOSYS or -EPERM (refused by the kernel or a container's filter), -ENOMEM, -EMFILE. */
int ddf_uring_new(size_t depth, ddf_uring **out);

/* Nothing may be in flight, except before ddf_uring_start. */
void ddf_uring_free(ddf_uring *ring);

/* Bind the ring to the calling thread, which makes all calls that follow. Returns 0 or -errno. */
int ddf_uring_start(ddf_uring *ring);

/* Reads that may be added, and reads that have not ended. */
size_t ddf_uring_room(const ddf_uring *ring);
size_t ddf_uring_in_flight(const ddf_uring *ring);

/* Add a read; there must be room. It begins with the next ddf_uring_wait at the latest. */
void ddf_uring_read(ddf_uring *ring, int fd, void *buffer, size_t len, uint64_t offset, void *owner, size_t number);

/* Start the added reads, and sleep until a read ends or ddf_uring_wake is called. Returns how many of `ends` (at most
 * `most`, which is at least 1) were filled in; 0 after a wake. Never fails: if the kernel refuses, the reads fail. */
size_t ddf_uring_wait(ddf_uring *ring, ddf_uring_end *ends, size_t most);

/* Make the current or else the next ddf_uring_wait return. May be called from any thread. */
void ddf_uring_wake(ddf_uring *ring);

/* Request that the kernel cancels all reads in flight: they end soon, with -ECANCELED or with their normal result. No
 * read may be added any more. */
void ddf_uring_cancel(ddf_uring *ring);

#endif
