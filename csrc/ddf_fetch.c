#include "ddf_fetch.h"

#include <errno.h>
#include <stdlib.h>

#include "ddf_xxh3.h"

#define DATA_ALIGN ((size_t)4096)

/* Memory for columns in addition to the data, sufficient for three or four small columns, so that most groups need only
 * one block. */
#define COLUMNS_ROOM ((size_t)160)

/* What a sample takes in a check_list. */
#define CHECK_BYTES (sizeof(uint64_t) + sizeof(uint32_t) + 1)

enum { UNCHECKED, SOUND, DAMAGED };

/* What verifying takes: the thread that read a piece checks the samples within it; the others are checked
 * when all pieces are read. */
typedef struct check_list {
    uint64_t *sums;     /* NULL: samples are not verified */
    uint32_t *in_file;  /* numbers of all samples in file order */
    uint32_t *first_in; /* of each piece: position in `in_file` of the first sample that begins in it; then their number */
    uint8_t *found;     /* by the number of the sample: one of the above */
} check_list;

struct ddf_fetch {
    ddf_job job; /* first: the engine's callbacks get back from it */
    atomic_size_t references;
    atomic_uint_fast64_t held;
    ddf_fetch_request request;
    size_t n_batches;
    int handed_over;  /* to an engine */
    int64_t *wanted;  /* copy of request.indices, or NULL */
    ddf_slice *names; /* copy of request.names with their bytes, or NULL */

    ddf_fetch_cost cost;
    ddf_arena *arena;
    ddf_slice region;
    int64_t *indices;
    ddf_slice *samples;
    check_list checks;
    ddf_table **tables;
    ddf_err *errors; /* one a batch */
};

/* Memory that planning needs, freed at its end. */
typedef struct plan_scratch {
    int64_t *indices;
    ddf_span *spans;
    uint64_t *sums; /* NULL: samples are not verified */
    uint64_t *ends; /* likewise; where samples end in the arena, in file order */
    ddf_read *reads;
    uint64_t *landing;
    ddf_plan_item *scratch;
    const ddf_plan_item *sorted; /* see ddf_plan_reads */
    ddf_err *errors;
} plan_scratch;

static void scratch_free(plan_scratch *d) {
    free(d->indices);
    free(d->spans);
    free(d->sums);
    free(d->ends);
    free(d->reads);
    free(d->landing);
    free(d->scratch);
    free(d->errors);
}

static int scratch_new(size_t count, size_t n_batches, int with_sums, plan_scratch *d) {
    *d = (plan_scratch){
        .indices = calloc(count, sizeof *d->indices),
        .spans = calloc(count, sizeof *d->spans),
        .sums = with_sums ? calloc(count, sizeof *d->sums) : NULL,
        .ends = with_sums ? calloc(count, sizeof *d->ends) : NULL,
        .reads = calloc(count, sizeof *d->reads),
        .landing = calloc(count, sizeof *d->landing),
        .scratch = calloc(count, 2 * sizeof *d->scratch),
        .errors = calloc(n_batches, sizeof *d->errors),
    };
    int has_sums = d->sums != NULL && d->ends != NULL;
    if (d->indices && d->spans && has_sums == with_sums && d->reads && d->landing && d->scratch && d->errors) {
        return DDF_OK;
    }
    scratch_free(d);
    return -ENOMEM;
}

static size_t batch_start(const ddf_fetch *fetch, size_t b) { return b * fetch->request.batch_size; }

static size_t batch_len(const ddf_fetch *fetch, size_t b) {
    size_t left = fetch->request.count - batch_start(fetch, b);
    return left < fetch->request.batch_size ? left : fetch->request.batch_size;
}

/* Indices of all batches, after which nothing of the caller's is needed but the shards. */
static void list_indices(const ddf_fetch *fetch, plan_scratch *d) {
    const ddf_fetch_request *r = &fetch->request;
    for (size_t b = 0; b < fetch->n_batches; b++) {
        size_t start = batch_start(fetch, b), n = batch_len(fetch, b);
        if (fetch->wanted != NULL) {
            memcpy(d->indices + start, fetch->wanted + start, n * sizeof *d->indices);
        } else {
            d->errors[b].code =
                ddf_order_indices(&r->order, r->first + b * r->stride, n, d->indices + start, &d->errors[b]);
        }
    }
}

