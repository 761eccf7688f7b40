#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "ddf_engine.h"
#include "faults.h"

#define PIECE ((uint64_t)20 << 10) /* too long to be copied out of a mapping */
#define FILE_PIECES ((size_t)256)
#define FILE_SIZE (PIECE * FILE_PIECES)
#define TIMEOUT_MS 20000 /* ms: a test that waits that long has failed */

static char path[32];
static ddf_io io = DDF_IO_AUTO; /* of all engines */

/* A job of equal pieces with two references: the engine's and the test's. */
typedef struct task {
    ddf_job job;
    atomic_int references, finished, dropped;
    atomic_int prepare_waits, finish_waits, preparing, finishing;
    int prepare_status, detaches;
    ddf_access access;
    ddf_file *opened;
    size_t first, count;
} task;

static atomic_int alive;

static void task_release(task *t) {
    if (atomic_fetch_sub(&t->references, 1) != 1) {
        return;
    }
    ddf_file_release(t->opened);
    ddf_shards_release(t->job.shards);
    free(t->job.pieces);
    free(t->job.missed);
    free(t->job.held);
    free(t->job.base);
    free(t);
    atomic_fetch_sub(&alive, 1);
}

static void hold(atomic_int *here, const atomic_int *while_set) {
    atomic_store(here, 1);
    while (atomic_load(while_set)) {
        usleep(200);
    }
}

/* Callers that wait may do this task. */
static void task_may_be_helped(task *t) {
    const ddf_shard_table none = {NULL, NULL};
    assert(ddf_shards_of(t->opened, none, 0, none, &t->job.shards) == 0);
}

static int task_prepare(ddf_job *job, ddf_engine *engine) {
    task *t = (task *)job;
    if (t->detaches) {
        ddf_engine_detach(engine, job, 1);
    }
    hold(&t->preparing, &t->prepare_waits);
    if (t->prepare_status < 0) {
        return ddf_fail(&job->err, t->prepare_status, "told to", 3, 4);
    }
    if (job->shards == NULL) {
        task_may_be_helped(t);
    }
    job->held = malloc(t->count * sizeof(ddf_file *) + 1);
    job->pieces = malloc(t->count * sizeof *job->pieces + 1);
    job->missed = malloc(t->count * sizeof *job->missed + 1);
    job->base = calloc(t->count + 1, PIECE);
    assert(job->pieces != NULL && job->missed != NULL && job->base != NULL);
    for (size_t i = 0; i < t->count; i++) {
        job->pieces[i] = (ddf_read){(t->first + i) * PIECE, PIECE, i * PIECE};
    }
    job->n_pieces = t->count;
    job->access = t->access;
    return 0;
}

static void task_finish(ddf_job *job) {
    task *t = (task *)job;
    hold(&t->finishing, &t->finish_waits);
    atomic_fetch_add(&t->finished, 1);
}

static void task_drop(ddf_job *job) {
    task *t = (task *)job;
    assert(atomic_fetch_add(&t->dropped, 1) == 0 && atomic_load(&t->finished) == 1);
    task_release(t);
}

static task *task_new(ddf_file *file, size_t first, size_t count) {
    task *t = calloc(1, sizeof *t);
    assert(t != NULL);
    ddf_file_retain(file);
    t->job.prepare = task_prepare, t->job.finish = task_finish, t->job.drop = task_drop;
    t->opened = file, t->first = first, t->count = count;
    atomic_init(&t->references, 2);
    atomic_fetch_add(&alive, 1);
    return t;
}

static ddf_engine *engine_of(size_t queue_depth, size_t ready_threads) {
    ddf_engine *engine;
    assert(ddf_engine_new(queue_depth, ready_threads, io, &engine) == 0);
    return engine;
}

static ddf_file *file_of(void) {
    ddf_file *file;
    assert(ddf_file_open(path, &file) == 0);
    return file;
}

static int eventually(const atomic_int *value, int wanted) {
    for (int i = 0; i < TIMEOUT_MS && atomic_load(value) != wanted; i++) {
        usleep(1000);
    }
    return atomic_load(value) == wanted;
}

static void expect_bytes(task *t) {
    assert(t->job.status == 0 && is_as_written(t->job.base, t->first * PIECE, t->count * PIECE));
}

