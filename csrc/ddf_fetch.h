/* ddf_fetch: fetches one group of batches: order -> spans -> plan -> arena -> reads -> tables, all without the GIL.
 * Where the shards have checksums, samples are checked as they are read. Different samples never share bytes: of those
 * that do, because the offsets are damaged, the later ones fail, so that no more memory is used than the files have bytes.
 *
 * The engine runs it; its owner may release it at any time. The arena outlives the fetch if it is retained. */
#ifndef DDF_FETCH_H
#define DDF_FETCH_H

#include "ddf_arena.h"
#include "ddf_columns.h"
#include "ddf_engine.h"
#include "ddf_order.h"

typedef struct ddf_fetch ddf_fetch;

/* What to fetch. `shards` and `pool` are retained; the list of `order`, and offset tables that the shards do not own,
 * are read only during preparation, for which ddf_fetch_release waits; everything else is copied. */
typedef struct ddf_fetch_request {
    ddf_shards *shards;
    ddf_pool *pool;

    const int64_t *indices; /* these samples, or NULL: those at positions of `order` */
    ddf_order order;
    uint64_t first;  /* position of the first batch */
    uint64_t stride; /* positions from one batch's start to the next one's */

    size_t count;      /* samples in all */
    size_t batch_size; /* every batch but the last has this many */

    int tables;             /* 0: no columns, and samples are not checked */
    const ddf_slice *names; /* columns to build, NULL: all */
    size_t names_n;

    uint64_t max_gap, max_read; /* bytes, see ddf_plan */
    uint64_t max_bytes;         /* a fetch of more bytes of data fails with DDF_E_LIMIT before it reads; 0: no limit */
} ddf_fetch_request;

/* A fetch with one reference. Returns 0 or -ENOMEM. */
int ddf_fetch_new(const ddf_fetch_request *request, ddf_fetch **out);
ddf_job *ddf_fetch_job(ddf_fetch *fetch);

/* Submit the fetch to an engine, once; the engine retains it. */
void ddf_fetch_submit(ddf_fetch *fetch, ddf_engine *engine);

/* The same in the calling thread, except for steps that may wait for storage; see ddf_engine_run. */
int ddf_fetch_run(ddf_fetch *fetch, ddf_engine *engine, int timeout_ms);

/* Release a reference; a fetch that is not done is cancelled. `engine` is the one that it was submitted to, or NULL. */
void ddf_fetch_release(ddf_fetch *fetch, ddf_engine *engine);

/* Bytes of arena that the fetch holds so far. May be called at any time, from any thread. */
uint64_t ddf_fetch_held(const ddf_fetch *fetch);

/* What a fetch has read. */
typedef struct ddf_fetch_cost {
    uint64_t bytes;  /* of the file, including gaps between samples that share a read */
    uint64_t reads;  /* pieces */
    uint64_t merged; /* samples that needed no read of their own */
} ddf_fetch_cost;

/* The results of all functions below are valid once the job is done. */

/* All 0 if preparation failed. */
ddf_fetch_cost ddf_fetch_get_cost(const ddf_fetch *fetch);

size_t ddf_fetch_batches(const ddf_fetch *fetch);

/* Batch `b`: its table, or NULL with `*err` (in terms of the batch: item = sample, pos = byte in it). */
ddf_table *ddf_fetch_table(const ddf_fetch *fetch, size_t b, const ddf_err **err);

/* The address (see ddf_shards) of a sample whose batch has a table. */
ddf_span ddf_fetch_span(const ddf_fetch *fetch, size_t sample);

/* Sample indices of the whole group, in the arena, or NULL if preparation failed. */
int64_t *ddf_fetch_indices(const ddf_fetch *fetch);

/* The arena (borrowed), or NULL if preparation failed. */
ddf_arena *ddf_fetch_arena(const ddf_fetch *fetch);

#endif
