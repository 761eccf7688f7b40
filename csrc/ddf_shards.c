#include "ddf_shards.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ddf_offsets.h"
#include "ddf_retry.h"

/* Files kept open, at least and at most. */
#define OPEN_LEAST ((size_t)8)
#define OPEN_MOST ((size_t)4096)

/* Addresses of one shard that is alone: its number is always 0. */
#define SHIFT_ALONE 63
#define SHIFT_LEAST 12 /* landing positions are congruent to addresses, so these must be to positions */

#define NONE UINT32_MAX

typedef _Atomic(const uint8_t *) table_ptr;

typedef struct member {
    char *path, *offsets_path; /* NULL where they are open already, or remote */
    char *sums_path;           /* NULL where there are none to load */
    uint64_t first, samples;   /* indices [first, first + samples) */
    ddf_stamp stamp;
    table_ptr offsets;   /* NULL: not loaded yet */
    const uint8_t *sums; /* set before `offsets` */
    ddf_file *file;      /* kept open, or NULL; under the lock */
    uint32_t newer, older;
} member;

struct ddf_shards {
    atomic_size_t references;
    ddf_file *only; /* of a plain dataset, as are: */
    ddf_content *only_offsets, *only_sums; /* NULL: not of a file, or none */
    const ddf_shards *lazy;                /* itself if one of them is not NULL */
    size_t n;
    unsigned shift;
    int keeps_tables; /* all tables are its own */
    int have_sums;
    int remote;
    member *members;
    size_t max_open;
    atomic_size_t missing; /* tables that are not loaded yet */
    atomic_int never_ready; /* some file was on storage where nothing can be read without waiting */
    atomic_int mounted;         /* some file was on no local disk */
    atomic_int reads_ahead; /* whether the system does that for the first file used; -1 until then */

    pthread_mutex_t lock;
    size_t open;
    uint32_t newest, oldest; /* of the members whose file is kept open */
};

/* ---- life ---- */

static ddf_shards *shards_of(size_t n) {
    ddf_shards *shards = calloc(1, sizeof *shards);
    member *members = calloc(n + 1, sizeof *members);
    if (shards == NULL || members == NULL) {
        free(shards);
        free(members);
        return NULL;
    }
    atomic_init(&shards->references, 1);
    atomic_init(&shards->missing, 0);
    atomic_init(&shards->never_ready, 0);
    atomic_init(&shards->mounted, 0);
    atomic_init(&shards->reads_ahead, -1);
    pthread_mutex_init(&shards->lock, NULL);
    shards->members = members;
    shards->n = n;
    shards->newest = shards->oldest = NONE;
    return shards;
}

/* Keep the content of a table. Returns 1 if the table needs no memory of the caller. */
static int keep_content(ddf_shard_table table, ddf_content **out) {
    *out = table.content;
    if (table.content != NULL) {
        ddf_content_retain(table.content);
    }
    return table.content != NULL || table.memory == NULL;
}

int ddf_shards_of(ddf_file *file, ddf_shard_table offsets, uint64_t entries, ddf_shard_table sums, ddf_shards **out) {
    ddf_shards *shards = shards_of(1);
    if (shards == NULL) {
        return -ENOMEM;
    }
    ddf_file_retain(file);
    shards->only = file;
    shards->shift = SHIFT_ALONE;
    shards->have_sums = sums.memory != NULL;
    shards->remote = ddf_file_is_remote(file);
    shards->keeps_tables = keep_content(offsets, &shards->only_offsets);
    shards->keeps_tables &= keep_content(sums, &shards->only_sums);
    shards->lazy = shards->only_offsets != NULL || shards->only_sums != NULL ? shards : NULL;
    shards->members[0].samples = entries == 0 ? 0 : entries - 1;
    shards->members[0].sums = sums.memory;
    atomic_init(&shards->members[0].offsets, offsets.memory);
    *out = shards;
    return DDF_OK;
}

/* The least shift so that the addresses of every shard take less than half of the room that the shift leaves. */
static int choose_shift(const ddf_shard_spec *specs, size_t n, unsigned *shift) {
    uint64_t size = 0;
    for (size_t i = 0; i < n; i++) {
        size = specs[i].stamp.size > size ? specs[i].stamp.size : size;
    }
    *shift = SHIFT_LEAST;
    while (*shift < SHIFT_ALONE && size >> (*shift - 1) != 0) {
        ++*shift;
    }
    int fits = size >> (*shift - 1) == 0 && n < NONE && (n == 0 || (uint64_t)n - 1 <= UINT64_MAX >> *shift);
    return fits ? DDF_OK : DDF_E_LIMIT;
}