/* Everything handed to the engine has come back. */
static void expect_end(ddf_engine *engine, ddf_file *file) {
    assert(ddf_engine_stop(engine, TIMEOUT_MS) == 0 && ddf_engine_threads(engine) == 0);
    ddf_engine_release(engine);
    ddf_file_release(file);
    assert(eventually(&alive, 0));
    faults_reset();
}

static void read_all(size_t depth, size_t ready, int inline_too) {
    ddf_engine *engine = engine_of(depth, ready);
    ddf_file *file = file_of();
    task *jobs[8];
    for (size_t i = 0; i < 8; i++) {
        jobs[i] = task_new(file, i * 7, i == 5 ? 0 : 100 + i);
        jobs[i]->access = i % 3 == 0 ? DDF_DENSE : DDF_SCATTERED;
        if (inline_too && i % 2 == 1) {
            (void)ddf_engine_run(engine, &jobs[i]->job, 0);
        } else {
            ddf_engine_submit(engine, &jobs[i]->job);
        }
    }
    for (size_t i = 0; i < 8; i++) {
        assert(ddf_engine_wait(engine, &jobs[i]->job, TIMEOUT_MS) == 0);
        expect_bytes(jobs[i]);
        task_release(jobs[i]);
    }
    expect_end(engine, file);
}

static void every_kind_of_storage_is_read(void) {
    for (int kind = 0; kind < 12; kind++) {
        for (int flawed = 0; flawed < 2; flawed++) {
            faults.cache = kind % 3;
            faults.mounted = kind / 3 % 2;
            faults.short_reads = flawed ? 7001 : 0;
            faults.interruptions = flawed ? 100 : 0;
            read_all((size_t)1 << (2 * (kind % 4)), (size_t)flawed * 2, kind / 6);
        }
    }
}

static void slow_reads_fill_the_queue(int cache, int mounted) {
    faults.mounted = mounted;
    ddf_engine *engine = engine_of(24, 2);
    ddf_file *file = file_of();
    faults.cache = cache;
    faults.delay_us = 20000;
    task *t = task_new(file, 0, 200);
    ddf_engine_submit(engine, &t->job);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0);
    expect_bytes(t);
    assert(t->job.waited == 200 * PIECE && faults.in_flight_max == 24 && ddf_engine_progress(engine) == 200);
    task_release(t);
    expect_end(engine, file);
}

static void what_lies_behind_a_dense_miss_is_waited_for_untried(void) {
    for (ddf_access access = DDF_SCATTERED; access <= DDF_DENSE; access++) {
        ddf_engine *engine = engine_of(4, 1);
        ddf_file *file = file_of();
        faults.cache = CACHE_MISSES;
        task *t = task_new(file, 0, 4 * DDF_SHARE_PIECES);
        t->access = access;
        ddf_engine_submit(engine, &t->job);
        assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0);
        expect_bytes(t);
        assert(access == DDF_DENSE ? faults.missed <= DDF_SHARE_PIECES : faults.missed == 4 * DDF_SHARE_PIECES);
        task_release(t);
        expect_end(engine, file);
    }
}

static void a_caller_that_waits_goes_first(void) {
    ddf_engine *engine = engine_of(2, 2);
    ddf_file *file = file_of();
    faults.cache = CACHE_MISSES;
    faults.delay_us = 10000;
    task *ahead = task_new(file, 0, 200), *now = task_new(file, 50, 10);
    ahead->access = now->access = DDF_DENSE;
    ddf_engine_submit(engine, &ahead->job);
    assert(eventually(&faults.in_flight_max, 2));
    assert(ddf_engine_run(engine, &now->job, TIMEOUT_MS) == 0 && !ddf_job_is_done(&ahead->job));
    expect_bytes(now);
    assert(ddf_engine_wait(engine, &ahead->job, TIMEOUT_MS) == 0);
    expect_bytes(ahead);
    task_release(ahead);
    task_release(now);
    expect_end(engine, file);
}