/* Spans and checksums of one batch; one that is damaged gets empty spans and an error of its own. */
static void locate_batch(const ddf_fetch *fetch, size_t b, plan_scratch *d) {
    size_t start = batch_start(fetch, b), n = batch_len(fetch, b);
    int status = d->errors[b].code;
    if (status >= 0) {
        uint64_t *sums = d->sums == NULL ? NULL : d->sums + start;
        status = ddf_shards_spans(fetch->request.shards, d->indices + start, n, d->spans + start, sums, &d->errors[b]);
    }
    if (status < 0) {
        memset(d->spans + start, 0, n * sizeof *d->spans);
    }
}

/* Tables refer to the names of their columns, and live as long as the arena. */
static int move_names(ddf_fetch *fetch) {
    for (size_t i = 0; fetch->names != NULL && i < fetch->request.names_n; i++) {
        ddf_slice *name = &fetch->names[i];
        uint8_t *copy = ddf_arena_alloc(fetch->arena, (size_t)name->size + 1, 1, 0);
        if (copy == NULL) {
            return -ENOMEM;
        }
        memcpy(copy, name->data, (size_t)name->size);
        name->data = copy;
    }
    return DDF_OK;
}

static size_t number_in_file(const plan_scratch *d, size_t k) { return d->sorted == NULL ? k : (size_t)d->sorted[k].number; }

static void list_ends(const plan_scratch *d, size_t count) {
    uint64_t end = 0;
    for (size_t k = 0; d->ends != NULL && k < count; k++) {
        size_t i = number_in_file(d, k);
        uint64_t own = d->landing[i] + (d->spans[i].stop - d->spans[i].start);
        end = d->ends[k] = own > end ? own : end;
    }
}

/* Short pieces are best for what is in memory already, long ones for a network mount. */
static uint64_t largest_read(const ddf_fetch *fetch, int direct) {
    const ddf_shards *shards = fetch->request.shards;
    int is_short = !direct && ddf_shards_can_be_ready(shards) && !ddf_shards_are_mounted(shards);
    uint64_t most = fetch->request.max_read;
    return is_short && most > DDF_FILE_COPY_MAX ? DDF_FILE_COPY_MAX : most;
}

static int check_sample(const ddf_fetch *fetch, size_t i) {
    int status = ddf_xxh3_check(&fetch->samples[i], 1, fetch->checks.sums[i], NULL);
    return fetch->checks.found[i] = status < 0 ? DAMAGED : SOUND;
}

/* A piece has been read: check the samples that it has all of. */
static void check_piece(ddf_job *job, size_t piece) {
    const ddf_fetch *fetch = (const ddf_fetch *)job;
    const check_list *checks = &fetch->checks;
    const uint8_t *end = job->base + job->pieces[piece].at + job->pieces[piece].length;
    for (size_t k = checks->first_in[piece]; k < checks->first_in[piece + 1]; k++) {
        size_t i = checks->in_file[k];
        if (fetch->samples[i].data + fetch->samples[i].size <= end) {
            (void)check_sample(fetch, i);
        }
    }
}

static int check_list_new(ddf_fetch *fetch, int wanted, size_t n_pieces) {
    check_list *checks = &fetch->checks;
    size_t count = fetch->request.count;
    if (!wanted) {
        return DDF_OK;
    }
    checks->sums = ddf_arena_alloc(fetch->arena, count * sizeof *checks->sums, 64, 0);
    checks->in_file = ddf_arena_alloc(fetch->arena, count * sizeof *checks->in_file, 64, 0);
    checks->first_in = ddf_arena_alloc(fetch->arena, (n_pieces + 1) * sizeof *checks->first_in, 64, 0);
    checks->found = ddf_arena_alloc(fetch->arena, count, 64, 0);
    return checks->sums && checks->in_file && checks->first_in && checks->found ? DDF_OK : -ENOMEM;
}