/* A copy of a path, NULL for NULL. Returns 0 or -ENOMEM. */
static int copy_path(const char *path, char **out) {
    size_t size = path == NULL ? 0 : strlen(path) + 1;
    *out = path == NULL ? NULL : malloc(size);
    if (*out != NULL) {
        memcpy(*out, path, size);
    }
    return path != NULL && *out == NULL ? -ENOMEM : DDF_OK;
}

static int add_member(ddf_shards *shards, size_t i, const ddf_shard_spec *spec) {
    member *m = &shards->members[i];
    m->first = i == 0 ? 0 : m[-1].first + m[-1].samples;
    m->samples = spec->samples;
    m->stamp = spec->stamp;
    m->sums = spec->offsets_path == NULL ? spec->sums : NULL;
    shards->have_sums |= spec->sums_path != NULL || spec->sums != NULL;
    atomic_init(&m->offsets, spec->offsets_path == NULL ? spec->offsets : NULL);
    shards->keeps_tables &= spec->offsets_path != NULL;
    atomic_fetch_add(&shards->missing, spec->offsets_path != NULL);
    int status = copy_path(spec->path, &m->path);
    status = status < 0 ? status : copy_path(spec->offsets_path, &m->offsets_path);
    return status < 0 ? status : copy_path(spec->sums_path, &m->sums_path);
}

/* 1 if all are remote, 0 if none is, or -EINVAL. */
static int are_remote(const ddf_shard_spec *specs, size_t n) {
    size_t remote = 0;
    for (size_t i = 0; i < n; i++) {
        remote += specs[i].path == NULL;
        if (specs[i].path == NULL && specs[i].offsets_path != NULL) {
            return -EINVAL;
        }
    }
    return remote == 0 ? 0 : remote == n ? 1 : -EINVAL;
}

static size_t files_to_keep(size_t wanted) {
    size_t most = wanted != 0 ? wanted : ddf_sys_descriptors() / 4; /* a file takes up to two */
    return most < OPEN_LEAST ? OPEN_LEAST : most > OPEN_MOST ? OPEN_MOST : most;
}

int ddf_shards_new(const ddf_shard_spec *specs, size_t n, size_t max_open, ddf_shards **out) {
    unsigned shift;
    int remote = are_remote(specs, n);
    int status = remote < 0 ? remote : choose_shift(specs, n, &shift);
    if (status < 0) {
        return status;
    }
    ddf_shards *shards = shards_of(n);
    if (shards == NULL) {
        return -ENOMEM;
    }
    shards->shift = shift;
    shards->keeps_tables = 1;
    shards->remote = remote;
    atomic_init(&shards->never_ready, remote);
    shards->max_open = files_to_keep(max_open);
    for (size_t i = 0; i < n && status >= 0; i++) {
        status = add_member(shards, i, &specs[i]);
    }
    if (status < 0) {
        ddf_shards_release(shards);
        return status;
    }
    *out = shards;
    return DDF_OK;
}

void ddf_shards_retain(ddf_shards *shards) { atomic_fetch_add(&shards->references, 1); }

static size_t table_size(const member *m) { return (size_t)(8 * (m->samples + 1)); }
static size_t sums_size(const member *m) { return (size_t)(8 * m->samples); }

static void free_table(const uint8_t *table) { free((void *)(uintptr_t)table); }