static void copies_stay_within_ready_threads(void) {
    ddf_engine *engine = engine_of(16, 3);
    ddf_file *file = file_of();
    faults.copy_delay_us = 300;
    task *jobs[6];
    for (size_t i = 0; i < 6; i++) {
        jobs[i] = task_new(file, 0, 256);
        ddf_engine_submit(engine, &jobs[i]->job);
    }
    for (size_t i = 0; i < 6; i++) {
        assert(ddf_engine_wait(engine, &jobs[i]->job, TIMEOUT_MS) == 0);
        task_release(jobs[i]);
    }
    assert(faults.copies_max <= 3 && faults.copies_max > 1);
    expect_end(engine, file);
}

static void a_failing_read_fails_its_job_and_tells_where(void) {
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    faults.cache = CACHE_MISSES;
    faults.error = EIO;
    faults.error_at = 30;
    task *bad = task_new(file, 0, 100), *good = task_new(file, 50, 100);
    ddf_engine_submit(engine, &bad->job);
    assert(ddf_engine_wait(engine, &bad->job, TIMEOUT_MS) == 0);
    assert(bad->job.status == -EIO && bad->job.err.code == -EIO && faults.reads < 100);
    assert(bad->job.err.pos < 100 * PIECE && bad->job.err.pos % PIECE == 0);
    faults.error = 0;
    ddf_engine_submit(engine, &good->job);
    assert(ddf_engine_wait(engine, &good->job, TIMEOUT_MS) == 0);
    expect_bytes(good);
    task_release(bad), task_release(good);
    expect_end(engine, file);
}

/* Of a depth that is left to the engine. */
static size_t most_in_flight(int mounted) {
    faults.mounted = mounted;
    ddf_engine *engine = engine_of(0, 2);
    ddf_file *file = file_of();
    faults.cache = CACHE_UNKNOWN;
    faults.delay_us = 20000;
    task *t = task_new(file, 0, FILE_PIECES), *more = task_new(file, 0, FILE_PIECES);
    ddf_engine_submit(engine, &t->job);
    ddf_engine_submit(engine, &more->job);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0 && ddf_engine_wait(engine, &more->job, TIMEOUT_MS) == 0);
    expect_bytes(t);
    size_t most = (size_t)atomic_load(&faults.in_flight_max);
    task_release(t), task_release(more);
    expect_end(engine, file);
    return most;
}

static void more_small_reads_are_in_flight_on_network_mounts(void) {
    assert(most_in_flight(0) == 32);
    assert(most_in_flight(1) == 64);
}

static void storage_that_recovers_is_not_told_of(void) {
    faults.mounted = 1;
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    faults.cache = CACHE_UNKNOWN;
    faults.error = ESTALE;
    faults.error_at = 20;
    faults.error_until = 30;
    task *t = task_new(file, 0, 100);
    ddf_engine_submit(engine, &t->job);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0);
    expect_bytes(t);
    assert(faults.reads == 110);
    task_release(t);
    expect_end(engine, file);
}

/* Each would take 1.5 s otherwise. */
static void once_storage_is_gone_all_reads_fail_at_once(void) {
    faults.mounted = 1;
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    faults.cache = CACHE_UNKNOWN;
    faults.error = ENOTCONN;
    for (int i = 0; i < 100; i++) {
        task *t = task_new(file, 0, 8);
        ddf_engine_submit(engine, &t->job);
        assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0 && t->job.status == -ENOTCONN);
        task_release(t);
    }
    assert(faults.reads < 4 * 6 + 100 * 8);
    faults.error = 0; /* and it is back */
    task *t = task_new(file, 0, 100);
    ddf_engine_submit(engine, &t->job);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0);
    expect_bytes(t);
    task_release(t);
    expect_end(engine, file);
}

static void a_stop_ends_reads_that_are_tried_again(void) {
    faults.mounted = 1;
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    faults.cache = CACHE_UNKNOWN;
    faults.error = EIO;
    task *t = task_new(file, 0, 100);
    ddf_engine_submit(engine, &t->job);
    assert(ddf_engine_wait(engine, &t->job, 100) == -EAGAIN && ddf_engine_stop(engine, TIMEOUT_MS) == 0);
    assert(faults.reads < 4 * 6 && t->job.status < 0);
    task_release(t);
    expect_end(engine, file);
}

static void a_failing_preparation_fails_its_job(void) {
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    task *t = task_new(file, 0, 10);
    t->prepare_status = DDF_E_SPAN;
    ddf_engine_submit(engine, &t->job);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0);
    assert(t->job.status == DDF_E_SPAN && t->job.err.item == 3 && t->job.err.pos == 4);
    task_release(t);
    expect_end(engine, file);
}

