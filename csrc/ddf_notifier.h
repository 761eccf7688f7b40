/* ddf_notifier: a descriptor that becomes readable once after it was armed, to wake an event loop.
 *
 * The reader arms the notifier, checks once more for work, then sleeps until the descriptor is readable, and clears it.
 * Thread safe, except for opening and closing. */
#ifndef DDF_NOTIFIER_H
#define DDF_NOTIFIER_H

#include <stdatomic.h>

#include "ddf_sys.h"

typedef struct ddf_notifier {
    int fds[2];
    atomic_int armed;
} ddf_notifier;

/* Returns 0 or -errno. */
int ddf_notifier_open(ddf_notifier *notifier);
void ddf_notifier_close(ddf_notifier *notifier);

/* The descriptor to watch. */
static inline int ddf_notifier_fd(const ddf_notifier *notifier) { return notifier->fds[0]; }

void ddf_notifier_arm(ddf_notifier *notifier);
void ddf_notifier_clear(ddf_notifier *notifier);

/* Make the descriptor readable if the notifier is armed, and disarm it. */
void ddf_notifier_raise(ddf_notifier *notifier);

#endif