static void check_list_fill(ddf_fetch *fetch, const plan_scratch *d) {
    const check_list *checks = &fetch->checks;
    ddf_job *job = &fetch->job;
    size_t count = fetch->request.count, k = 0;
    memcpy(checks->sums, d->sums, count * sizeof *checks->sums);
    memset(checks->found, UNCHECKED, count);
    for (size_t i = 0; i < count; i++) {
        checks->in_file[i] = (uint32_t)number_in_file(d, i);
    }
    for (size_t piece = 0; piece < job->n_pieces; piece++) {
        uint64_t end = job->pieces[piece].at + job->pieces[piece].length;
        checks->first_in[piece] = (uint32_t)k;
        while (k < count && d->landing[checks->in_file[k]] < end) {
            k++;
        }
    }
    checks->first_in[job->n_pieces] = (uint32_t)k;
    job->piece_read = check_piece;
}

/* Whether reads cover most of the bytes between the first and the last of them. One sample predicts nothing. */
static int is_dense(const ddf_fetch *fetch, const plan_scratch *d, size_t n_reads) {
    if (fetch->request.count < 2) {
        return 0;
    }
    const ddf_read *last = &d->reads[n_reads - 1];
    return fetch->cost.bytes > (last->offset + last->length - d->reads[0].offset) / 2;
}

/* Everything that lives in the arena. The data comes first, so that its block is full of it. */
static int fill_arena(ddf_fetch *fetch, const plan_scratch *d, size_t n_reads, uint64_t total, int direct) {
    size_t count = fetch->request.count, n_batches = fetch->n_batches;
    ddf_job *job = &fetch->job;
    size_t n_ends = d->sums == NULL || direct ? 0 : count; /* direct reads are cut where blocks begin */
    uint64_t max_read = largest_read(fetch, direct);
    size_t n_pieces = ddf_plan_cut(d->reads, n_reads, max_read, d->ends, n_ends, NULL);
    size_t fixed = count * (sizeof(int64_t) + sizeof(ddf_slice) + CHECK_BYTES) + n_batches * sizeof(ddf_err) +
                   n_pieces * (sizeof(ddf_read) + 2 * sizeof(uint32_t) + sizeof(ddf_file *)) + 4 * DATA_ALIGN;
    size_t columns = fetch->request.tables ? count * COLUMNS_ROOM : 0;
    if (n_pieces > UINT32_MAX || count > UINT32_MAX || total > SIZE_MAX / 2) {
        return ddf_fail(&job->err, DDF_E_LIMIT, "the group of batches is too large", 0, 0);
    }
    int status = ddf_arena_new(fetch->request.pool, (size_t)total + fixed + columns, &fetch->arena);
    if (status < 0) {
        return ddf_fail(&job->err, status, "no memory for the batch", 0, 0);
    }
    atomic_store(&fetch->held, ddf_arena_size(fetch->arena));
    job->arena = fetch->arena;
    job->base = ddf_arena_alloc(fetch->arena, (size_t)total, DATA_ALIGN, 0);
    fetch->indices = ddf_arena_alloc(fetch->arena, count * sizeof *fetch->indices, 64, 0);
    fetch->samples = ddf_arena_alloc(fetch->arena, count * sizeof *fetch->samples, 64, 0);
    fetch->tables = ddf_arena_alloc(fetch->arena, n_batches * sizeof *fetch->tables, 64, 0);
    fetch->errors = ddf_arena_alloc(fetch->arena, n_batches * sizeof *fetch->errors, 64, 0);
    job->pieces = ddf_arena_alloc(fetch->arena, n_pieces * sizeof *job->pieces, 64, 0);
    job->missed = ddf_arena_alloc(fetch->arena, n_pieces * sizeof *job->missed, 64, 0);
    job->held = ddf_arena_alloc(fetch->arena, n_pieces * sizeof *job->held, 64, 0);
    if (!job->base || !fetch->indices || !fetch->samples || !fetch->tables || !fetch->errors || !job->pieces ||
        !job->missed || !job->held || check_list_new(fetch, d->sums != NULL, n_pieces) < 0 || move_names(fetch) < 0) {
        fetch->indices = NULL; /* never filled */
        return ddf_fail(&job->err, -ENOMEM, "no memory for the batch", 0, 0);
    }
    memcpy(fetch->indices, d->indices, count * sizeof *fetch->indices);
    memcpy(fetch->errors, d->errors, n_batches * sizeof *fetch->errors);
    memset(fetch->tables, 0, n_batches * sizeof *fetch->tables);
    for (size_t i = 0; i < count; i++) {
        fetch->samples[i] = (ddf_slice){job->base + d->landing[i], d->spans[i].stop - d->spans[i].start};
    }
    fetch->region = (ddf_slice){job->base, total};
    job->n_pieces = ddf_plan_cut(d->reads, n_reads, max_read, d->ends, n_ends, job->pieces);
    if (d->sums != NULL) {
        check_list_fill(fetch, d);
    }
    fetch->cost = (ddf_fetch_cost){.reads = job->n_pieces, .merged = count - n_reads};
    for (size_t i = 0; i < n_reads; i++) {
        fetch->cost.bytes += d->reads[i].length;
    }
    if (!direct && ddf_shards_read_ahead(fetch->request.shards) && is_dense(fetch, d, n_reads)) {
        job->access = DDF_DENSE;
    }
    return DDF_OK;
}