static void a_stuck_preparation_that_is_detached_does_not_hold_up_cancelling(void) {
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    task *t = task_new(file, 0, 10);
    t->prepare_waits = t->detaches = 1;
    ddf_engine_submit(engine, &t->job);
    assert(eventually(&t->preparing, 1));
    ddf_engine_cancel(engine, &t->job);
    ddf_engine_cancel(engine, &t->job);
    assert(!ddf_job_is_done(&t->job));
    atomic_store(&t->prepare_waits, 0);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0 && t->job.status == DDF_E_CANCELLED);
    task_release(t);
    expect_end(engine, file);
}

static void stuck_preparations_that_is_detached_do_not_hold_up_other_jobs(void) {
    ddf_engine *engine = engine_of(4, 1);
    ddf_file *file = file_of();
    task *stuck[3];
    for (size_t i = 0; i < 3; i++) {
        stuck[i] = task_new(file, 0, 10);
        stuck[i]->prepare_waits = stuck[i]->detaches = 1;
        ddf_engine_submit(engine, &stuck[i]->job);
        assert(eventually(&stuck[i]->preparing, 1));
    }
    task *other = task_new(file, 0, 10), *run = task_new(file, 0, 10);
    run->detaches = 1;
    ddf_engine_submit(engine, &other->job);
    assert(ddf_engine_wait(engine, &other->job, TIMEOUT_MS) == 0 && other->job.status == 0);
    assert(ddf_engine_run(engine, &run->job, TIMEOUT_MS) == 0 && run->job.status == 0);
    for (size_t i = 0; i < 3; i++) {
        atomic_store(&stuck[i]->prepare_waits, 0);
        assert(ddf_engine_wait(engine, &stuck[i]->job, TIMEOUT_MS) == 0 && stuck[i]->job.status == 0);
        task_release(stuck[i]);
    }
    task_release(other);
    task_release(run);
    expect_end(engine, file);
}

static void a_file_cut_after_planning_is_told(int cache) {
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    task *t = task_new(file, 0, FILE_PIECES);
    faults.cache = cache;
    t->prepare_waits = 1;
    ddf_engine_submit(engine, &t->job);
    assert(eventually(&t->preparing, 1) && truncate(path, (off_t)(10 * PIECE + 5)) == 0);
    atomic_store(&t->prepare_waits, 0);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0);
    assert(t->job.status == DDF_E_CHANGED || t->job.status == DDF_E_EOF);
    assert(cache == CACHE_UNKNOWN || t->job.err.pos == 10 * PIECE + 5);
    task_release(t);
    expect_end(engine, file);
    unlink(path);
    sample_file(path, FILE_SIZE);
}

static void a_stuck_read_does_not_hold_up_stopping(void) {
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    faults.cache = CACHE_MISSES;
    faults.stuck = 1;
    faults.stuck_at = 5;
    task *stuck = task_new(file, 0, 100), *queued = task_new(file, 0, 100);
    ddf_engine_submit(engine, &stuck->job);
    assert(eventually(&faults.in_flight, 4) && ddf_engine_wait(engine, &stuck->job, 30) == -EAGAIN);
    ddf_engine_submit(engine, &queued->job); /* all threads are stuck in the first one by now */
    assert(ddf_engine_stop(engine, 30) == -EAGAIN);
    assert(ddf_engine_wait(engine, &queued->job, TIMEOUT_MS) == 0 && queued->job.status == DDF_E_CANCELLED);
    assert(!ddf_job_is_done(&stuck->job));
    task_release(stuck), task_release(queued);
    ddf_engine_release(engine);
    ddf_file_release(file);
    assert(atomic_load(&alive) == 1); /* a read still writes into the memory */
    atomic_store(&faults.stuck, 0);
    assert(eventually(&alive, 0));
    usleep(20000); /* the last thread frees the engine */
    faults_reset();
}

