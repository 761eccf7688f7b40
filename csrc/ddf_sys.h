/* ddf_sys: every system call the kernels make, EINTR and short reads handled.
 *
 * Results are 0 or a count, or -errno. Linux first; other POSIX systems get the portable fallback of each call. */
#ifndef DDF_SYS_H
#define DDF_SYS_H

#include "ddf_common.h"

/* Anonymous, zeroed, page-aligned memory of `size` bytes; huge pages are asked for from 2 MiB on. NULL: none left. */
void *ddf_sys_memory(size_t size);
void ddf_sys_memory_free(void *memory, size_t size);

#endif