void ddf_shards_release(ddf_shards *shards) {
    if (shards == NULL || atomic_fetch_sub(&shards->references, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < shards->n; i++) {
        member *m = &shards->members[i];
        ddf_file_release(m->file);
        const uint8_t *table = atomic_load(&m->offsets);
        if (table != NULL && m->offsets_path != NULL) {
            free_table(table);
            free_table(m->sums);
        }
        free(m->path);
        free(m->offsets_path);
        free(m->sums_path);
    }
    ddf_file_release(shards->only);
    ddf_content_release(shards->only_offsets);
    ddf_content_release(shards->only_sums);
    pthread_mutex_destroy(&shards->lock);
    free(shards->members);
    free(shards);
}

int ddf_shards_are_remote(const ddf_shards *shards) { return shards->remote; }

int ddf_shards_own_tables(const ddf_shards *shards) { return shards->keeps_tables; }

ddf_place ddf_shards_place(const ddf_shards *shards, uint64_t address) {
    uint64_t shard = address >> shards->shift;
    return (ddf_place){(size_t)shard, address - (shard << shards->shift)};
}

uint64_t ddf_shards_max_gap(const ddf_shards *shards) { return ((uint64_t)1 << (shards->shift - 1)) - 1; }

int ddf_shards_check(const ddf_shards *shards, ddf_err *err) {
    return shards->only != NULL ? ddf_file_check(shards->only, err) : DDF_OK;
}

/* ---- open files: the least recently used goes first ---- */

static void unlink_member(ddf_shards *shards, member *m) {
    *(m->newer == NONE ? &shards->newest : &shards->members[m->newer].older) = m->older;
    *(m->older == NONE ? &shards->oldest : &shards->members[m->older].newer) = m->newer;
}

static void link_newest(ddf_shards *shards, member *m) {
    uint32_t number = (uint32_t)(m - shards->members);
    m->newer = NONE;
    m->older = shards->newest;
    *(shards->newest == NONE ? &shards->oldest : &shards->members[shards->newest].newer) = number;
    shards->newest = number;
}

/* Keep `most` files. A file that is being read is closed when that ends. */
static void keep_at_most(ddf_shards *shards, size_t most) {
    pthread_mutex_lock(&shards->lock);
    while (shards->open > most) {
        member *m = &shards->members[shards->oldest];
        ddf_file *file = m->file;
        unlink_member(shards, m);
        m->file = NULL;
        shards->open--;
        pthread_mutex_unlock(&shards->lock);
        ddf_file_release(file); /* closing may take its time */
        pthread_mutex_lock(&shards->lock);
    }
    pthread_mutex_unlock(&shards->lock);
}

static ddf_file *take_open(ddf_shards *shards, member *m) {
    pthread_mutex_lock(&shards->lock);
    ddf_file *file = m->file;
    if (file != NULL) {
        ddf_file_retain(file);
        if (shards->newest != (uint32_t)(m - shards->members)) {
            unlink_member(shards, m);
            link_newest(shards, m);
        }
    }
    pthread_mutex_unlock(&shards->lock);
    return file;
}

/* Keep a file that was opened, unless another thread was faster. Takes over the reference; returns one. */
static ddf_file *keep(ddf_shards *shards, member *m, ddf_file *file) {
    pthread_mutex_lock(&shards->lock);
    ddf_file *spare = m->file != NULL ? file : NULL;
    if (spare == NULL) {
        m->file = file;
        link_newest(shards, m);
        shards->open++;
    }
    file = m->file;
    ddf_file_retain(file);
    pthread_mutex_unlock(&shards->lock);
    ddf_file_release(spare);
    keep_at_most(shards, shards->max_open);
    return file;
}

static int fail_changed(ddf_err *err, uint64_t item, uint64_t size) {
    return ddf_fail(err, DDF_E_CHANGED, "the shard was replaced or changed while it was open", item, size);
}

static int open_remote(ddf_shards *shards, member *m, ddf_file **out, ddf_err *err) {
    int status = ddf_file_remote(m->stamp.size, out);
    if (status < 0) {
        return ddf_fail(err, status, "no memory for a shard", (uint64_t)(m - shards->members), 0);
    }
    *out = keep(shards, m, *out);
    return DDF_OK;
}

static int open_member(ddf_shards *shards, member *m, ddf_file **out, ddf_err *err) {
    uint64_t number = (uint64_t)(m - shards->members);
    ddf_stamp stamp;
    if (shards->remote) {
        return open_remote(shards, m, out, err);
    }
    int status = ddf_file_open(m->path, out);
    if (status == -EMFILE || status == -ENFILE) {
        keep_at_most(shards, 0);
        status = ddf_file_open(m->path, out);
    }
    if (status < 0) {
        return ddf_fail(err, status, "the data file of a shard cannot be opened", number, 0);
    }
    status = ddf_sys_stamp(ddf_file_fd(*out), &stamp);
    if (status >= 0 && stamp.size == m->stamp.size && stamp.modified == m->stamp.modified) {
        *out = keep(shards, m, *out);
        return DDF_OK;
    }
    ddf_file_release(*out);
    return status < 0 ? ddf_fail(err, status, "the data file of a shard cannot be read", number, 0)
                      : fail_changed(err, number, stamp.size);
}

static int take(ddf_shards *shards, size_t shard, int wait, ddf_file **file, ddf_err *err) {
    *file = shards->only;
    if (*file != NULL) {
        return DDF_OK; /* lives as long as the shards */
    }
    member *m = &shards->members[shard];
    *file = take_open(shards, m);
    if (*file == NULL && (wait || ddf_shards_can_be_ready(shards))) {
        int status = open_member(shards, m, file, err);
        if (status < 0) {
            *file = NULL;
        }
        return status;
    }
    return DDF_OK;
}

int ddf_shards_acquire_file(ddf_shards *shards, size_t shard, ddf_file **file, ddf_err *err) {
    return take(shards, shard, 1, file, err);
}

int ddf_shards_acquire_open_file(ddf_shards *shards, size_t shard, ddf_file **file, ddf_err *err) {
    return take(shards, shard, 0, file, err);
}

void ddf_shards_release_file(ddf_shards *shards, ddf_file *file) {
    if (shards->only != NULL || file == NULL) {
        return;
    }
    if (!ddf_file_can_be_ready(file)) {
        atomic_store_explicit(&shards->never_ready, 1, memory_order_relaxed);
    }
    if (ddf_file_is_mounted(file)) {
        atomic_store_explicit(&shards->mounted, 1, memory_order_relaxed);
    }
    if (atomic_load_explicit(&shards->reads_ahead, memory_order_relaxed) < 0) {
        atomic_store_explicit(&shards->reads_ahead, ddf_file_reads_ahead(file), memory_order_relaxed);
    }
    ddf_file_release(file);
}

int ddf_shards_can_be_ready(const ddf_shards *shards) {
    return shards->only != NULL ? ddf_file_can_be_ready(shards->only)
                                : !atomic_load_explicit(&shards->never_ready, memory_order_relaxed);
}

int ddf_shards_read_ahead(const ddf_shards *shards) {
    return shards->only != NULL ? ddf_file_reads_ahead(shards->only)
                                : atomic_load_explicit(&shards->reads_ahead, memory_order_relaxed) > 0;
}

int ddf_shards_are_mounted(const ddf_shards *shards) {
    return shards->only != NULL ? ddf_file_is_mounted(shards->only)
                                : atomic_load_explicit(&shards->mounted, memory_order_relaxed);
}

static int content_may_wait(const ddf_content *content) { return content != NULL && ddf_content_may_wait(content); }

int ddf_shards_may_wait(const ddf_shards *shards) {
    if (shards->only != NULL) {
        return content_may_wait(shards->only_offsets) || content_may_wait(shards->only_sums);
    }
    return !shards->remote && (!ddf_shards_can_be_ready(shards) || atomic_load(&shards->missing) > 0);
}

int ddf_shards_are_populated(ddf_shards *shards, uint64_t address) {
    if (shards->only != NULL) {
        return ddf_file_is_populated(shards->only, address);
    }
    ddf_place place = ddf_shards_place(shards, address);
    pthread_mutex_lock(&shards->lock);
    const ddf_file *file = shards->members[place.shard].file;
    int entered = file != NULL && ddf_file_is_populated(file, place.position);
    pthread_mutex_unlock(&shards->lock);
    return entered;
}

size_t ddf_shards_open(ddf_shards *shards) {
    pthread_mutex_lock(&shards->lock);
    size_t open = shards->open;
    pthread_mutex_unlock(&shards->lock);
    return open;
}

/* ---- offsets ---- */

/* Load `size` bytes of a file of that size. Returns 0 or a negative status. */
static int load(const char *path, size_t size, const uint8_t **out) {
    ddf_file *file;
    int status = ddf_file_open_index(path, &file);
    if (status < 0) {
        return status;
    }
    uint8_t *memory = ddf_file_size(file) == size ? malloc(size) : NULL;
    if (memory == NULL) {
        status = ddf_file_size(file) == size ? -ENOMEM : DDF_E_CHANGED;
    } else {
        status = ddf_retry_read(file, memory, size, 0, NULL, NULL);
    }
    ddf_file_release(file);
    if (status < 0) {
        free(memory);
        return status == DDF_E_EOF ? DDF_E_CHANGED : status;
    }
    *out = memory;
    return DDF_OK;
}

/* What is loaded of a shard. */
typedef struct tables {
    const uint8_t *offsets, *sums;
} tables;

static void free_tables(tables t) {
    free_table(t.offsets);
    free_table(t.sums);
}

/* A writer that replaces a dataset removes its offsets first, and adds the new ones last: offsets that are loaded, and
 * what was loaded before them, belong to the data file that the path names afterwards. */
static int load_tables(const member *m, tables *t, const char **what) {
    int status = DDF_OK;
    *t = (tables){0};
    *what = "the checksums of a shard cannot be read";
    if (m->sums_path != NULL && m->samples > 0) {
        status = load(m->sums_path, sums_size(m), &t->sums);
    }
    if (status >= 0) {
        *what = "the offsets file of a shard cannot be read";
        status = load(m->offsets_path, table_size(m), &t->offsets);
    }
    if (status < 0) {
        free_tables(*t);
    }
    return status;
}

static int enter_first(ddf_shards *shards, member *m, ddf_err *err) {
    uint64_t number = (uint64_t)(m - shards->members);
    const uint8_t *none = NULL;
    const char *what;
    tables t;
    ddf_stamp stamp;
    int status = load_tables(m, &t, &what);
    if (status == -EMFILE || status == -ENFILE) {
        keep_at_most(shards, 0);
        status = load_tables(m, &t, &what);
    }
    if (status < 0) {
        return status == DDF_E_CHANGED ? fail_changed(err, number, m->stamp.size)
                                       : ddf_fail(err, status, what, number, 0);
    }
    status = ddf_sys_stamp_of(m->path, &stamp);
    if (status < 0 || stamp.size != m->stamp.size || stamp.modified != m->stamp.modified) {
        status = fail_changed(err, number, status < 0 ? 0 : stamp.size);
    } else {
        status = ddf_offsets_check_ends(t.offsets, m->samples + 1, m->stamp.size, err);
    }
    pthread_mutex_lock(&shards->lock);
    int is_first = status >= 0 && atomic_load(&m->offsets) == none;
    if (is_first) {
        m->sums = t.sums;
        atomic_store_explicit(&m->offsets, t.offsets, memory_order_release);
        atomic_fetch_sub(&shards->missing, 1);
    }
    pthread_mutex_unlock(&shards->lock);
    if (!is_first) {
        free_tables(t);
    }
    return status;
}

/* Load the tables of a shard, unless they are loaded. */
static int enter(ddf_shards *shards, member *m, const uint8_t **table, ddf_err *err) {
    *table = atomic_load_explicit(&m->offsets, memory_order_acquire);
    if (DDF_LIKELY(*table != NULL)) {
        return DDF_OK;
    }
    ddf_file *file;
    int status = ddf_shards_acquire_file(shards, (size_t)(m - shards->members), &file, err);
    if (status >= 0) {
        status = enter_first(shards, m, err);
        ddf_shards_release_file(shards, file);
    }
    *table = atomic_load_explicit(&m->offsets, memory_order_acquire);
    return status;
}

/* ---- samples ---- */

/* The member that a sample is in, or NULL. Consecutive samples are looked up one after the other: `hint` is the last one. */
static member *member_of(const ddf_shards *shards, uint64_t index, member *hint) {
    if (index - hint->first < hint->samples) { /* below `first`, that is huge */
        return hint;
    }
    size_t low = 0, high = shards->n; /* the last member that does not begin after the index is in [low, high) */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        *(shards->members[middle].first <= index ? &low : &high) = middle;
    }
    member *m = &shards->members[low];
    return shards->n > 0 && index - m->first < m->samples ? m : NULL;
}