static void one_stuck_read_does_not_hold_up_other_jobs(void) {
    ddf_engine *engine = engine_of(4, 1);
    ddf_file *file = file_of();
    faults.cache = CACHE_MISSES;
    faults.stuck = 1;
    task *stuck = task_new(file, 0, 1), *other = task_new(file, 0, 0);
    stuck->prepare_waits = 1;
    ddf_engine_submit(engine, &stuck->job);
    assert(eventually(&stuck->preparing, 1));
    ddf_engine_submit(engine, &other->job); /* left to the thread that prepares */
    atomic_store(&stuck->prepare_waits, 0);
    assert(ddf_engine_wait(engine, &other->job, TIMEOUT_MS) == 0 && !ddf_job_is_done(&stuck->job));
    atomic_store(&faults.stuck, 0);
    assert(ddf_engine_wait(engine, &stuck->job, TIMEOUT_MS) == 0);
    task_release(stuck), task_release(other);
    expect_end(engine, file);
}

static void cancelling_leaves_out_what_was_not_started(void) {
    ddf_engine *engine = engine_of(2, 1);
    ddf_file *file = file_of();
    faults.cache = CACHE_MISSES;
    faults.stuck = 1;
    task *t = task_new(file, 0, 50), *queued = task_new(file, 0, 50);
    ddf_engine_submit(engine, &t->job);
    ddf_engine_submit(engine, &queued->job);
    assert(eventually(&faults.in_flight, 2));
    ddf_engine_cancel(engine, &queued->job);
    assert(ddf_job_is_done(&queued->job) && queued->job.status == DDF_E_CANCELLED && queued->dropped == 1);
    ddf_engine_cancel(engine, &t->job);
    ddf_engine_cancel(engine, &t->job); /* twice does no harm */
    assert(!ddf_job_is_done(&t->job));
    atomic_store(&faults.stuck, 0);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0 && t->job.status == DDF_E_CANCELLED);
    assert(faults.reads == 2);
    task_release(t), task_release(queued);
    expect_end(engine, file);
}

static void *cancel_thread(void *arg) {
    void **both = arg;
    ddf_engine_cancel(both[0], both[1]);
    return NULL;
}

static void cancelling_waits_for_the_preparation(void) {
    ddf_engine *engine = engine_of(2, 1);
    ddf_file *file = file_of();
    task *t = task_new(file, 0, 5);
    t->prepare_waits = 1;
    ddf_engine_submit(engine, &t->job);
    assert(eventually(&t->preparing, 1));
    pthread_t thread;
    assert(pthread_create(&thread, NULL, cancel_thread, (void *[]){engine, &t->job}) == 0);
    usleep(10000);
    assert(!ddf_job_is_done(&t->job));
    atomic_store(&t->prepare_waits, 0);
    pthread_join(thread, NULL);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0 && t->job.status == DDF_E_CANCELLED && faults.reads == 0);
    task_release(t);
    expect_end(engine, file);
}

static void cancelling_a_job_that_is_being_finished_lets_it(void) {
    ddf_engine *engine = engine_of(2, 1);
    ddf_file *file = file_of();
    task *t = task_new(file, 0, 5);
    t->finish_waits = 1;
    ddf_engine_submit(engine, &t->job);
    assert(eventually(&t->finishing, 1));
    ddf_engine_cancel(engine, &t->job); /* returns at once */
    assert(!ddf_job_is_done(&t->job));
    atomic_store(&t->finish_waits, 0);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0);
    expect_bytes(t);
    assert(t->finished == 1 && eventually(&t->dropped, 1));
    task_release(t);
    expect_end(engine, file);
}

static void without_threads_jobs_fail_or_are_run_by_the_caller(void) {
    for (int cache = CACHE_ASKED; cache <= CACHE_UNKNOWN; cache++) {
        ddf_engine *engine = engine_of(4, 2);
        ddf_file *file = file_of();
        faults.cache = cache;
        faults.threads_refused = 1;
        task *submitted = task_new(file, 0, 100), *run = task_new(file, 0, 100);
        ddf_engine_submit(engine, &submitted->job);
        assert(ddf_job_is_done(&submitted->job) && submitted->job.status == -EAGAIN);
        assert(ddf_engine_run(engine, &run->job, TIMEOUT_MS) == 0);
        expect_bytes(run);
        task_release(submitted), task_release(run);
        expect_end(engine, file);
    }
}

