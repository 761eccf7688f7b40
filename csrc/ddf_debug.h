/* ddf_debug: checks of invariants. They exist in builds with -DDDF_CHECKS, such as the C tests, and abort the program
 * with the condition and its place. Other builds contain no code for them. */
#ifndef DDF_DEBUG_H
#define DDF_DEBUG_H

#ifdef DDF_CHECKS

#include <stdio.h>
#include <stdlib.h>

#define DDF_ASSERT(condition) \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition), abort()))

#else

#define DDF_ASSERT(condition) ((void)sizeof(!(condition)))

#endif

#endif