/* Refuse batches with samples that begin within other ones, which none does in a sound data file. Samples that are
 * wanted twice are no reason. Returns 1 if a batch was refused, and so has empty spans now. */
static int refuse_overlaps(const ddf_fetch *fetch, plan_scratch *d) {
    size_t last = SIZE_MAX;
    int is_refused = 0;
    for (size_t k = 0; k < fetch->request.count; k++) {
        size_t i = number_in_file(d, k), b = i / fetch->request.batch_size, start = batch_start(fetch, b);
        ddf_span span = d->spans[i];
        if (span.start == span.stop) {
            continue;
        }
        if (last != SIZE_MAX && span.start < d->spans[last].stop && d->indices[i] != d->indices[last]) {
            is_refused = 1;
            d->errors[b].code =
                ddf_fail(&d->errors[b], DDF_E_SPAN, "the sample begins within another sample", i - start, 0);
            memset(d->spans + start, 0, batch_len(fetch, b) * sizeof *d->spans);
        }
        last = d->spans[i].stop > 0 ? i : last;
    }
    return is_refused;
}

/* Plan the reads of all batches; each round leaves out the batches that were refused in the one before. */
static int64_t plan_batches(const ddf_fetch *fetch, uint64_t align, plan_scratch *d, uint64_t *total, ddf_err *err) {
    const ddf_fetch_request *r = &fetch->request;
    uint64_t most = ddf_shards_max_gap(r->shards), gap = r->max_gap < most ? r->max_gap : most;
    int64_t n_reads;
    int overlaps = 0;
    do {
        n_reads = ddf_plan_reads(d->spans, r->count, gap, align, d->reads, d->landing, total, d->scratch, &d->sorted,
                                 &overlaps, err);
    } while (n_reads >= 0 && DDF_UNLIKELY(overlaps) && refuse_overlaps(fetch, d));
    if (n_reads >= 0 && r->max_bytes != 0 && *total > r->max_bytes) {
        return ddf_fail(err, DDF_E_LIMIT, "the batch is larger than the memory for it", 0, 0);
    }
    return n_reads;
}

