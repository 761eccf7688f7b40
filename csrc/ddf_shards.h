/* ddf_shards: the data files of a dataset, one after the other, as if they were one file.
 *
 * A dataset in one file is one shard, which is open already. Of many shards, only the sizes are known at first: the
 * offsets of a shard, and its checksums if samples are to be verified, are loaded when one of its samples is looked up,
 * and kept; its data file is opened when it is read, and closed when too many are open and it is not being read. A
 * shard that was replaced or changed since its sizes were taken is refused.
 *
 * An *address* is the position of a byte: the shard's number in the high bits, the position in its data file in the low
 * ones. The distance of two addresses of one shard is that of the bytes; two shards are more than half a shard apart.
 * Thread safe; the reference count may change from any thread. After a fork, the child must create new shards. */
#ifndef DDF_SHARDS_H
#define DDF_SHARDS_H

#include "ddf_content.h"
#include "ddf_file.h"

typedef struct ddf_shards ddf_shards;

/* One of many shards. */
typedef struct ddf_shard_spec {
    const char *path;         /* of the data file; copied; NULL: all shards are remote, with the tables in memory */
    const char *offsets_path; /* copied; NULL: see `offsets` */
    const char *sums_path;    /* of their checksums; copied; NULL: samples are not verified */
    const uint8_t *offsets;   /* the table, in memory of the caller */
    const uint8_t *sums;      /* likewise the checksums, or NULL */
    uint64_t samples;
    ddf_stamp stamp; /* of the data file */
} ddf_shard_spec;

/* `n` shards, of which about `max_open` (0: a quarter of the descriptors that the process may have) stay open. Returns
 * 0, -ENOMEM, DDF_E_LIMIT if they are too many or too large to be addressed, or -EINVAL if some are remote and some are
 * not, or the tables of a remote one are files. */
int ddf_shards_new(const ddf_shard_spec *specs, size_t n, size_t max_open, ddf_shards **out);

/* A table of one shard: in memory that the caller keeps, or at the start of a `content`, which is retained and read where
 * it is used. */
typedef struct ddf_shard_table {
    const uint8_t *memory; /* NULL: no table */
    ddf_content *content;  /* NULL: all of the memory may be read */
} ddf_shard_table;

/* One shard. `file` is retained; there may be no `sums`. Returns 0 or -ENOMEM. */
int ddf_shards_of(ddf_file *file, ddf_shard_table offsets, uint64_t entries, ddf_shard_table sums, ddf_shards **out);

void ddf_shards_retain(ddf_shards *shards);
void ddf_shards_release(ddf_shards *shards);

/* 1 if the data files are remote (all are, or none): only the reader of a ddf_remote_queue reads them. */
int ddf_shards_are_remote(const ddf_shards *shards);

/* 1 if the shards own their offset tables: they use no memory of the caller. */
int ddf_shards_own_tables(const ddf_shards *shards);

/* The shard and the position of an address. */
typedef struct ddf_place {
    size_t shard;
    uint64_t position; /* in its data file */
} ddf_place;

ddf_place ddf_shards_place(const ddf_shards *shards, uint64_t address);

/* The largest coalescing distance (`max_gap` of ddf_plan_reads) that never joins two shards. */
uint64_t ddf_shards_max_gap(const ddf_shards *shards);

/* For one shard: the result of ddf_file_check. For many: 0, because each shard is checked when it is used. */
int ddf_shards_check(const ddf_shards *shards, ddf_err *err);

/* 1 if samples are to be verified: all of them have a checksum, which the two functions below return. */
int ddf_shards_have_sums(const ddf_shards *shards);

/* Addresses of `count` samples, given by their indices in the whole dataset, and unless `sums` is NULL, their
 * checksums. May open files and wait for storage.
 * Returns 0 or a status with err->item = position in `indices`: those of ddf_offsets_spans, of opening a file and of
 * reading a table, DDF_E_CHANGED if the shard has changed, DDF_E_SPAN if its offsets are not a table of its data file. */
int ddf_shards_spans(ddf_shards *shards, const int64_t *indices, size_t count, ddf_span *out, uint64_t *sums,
                     ddf_err *err);

/* A sample, and its shard. */
typedef struct ddf_found {
    ddf_file *file;         /* acquired, see below */
    ddf_span span;          /* of the sample, in the file */
    const uint8_t *offsets; /* of the shard, which live as long */
    const uint8_t *sums;    /* likewise; NULL: samples are not verified */
    const ddf_shards *lazy; /* whose tables are read where they are used; NULL: everything is in memory */
    int64_t first, stop;    /* indices of the shard's samples */
} ddf_found;

/* Find one sample by its index in the whole dataset, in a file whose size has not changed. Errors as above. */
int ddf_shards_find(ddf_shards *shards, int64_t index, ddf_found *out, ddf_err *err);

/* The span of another sample of the same shard. Errors as those of ddf_offsets_spans, and of reading its tables. */
int ddf_found_span(const ddf_found *found, int64_t index, ddf_span *span, ddf_err *err);

/* The checksum of a sample whose span was found, where there are any. */
static inline uint64_t ddf_found_sum(const ddf_found *found, int64_t index) {
    return ddf_load64(found->sums + 8 * (index - found->first));
}

/* The open data file of a shard, to be released with ddf_shards_release_file. Returns 0, or a status as above with
 * err->item = the shard. */
int ddf_shards_acquire_file(ddf_shards *shards, size_t shard, ddf_file **file, ddf_err *err);

/* The same without waiting for storage: NULL if the file is not open and opening may wait. */
int ddf_shards_acquire_open_file(ddf_shards *shards, size_t shard, ddf_file **file, ddf_err *err);
void ddf_shards_release_file(ddf_shards *shards, ddf_file *file);

/* 1 unless it is known that nothing can be read without waiting; see ddf_file_can_be_ready. */
int ddf_shards_can_be_ready(const ddf_shards *shards);

/* 1 if a data file is known to be on a network mount. */
int ddf_shards_are_mounted(const ddf_shards *shards);

/* 1 if the system reads much ahead on the disk of the data file that was used first; see ddf_file_reads_ahead. */
int ddf_shards_read_ahead(const ddf_shards *shards);

/* 1 if looking samples up may have to wait for storage: tables have to be loaded, or nothing is ready. */
int ddf_shards_may_wait(const ddf_shards *shards);

/* 1 if a small read at an address is only a copy; see ddf_file_is_populated. */
int ddf_shards_are_populated(ddf_shards *shards, uint64_t address);

/* Data files that are kept open at the moment. */
size_t ddf_shards_open(ddf_shards *shards);

#endif
