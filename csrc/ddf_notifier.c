#include "ddf_notifier.h"

int ddf_notifier_open(ddf_notifier *notifier) {
    atomic_init(&notifier->armed, 0);
    return ddf_sys_notifier_open(notifier->fds);
}

void ddf_notifier_close(ddf_notifier *notifier) { ddf_sys_notifier_close(notifier->fds); }

void ddf_notifier_arm(ddf_notifier *notifier) { atomic_store(&notifier->armed, 1); }

void ddf_notifier_clear(ddf_notifier *notifier) { ddf_sys_notifier_clear(notifier->fds); }

void ddf_notifier_raise(ddf_notifier *notifier) {
    if (atomic_exchange(&notifier->armed, 0)) {
        ddf_sys_notifier_raise(notifier->fds);
    }
}