static int prepare(ddf_job *job, ddf_engine *engine) {
    ddf_fetch *fetch = (ddf_fetch *)job;
    const ddf_fetch_request *r = &fetch->request;
    plan_scratch d;
    int status = scratch_new(r->count, fetch->n_batches, ddf_shards_have_sums(r->shards), &d);
    if (status < 0) {
        return ddf_fail(&job->err, status, "no memory to plan the batch", 0, 0);
    }
    status = ddf_shards_check(r->shards, &job->err);
    list_indices(fetch, &d);
    if (ddf_shards_own_tables(r->shards) && ddf_shards_may_wait(r->shards)) {
        ddf_engine_detach(engine, job, 1);
    }
    for (size_t b = 0; status >= 0 && b < fetch->n_batches; b++) {
        locate_batch(fetch, b, &d);
    }
    if (status >= 0) {
        uint64_t total = 0;
        int direct = ddf_engine_is_direct(engine); /* whole blocks land on whole pages */
        int64_t n_reads =
            plan_batches(fetch, direct ? DDF_DIRECT_BLOCK : DDF_LANDING_ALIGN, &d, &total, &job->err);
        list_ends(&d, n_reads < 0 ? 0 : r->count);
        status = n_reads < 0 ? (int)n_reads : fill_arena(fetch, &d, (size_t)n_reads, total, direct);
    }
    scratch_free(&d);
    return status;
}

/* Check the samples of a batch that were not checked yet; fail if one of all is damaged. */
static int verify_batch(const ddf_fetch *fetch, size_t b, ddf_err *err) {
    size_t start = batch_start(fetch, b), n = fetch->checks.sums == NULL ? 0 : batch_len(fetch, b);
    for (size_t i = 0; i < n; i++) {
        int found = fetch->checks.found[start + i];
        if ((found == UNCHECKED ? check_sample(fetch, start + i) : found) == DAMAGED) {
            return ddf_fail(err, DDF_E_CHECKSUM, "the bytes do not match the checksum", i, 0);
        }
    }
    return DDF_OK;
}

static int build_table(ddf_fetch *fetch, size_t b, ddf_err *err) {
    const ddf_fetch_request *r = &fetch->request;
    const ddf_slice *samples = fetch->samples + batch_start(fetch, b);
    size_t n = batch_len(fetch, b);
    return r->tables ? ddf_columns_build(fetch->arena, fetch->region, samples, n, fetch->names, r->names_n,
                                       &fetch->tables[b], err)
                     : ddf_table_raw(fetch->arena, fetch->region, samples, n, &fetch->tables[b]);
}

static void build_tables(ddf_fetch *fetch) {
    for (size_t b = 0; fetch->job.status >= 0 && b < fetch->n_batches; b++) {
        ddf_err *err = &fetch->errors[b];
        if (err->code < 0) {
            continue;
        }
        int status = verify_batch(fetch, b, err);
        status = status < 0 ? status : build_table(fetch, b, err);
        if (status < 0) {
            fetch->tables[b] = NULL;
            err->code = status;
        }
    }
}

static void finish(ddf_job *job) {
    ddf_fetch *fetch = (ddf_fetch *)job;
    build_tables(fetch);
    if (fetch->arena != NULL) {
        atomic_store(&fetch->held, ddf_arena_size(fetch->arena));
    }
}

static void unref(ddf_fetch *fetch) {
    if (atomic_fetch_sub(&fetch->references, 1) != 1) {
        return;
    }
    ddf_arena_release(fetch->arena);
    ddf_shards_release(fetch->request.shards);
    ddf_pool_release(fetch->request.pool);
    free(fetch->wanted);
    free(fetch->names);
    free(fetch);
}

static void drop(ddf_job *job) { unref((ddf_fetch *)job); }

static int copy_names(const ddf_fetch_request *request, ddf_fetch *fetch) {
    size_t bytes = 0;
    for (size_t i = 0; i < request->names_n; i++) {
        bytes += (size_t)request->names[i].size;
    }
    size_t head = request->names_n * sizeof(ddf_slice);
    fetch->names = malloc(head + bytes + 1);
    if (fetch->names == NULL) {
        return -ENOMEM;
    }
    uint8_t *at = (uint8_t *)fetch->names + head;
    for (size_t i = 0; i < request->names_n; i++) {
        size_t size = (size_t)request->names[i].size;
        memcpy(at, request->names[i].data, size);
        fetch->names[i] = (ddf_slice){at, size};
        at += size;
    }
    return DDF_OK;
}