static void a_caller_that_waits_does_what_no_thread_has_begun(void) {
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    task *held = task_new(file, 0, 1), *waited_for = task_new(file, 0, 100);
    atomic_store(&held->prepare_waits, 1);
    ddf_engine_submit(engine, &held->job);
    assert(eventually(&held->preparing, 1));
    faults.threads_refused = 1;
    task_may_be_helped(waited_for);
    ddf_engine_submit(engine, &waited_for->job);
    assert(ddf_engine_wait(engine, &waited_for->job, TIMEOUT_MS) == 0);
    expect_bytes(waited_for);
    atomic_store(&held->prepare_waits, 0);
    assert(ddf_engine_wait(engine, &held->job, TIMEOUT_MS) == 0);
    task_release(waited_for), task_release(held);
    expect_end(engine, file);
}

static void *run_thread(void *arg) {
    void **both = arg;
    task *t = both[1];
    (void)ddf_engine_run(both[0], &t->job, TIMEOUT_MS);
    return NULL;
}

/* It does not come back for what others wait for. */
static void a_caller_that_reads_takes_no_place_of_a_thread(void) {
    ddf_engine *engine = engine_of(1, 1);
    ddf_file *file = file_of();
    faults.cache = CACHE_MISSES;
    faults.stuck = 1;
    task *run = task_new(file, 0, 1), *submitted = task_new(file, 0, 3);
    pthread_t thread;
    assert(pthread_create(&thread, NULL, run_thread, (void *[]){engine, run}) == 0);
    assert(eventually(&faults.in_flight, 1));
    ddf_engine_submit(engine, &submitted->job);
    assert(eventually(&faults.in_flight, 2));
    atomic_store(&faults.stuck, 0);
    assert(ddf_engine_wait(engine, &submitted->job, TIMEOUT_MS) == 0 && pthread_join(thread, NULL) == 0);
    expect_bytes(submitted), expect_bytes(run);
    task_release(submitted), task_release(run);
    expect_end(engine, file);
}

static void a_caller_at_work_does_not_count_as_a_thread(void) {
    ddf_engine *engine = engine_of(4, 1);
    ddf_file *file = file_of();
    faults.copy_delay_us = 5000;
    task *run = task_new(file, 0, 40), *submitted = task_new(file, 0, 2);
    pthread_t thread;
    assert(pthread_create(&thread, NULL, run_thread, (void *[]){engine, run}) == 0);
    assert(eventually(&faults.copies, 1));
    ddf_engine_submit(engine, &submitted->job);
    assert(ddf_engine_wait(engine, &submitted->job, TIMEOUT_MS) == 0);
    expect_bytes(submitted);
    pthread_join(thread, NULL);
    task_release(run), task_release(submitted);
    expect_end(engine, file);
}

static void a_stopped_engine_refuses_work(void) {
    ddf_engine *engine = engine_of(4, 1);
    ddf_file *file = file_of();
    assert(ddf_engine_stop(engine, 0) == 0);
    task *submitted = task_new(file, 0, 5), *run = task_new(file, 0, 5);
    ddf_engine_submit(engine, &submitted->job);
    assert(submitted->job.status == DDF_E_CANCELLED && ddf_job_is_done(&submitted->job));
    assert(ddf_engine_run(engine, &run->job, 0) == 0 && run->job.status == DDF_E_CANCELLED);
    task_release(submitted), task_release(run);
    expect_end(engine, file);
}

static void an_armed_completion_raises_the_descriptor_once(void) {
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    struct pollfd watched = {.fd = ddf_engine_fd(engine), .events = POLLIN};
    for (int i = 0; i < 300; i++) {
        task *t = task_new(file, 0, 1);
        if (i % 2 == 0) {
            ddf_engine_arm(engine);
        }
        ddf_engine_submit(engine, &t->job);
        if (i % 2 == 1) {
            ddf_engine_arm(engine);
        }
        while (!ddf_job_is_done(&t->job)) {
            assert(poll(&watched, 1, TIMEOUT_MS) == 1);
            ddf_engine_clear(engine);
            ddf_engine_arm(engine);
        }
        task_release(t);
    }
    expect_end(engine, file);
}