static int spans_of_many(ddf_shards *shards, const int64_t *indices, size_t count, ddf_span *out, uint64_t *sums,
                         ddf_err *err) {
    member *m = shards->members, *entered = NULL;
    const uint8_t *table = NULL;
    for (size_t i = 0; i < count; i++) {
        m = member_of(shards, (uint64_t)indices[i], m);
        if (DDF_UNLIKELY(m == NULL)) {
            return ddf_fail(err, DDF_E_INDEX, "the dataset has no sample of this index", i, 0);
        }
        int status = m == entered ? DDF_OK : enter(shards, m, &table, err);
        entered = m;
        int64_t local = indices[i] - (int64_t)m->first;
        if (status >= 0) {
            status = ddf_offsets_spans(table, m->samples + 1, &local, 1, m->stamp.size, &out[i], err);
        }
        if (DDF_UNLIKELY(status < 0)) {
            err->item = i;
            return status;
        }
        uint64_t base = (uint64_t)(m - shards->members) << shards->shift;
        out[i].start += base;
        out[i].stop += base;
        if (sums != NULL) {
            sums[i] = ddf_load64(m->sums + 8 * local);
        }
    }
    return DDF_OK;
}

static int is_whole(const ddf_content *content) { return content == NULL || ddf_content_is_whole(content); }