int ddf_fetch_new(const ddf_fetch_request *request, ddf_fetch **out) {
    ddf_fetch *fetch = calloc(1, sizeof *fetch);
    if (fetch == NULL) {
        return -ENOMEM;
    }
    atomic_init(&fetch->references, 1);
    atomic_init(&fetch->held, 0);
    fetch->request = *request;
    fetch->n_batches = request->count == 0 ? 0 : (request->count - 1) / request->batch_size + 1;
    fetch->job.shards = request->shards;
    fetch->job.prepare = prepare;
    fetch->job.finish = finish;
    fetch->job.drop = drop;
    ddf_shards_retain(request->shards);
    ddf_pool_retain(request->pool);
    int status = DDF_OK;
    if (request->indices != NULL) {
        fetch->wanted = malloc(request->count * sizeof *fetch->wanted + 1);
        status = fetch->wanted == NULL ? -ENOMEM : DDF_OK;
    }
    if (status >= 0 && request->indices != NULL) {
        memcpy(fetch->wanted, request->indices, request->count * sizeof *fetch->wanted);
    }
    if (status >= 0 && request->names != NULL) {
        status = copy_names(request, fetch);
    }
    if (status < 0) {
        unref(fetch);
        return status;
    }
    *out = fetch;
    return DDF_OK;
}

ddf_job *ddf_fetch_job(ddf_fetch *fetch) { return &fetch->job; }

void ddf_fetch_submit(ddf_fetch *fetch, ddf_engine *engine) {
    atomic_fetch_add(&fetch->references, 1);
    fetch->handed_over = 1;
    ddf_engine_submit(engine, &fetch->job);
}

int ddf_fetch_run(ddf_fetch *fetch, ddf_engine *engine, int timeout_ms) {
    if (ddf_shards_may_wait(fetch->request.shards)) {
        ddf_fetch_submit(fetch, engine);
        return ddf_engine_wait(engine, &fetch->job, timeout_ms);
    }
    atomic_fetch_add(&fetch->references, 1);
    fetch->handed_over = 1;
    return ddf_engine_run(engine, &fetch->job, timeout_ms);
}

void ddf_fetch_release(ddf_fetch *fetch, ddf_engine *engine) {
    if (fetch == NULL) {
        return;
    }
    if (fetch->handed_over && !ddf_job_is_done(&fetch->job)) {
        ddf_engine_cancel(engine, &fetch->job);
    }
    unref(fetch);
}

uint64_t ddf_fetch_held(const ddf_fetch *fetch) { return atomic_load(&fetch->held); }

ddf_fetch_cost ddf_fetch_get_cost(const ddf_fetch *fetch) { return fetch->cost; }

size_t ddf_fetch_batches(const ddf_fetch *fetch) { return fetch->n_batches; }

ddf_table *ddf_fetch_table(const ddf_fetch *fetch, size_t b, const ddf_err **err) {
    *err = &fetch->errors[b];
    return fetch->tables[b];
}

ddf_span ddf_fetch_span(const ddf_fetch *fetch, size_t sample) {
    const ddf_job *job = &fetch->job;
    const ddf_slice *slice = &fetch->samples[sample];
    uint64_t at = (uint64_t)(slice->data - job->base);
    for (size_t i = 0; i < job->n_pieces; i++) {
        if (at >= job->pieces[i].at && at - job->pieces[i].at < job->pieces[i].length) {
            uint64_t start = job->pieces[i].offset + (at - job->pieces[i].at);
            return (ddf_span){start, start + slice->size};
        }
    }
    return (ddf_span){0, 0}; /* an empty sample */
}

int64_t *ddf_fetch_indices(const ddf_fetch *fetch) { return fetch->indices; }

ddf_arena *ddf_fetch_arena(const ddf_fetch *fetch) { return fetch->arena; }