/* Several threads submit, run, cancel and drop jobs at random while reads fail now and then. */
static void *stress_thread(void *arg) {
    void **both = arg;
    ddf_engine *engine = both[0];
    ddf_file *file = both[1];
    unsigned seed = (unsigned)(uintptr_t)both[2];
    for (int i = 0; i < 250; i++) {
        task *jobs[4];
        int n = 1 + rand_r(&seed) % 4, inline_too = rand_r(&seed) % 3 == 0;
        for (int k = 0; k < n; k++) {
            size_t first = (size_t)rand_r(&seed) % 100, count = (size_t)rand_r(&seed) % 90;
            jobs[k] = task_new(file, first, count);
            jobs[k]->prepare_status = rand_r(&seed) % 30 == 0 ? DDF_E_SPAN : 0;
            if (rand_r(&seed) % 2 == 0) {
                task_may_be_helped(jobs[k]);
            }
            if (inline_too && k == 0) {
                (void)ddf_engine_run(engine, &jobs[k]->job, 0);
            } else {
                ddf_engine_submit(engine, &jobs[k]->job);
            }
        }
        for (int k = 0; k < n; k++) {
            if (rand_r(&seed) % 3 == 0) {
                usleep((useconds_t)(rand_r(&seed) % 300));
                ddf_engine_cancel(engine, &jobs[k]->job);
            } else {
                assert(ddf_engine_wait(engine, &jobs[k]->job, TIMEOUT_MS) == 0);
                assert(jobs[k]->job.status < 0 || jobs[k]->count == 0 ||
                       is_as_written(jobs[k]->job.base + (jobs[k]->count - 1) * PIECE,
                                     (jobs[k]->first + jobs[k]->count - 1) * PIECE, PIECE));
            }
            task_release(jobs[k]);
        }
    }
    return NULL;
}