/* Read the parts of a table that belong to a sample, unless that is done. */
static int hold(ddf_content *content, uint64_t at, uint64_t len, const char *failed, ddf_err *err) {
    int status = is_whole(content) ? DDF_OK : ddf_content_hold(content, at, len, err);
    if (DDF_UNLIKELY(status < 0)) {
        err->msg = failed;
    }
    return status;
}

static int hold_sample(ddf_content *offsets, ddf_content *sums, uint64_t local, ddf_err *err) {
    int status = hold(offsets, 8 * local, 16, "the offsets file cannot be read", err);
    return status < 0 ? status : hold(sums, 8 * local, 8, "the checksums file cannot be read", err);
}

/* Read what the samples of a plain dataset need of its tables. */
static int hold_samples(const ddf_shards *shards, const int64_t *indices, size_t count, ddf_err *err) {
    for (size_t i = 0; i < count; i++) {
        if (DDF_UNLIKELY((uint64_t)indices[i] >= shards->members[0].samples)) {
            continue; /* is reported when it is looked up */
        }
        int status = hold_sample(shards->only_offsets, shards->only_sums, (uint64_t)indices[i], err);
        if (DDF_UNLIKELY(status < 0)) {
            err->item = i;
            return status;
        }
    }
    return DDF_OK;
}

