#define _GNU_SOURCE
#include "ddf_sys.h"

#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

void *ddf_sys_memory(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    if (size >= HUGE_PAGE) {
        (void)madvise(memory, size, MADV_HUGEPAGE); /* advice: a refusal costs speed only */
    }
#endif
    return memory;
}

void ddf_sys_memory_free(void *memory, size_t size) {
    (void)munmap(memory, size);
}