static void nothing_is_lost_under_stress(int cache) {
    faults.mounted = cache == CACHE_UNKNOWN;
    ddf_engine *engine = engine_of(6, 2);
    ddf_file *file = file_of();
    faults.cache = cache;
    faults.error = ENXIO; /* not tried again */
    faults.error_at = 2000;
    pthread_t threads[4];
    void *args[4][3];
    for (size_t i = 0; i < 4; i++) {
        args[i][0] = engine, args[i][1] = file, args[i][2] = (void *)(uintptr_t)(i + 1);
        assert(pthread_create(&threads[i], NULL, stress_thread, args[i]) == 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    expect_end(engine, file);
}

static void stopping_amid_everything_ends_every_job(void) {
    for (int round = 0; round < 40; round++) {
        faults.cache = round % 3;
        faults.mounted = round % 2;
        ddf_engine *engine = engine_of(6, 2);
        ddf_file *file = file_of();
        task *jobs[6];
        for (size_t i = 0; i < 6; i++) {
            jobs[i] = task_new(file, i, 60);
            ddf_engine_submit(engine, &jobs[i]->job);
        }
        usleep((useconds_t)(round * 20));
        assert(ddf_engine_stop(engine, TIMEOUT_MS) == 0);
        for (size_t i = 0; i < 6; i++) {
            assert(ddf_job_is_done(&jobs[i]->job) && (jobs[i]->job.status == 0 || jobs[i]->job.status == DDF_E_CANCELLED));
            task_release(jobs[i]);
        }
        expect_end(engine, file);
    }
}

/* One that cannot be read from, as if the server had forgotten it. */
static void spoil_handle(ddf_file *file) {
    int other = open(path, O_WRONLY | O_CLOEXEC);
    assert(other >= 0 && dup3(other, ddf_file_planned_fd(file, DDF_SCATTERED), O_CLOEXEC) >= 0);
    close(other);
}

static void what_a_ring_cannot_read_is_read_by_threads(void) {
    faults.mounted = 1;
    ddf_engine *engine = engine_of(4, 2);
    ddf_file *file = file_of();
    faults.cache = CACHE_UNKNOWN;
    task *jobs[4];
    for (size_t i = 0; i < 4; i++) {
        jobs[i] = task_new(file, i, 100);
        ddf_engine_submit(engine, &jobs[i]->job);
        if (i == 1) {
            assert(ddf_engine_wait(engine, &jobs[0]->job, TIMEOUT_MS) == 0 && faults.reads == 0);
            spoil_handle(file);
        }
    }
    for (size_t i = 0; i < 4; i++) {
        assert(ddf_engine_wait(engine, &jobs[i]->job, TIMEOUT_MS) == 0);
        expect_bytes(jobs[i]);
        task_release(jobs[i]);
    }
    assert(faults.reads >= 200);
    expect_end(engine, file);
}

static void a_ring_tells_what_does_not_pass(void) {
    ddf_engine *engine = engine_of(4, 2); /* a local disk */
    ddf_file *file = file_of();
    faults.cache = CACHE_UNKNOWN;
    spoil_handle(file);
    task *t = task_new(file, 0, 100);
    ddf_engine_submit(engine, &t->job);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0 && t->job.status == -EBADF && faults.reads == 0);
    task_release(t);
    expect_end(engine, file);
}

/* What faults.h does to pread does not concern io_uring; all else does. */
static void all_that_holds_with_io_uring_too(void) {
    every_kind_of_storage_is_read();
    what_a_ring_cannot_read_is_read_by_threads();
    a_ring_tells_what_does_not_pass();
    copies_stay_within_ready_threads();
    a_failing_preparation_fails_its_job();
    a_file_cut_after_planning_is_told(CACHE_ASKED);
    a_file_cut_after_planning_is_told(CACHE_MISSES);
    a_file_cut_after_planning_is_told(CACHE_UNKNOWN);
    cancelling_waits_for_the_preparation();
    a_stuck_preparation_that_is_detached_does_not_hold_up_cancelling();
    stuck_preparations_that_is_detached_do_not_hold_up_other_jobs();
    cancelling_a_job_that_is_being_finished_lets_it();
    without_threads_jobs_fail_or_are_run_by_the_caller();
    a_caller_that_waits_does_what_no_thread_has_begun();
    a_stopped_engine_refuses_work();
    an_armed_completion_raises_the_descriptor_once();
    for (int cache = CACHE_ASKED; cache <= CACHE_UNKNOWN; cache++) {
        nothing_is_lost_under_stress(cache);
    }
    stopping_amid_everything_ends_every_job();
}

static int has_io_uring(void) {
    ddf_engine *engine;
    int status = ddf_engine_new(1, 1, DDF_IO_URING, &engine);
    if (status < 0) {
        printf("skipped with io_uring: there is none (%s)\n", strerror(-status));
        return 0;
    }
    ddf_engine_release(engine);
    return 1;
}

int main(void) {
    sample_file(path, FILE_SIZE);
    every_kind_of_storage_is_read();
    slow_reads_fill_the_queue(CACHE_MISSES, 0);
    slow_reads_fill_the_queue(CACHE_UNKNOWN, 0);
    slow_reads_fill_the_queue(CACHE_UNKNOWN, 1);
    what_lies_behind_a_dense_miss_is_waited_for_untried();
    a_caller_that_waits_goes_first();
    copies_stay_within_ready_threads();
    more_small_reads_are_in_flight_on_network_mounts();
    storage_that_recovers_is_not_told_of();
    once_storage_is_gone_all_reads_fail_at_once();
    a_stop_ends_reads_that_are_tried_again();
    a_failing_read_fails_its_job_and_tells_where();
    a_failing_preparation_fails_its_job();
    a_file_cut_after_planning_is_told(CACHE_ASKED);
    a_file_cut_after_planning_is_told(CACHE_MISSES);
    a_file_cut_after_planning_is_told(CACHE_UNKNOWN);
    a_stuck_read_does_not_hold_up_stopping();
    one_stuck_read_does_not_hold_up_other_jobs();
    cancelling_leaves_out_what_was_not_started();
    cancelling_waits_for_the_preparation();
    cancelling_a_job_that_is_being_finished_lets_it();
    without_threads_jobs_fail_or_are_run_by_the_caller();
    a_caller_that_waits_does_what_no_thread_has_begun();
    a_caller_at_work_does_not_count_as_a_thread();
    a_caller_that_reads_takes_no_place_of_a_thread();
    a_stopped_engine_refuses_work();
    an_armed_completion_raises_the_descriptor_once();
    for (int cache = CACHE_ASKED; cache <= CACHE_UNKNOWN; cache++) {
        nothing_is_lost_under_stress(cache);
    }
    stopping_amid_everything_ends_every_job();
    if (has_io_uring()) {
        io = DDF_IO_URING;
        all_that_holds_with_io_uring_too();
    }
    unlink(path);
    return 0;
}