int ddf_shards_have_sums(const ddf_shards *shards) { return shards->have_sums; }

int ddf_shards_spans(ddf_shards *shards, const int64_t *indices, size_t count, ddf_span *out, uint64_t *sums,
                     ddf_err *err) {
    if (shards->only == NULL) {
        return spans_of_many(shards, indices, count, out, sums, err);
    }
    const member *m = shards->members;
    if (DDF_UNLIKELY(!is_whole(shards->only_offsets) || !is_whole(shards->only_sums))) {
        int status = hold_samples(shards, indices, count, err);
        if (status < 0) {
            return status;
        }
    }
    const uint8_t *table = atomic_load_explicit(&m->offsets, memory_order_relaxed);
    int status = ddf_offsets_spans(table, m->samples + 1, indices, count, ddf_file_size(shards->only), out, err);
    for (size_t i = 0; status >= 0 && sums != NULL && i < count; i++) {
        sums[i] = ddf_load64(m->sums + 8 * indices[i]);
    }
    return status;
}

int ddf_shards_find(ddf_shards *shards, int64_t index, ddf_found *out, ddf_err *err) {
    member *m = shards->only != NULL ? shards->members : member_of(shards, (uint64_t)index, shards->members);
    if (m == NULL) {
        return ddf_fail(err, DDF_E_INDEX, "the dataset has no sample of this index", 0, 0);
    }
    out->first = (int64_t)m->first;
    out->stop = out->first + (int64_t)m->samples;
    int status = enter(shards, m, &out->offsets, err);
    status = status >= 0 ? ddf_shards_acquire_file(shards, (size_t)(m - shards->members), &out->file, err) : status;
    if (status < 0) {
        return status;
    }
    out->sums = m->sums;
    out->lazy = shards->lazy;
    status = ddf_file_check(out->file, err);
    status = status >= 0 ? ddf_found_span(out, index, &out->span, err) : status;
    if (status < 0) {
        ddf_shards_release_file(shards, out->file);
    }
    return status;
}

static int span_in_memory(const ddf_found *found, int64_t index, ddf_span *span, ddf_err *err) {
    int64_t local = index - found->first;
    uint64_t entries = (uint64_t)(found->stop - found->first) + 1;
    return ddf_offsets_spans(found->offsets, entries, &local, 1, ddf_file_size(found->file), span, err);
}

static int read_span(const ddf_found *found, int64_t index, ddf_span *span, ddf_err *err) {
    int64_t local = index - found->first;
    int status = hold_samples(found->lazy, &local, 1, err);
    return status < 0 ? status : span_in_memory(found, index, span, err);
}

int ddf_found_span(const ddf_found *found, int64_t index, ddf_span *span, ddf_err *err) {
    return DDF_UNLIKELY(found->lazy != NULL) ? read_span(found, index, span, err) : span_in_memory(found, index, span, err);
}
