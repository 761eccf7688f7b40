#define _GNU_SOURCE
#include "ddf_engine.h"
#include "ddf_remote_queue.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "faults.h"

#define PIECE ((uint64_t)3000)
#define SHARD_PIECES ((size_t)64)
#define SHARD_SIZE (PIECE * SHARD_PIECES)
#define SHARDS ((size_t)3)
#define TIMEOUT_MS 20000 /* ms: a test that waits that long has failed */
#define MOST 512

/* A job of equal pieces with two references: the engine's and the test's. Shard s has byte_at(position + s). */
typedef struct task {
    ddf_job job;
    atomic_int references, finished;
    pthread_t finisher;
    size_t first, count;
} task;

static atomic_int alive;
static ddf_pool *pool;

static void task_release(task *t) {
    if (atomic_fetch_sub(&t->references, 1) != 1) {
        return;
    }
    ddf_shards_release(t->job.shards);
    ddf_arena_release(t->job.arena);
    free(t);
    atomic_fetch_sub(&alive, 1);
}

static ddf_shards *remote_shards(void) {
    static const uint8_t table[8] = {0};
    ddf_shard_spec specs[SHARDS];
    ddf_shards *shards;
    for (size_t i = 0; i < SHARDS; i++) {
        specs[i] = (ddf_shard_spec){.offsets = table, .stamp.size = SHARD_SIZE};
    }
    assert(ddf_shards_new(specs, SHARDS, 0, &shards) == 0);
    return shards;
}

static uint64_t address_of(const ddf_shards *shards, size_t n) {
    uint64_t apart = 2 * (ddf_shards_max_gap(shards) + 1);
    return n / SHARD_PIECES * apart + n % SHARD_PIECES * PIECE;
}

static int task_prepare(ddf_job *job, ddf_engine *engine) {
    task *t = (task *)job;
    (void)engine;
    job->shards = remote_shards();
    assert(ddf_arena_new(pool, t->count * PIECE, &job->arena) == 0);
    job->base = ddf_arena_alloc(job->arena, t->count * PIECE, 64, 0);
    job->pieces = ddf_arena_alloc(job->arena, t->count * sizeof *job->pieces, 64, 0);
    job->missed = ddf_arena_alloc(job->arena, t->count * sizeof *job->missed, 64, 0);
    assert(job->base != NULL && job->pieces != NULL && job->missed != NULL);
    for (size_t i = 0; i < t->count; i++) {
        job->pieces[i] = (ddf_read){address_of(job->shards, t->first + i), PIECE, i * PIECE};
    }
    job->n_pieces = t->count;
    return 0;
}

static void task_finish(ddf_job *job) {
    task *t = (task *)job;
    t->finisher = pthread_self();
    atomic_fetch_add(&t->finished, 1);
}

static void task_drop(ddf_job *job) { task_release((task *)job); }

static task *task_new(size_t first, size_t count) {
    task *t = calloc(1, sizeof *t);
    assert(t != NULL && first + count <= SHARDS * SHARD_PIECES);
    t->job.prepare = task_prepare, t->job.finish = task_finish, t->job.drop = task_drop;
    t->first = first, t->count = count;
    atomic_init(&t->references, 2);
    atomic_fetch_add(&alive, 1);
    return t;
}

static void expect_bytes(const task *t) {
    assert(t->job.status == 0);
    for (size_t i = 0; i < t->count; i++) {
        size_t n = t->first + i;
        assert(is_as_written(t->job.base + i * PIECE, n / SHARD_PIECES + n % SHARD_PIECES * PIECE, PIECE));
    }
}

static void fill(const ddf_remote_piece *piece) {
    for (uint64_t i = 0; i < piece->length; i++) {
        piece->data[i] = byte_at(piece->shard + piece->position + i);
    }
}

static void end(ddf_remote_queue *queue, const ddf_remote_piece *piece, int status, const char *reason) {
    ddf_remote_queue_complete(queue, piece, status, reason);
    ddf_arena_release(piece->arena);
}

static void engine_and_queue(ddf_engine **engine, ddf_remote_queue **queue) {
    assert(ddf_engine_new(8, 2, DDF_IO_AUTO, engine) == 0 && ddf_remote_queue_new(*engine, queue) == 0);
}

/* Take `n` pieces that are to come. */
static void await(ddf_remote_queue *queue, ddf_remote_piece *pieces, size_t n) {
    for (size_t got = 0, i = 0; got < n; i++) {
        assert(i < TIMEOUT_MS);
        got += ddf_remote_queue_acquire(queue, pieces + got, n - got);
        usleep(1000);
    }
}

static void expect_end(ddf_engine *engine, ddf_remote_queue *queue) {
    assert(ddf_engine_stop(engine, TIMEOUT_MS) == 0 && ddf_engine_threads(engine) == 0);
    ddf_remote_queue_release(queue);
    ddf_engine_release(engine);
    for (int i = 0; atomic_load(&alive) > 0; i++) {
        assert(i < TIMEOUT_MS);
        usleep(1000);
    }
    assert(ddf_pool_used(pool) == 0);
    faults_reset();
}

/* Outside readers, which serve until told to stop. */
typedef struct reader {
    pthread_t thread;
    ddf_remote_queue *queue;
    atomic_int *stop;
    unsigned seed;
    int fails; /* one in so many */
} reader;

static void shuffle(ddf_remote_piece *pieces, size_t n, unsigned *seed) {
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)rand_r(seed) % i;
        ddf_remote_piece piece = pieces[k];
        pieces[k] = pieces[i - 1];
        pieces[i - 1] = piece;
    }
}

static void *serve(void *arg) {
    reader *a = arg;
    ddf_remote_piece pieces[32];
    struct pollfd watched = {.fd = ddf_remote_queue_fd(a->queue), .events = POLLIN};
    while (!atomic_load(a->stop)) {
        ddf_remote_queue_arm(a->queue);
        size_t n = ddf_remote_queue_acquire(a->queue, pieces, 1 + (size_t)rand_r(&a->seed) % 32);
        if (n == 0) {
            (void)poll(&watched, 1, 20); /* readers share the descriptor */
            ddf_remote_queue_clear(a->queue);
        }
        shuffle(pieces, n, &a->seed);
        for (size_t i = 0; i < n; i++) {
            int is_late = ddf_remote_queue_is_cancelled(a->queue, &pieces[i]);
            int fails = a->fails != 0 && rand_r(&a->seed) % a->fails == 0;
            if (!is_late) {
                fill(&pieces[i]);
            }
            end(a->queue, &pieces[i], fails ? -EIO : 0, fails ? "told to" : NULL);
        }
    }
    return NULL;
}

static void start(reader *readers, size_t n, ddf_remote_queue *queue, atomic_int *stop, int fails) {
    for (size_t i = 0; i < n; i++) {
        readers[i] = (reader){.queue = queue, .stop = stop, .seed = (unsigned)i + 1, .fails = fails};
        assert(pthread_create(&readers[i].thread, NULL, serve, &readers[i]) == 0);
    }
}

static void join(reader *readers, size_t n, atomic_int *stop) {
    atomic_store(stop, 1);
    for (size_t i = 0; i < n; i++) {
        pthread_join(readers[i].thread, NULL);
    }
}

static void every_byte_lands_where_it_belongs(size_t n_readers) {
    ddf_engine *engine;
    ddf_remote_queue *queue;
    reader readers[3];
    atomic_int stop = 0;
    engine_and_queue(&engine, &queue);
    start(readers, n_readers, queue, &stop, 0);
    task *jobs[8];
    for (size_t i = 0; i < 8; i++) {
        jobs[i] = task_new(i * 5, i == 5 ? 0 : 100 + i);
        if (i % 2 == 1) {
            (void)ddf_engine_run(engine, &jobs[i]->job, 0);
        } else {
            ddf_engine_submit(engine, &jobs[i]->job);
        }
    }
    for (size_t i = 0; i < 8; i++) {
        assert(ddf_engine_wait(engine, &jobs[i]->job, TIMEOUT_MS) == 0);
        expect_bytes(jobs[i]);
        assert(jobs[i]->job.waited == jobs[i]->count * PIECE);
        task_release(jobs[i]);
    }
    assert(ddf_engine_progress(engine) == 7 * 100 + 23);
    join(readers, n_readers, &stop);
    expect_end(engine, queue);
}

static void pieces_come_in_the_order_they_were_asked_for(void) {
    ddf_engine *engine;
    ddf_remote_queue *queue;
    ddf_remote_piece pieces[MOST];
    engine_and_queue(&engine, &queue);
    task *jobs[3];
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = task_new(i * 60, 50);
        assert(ddf_engine_run(engine, &jobs[i]->job, 0) == -EAGAIN);
    }
    assert(ddf_remote_queue_acquire(queue, pieces, 0) == 0 && ddf_remote_queue_acquire(queue, pieces, 20) == 20);
    assert(ddf_remote_queue_acquire(queue, pieces + 20, MOST - 20) == 130 && ddf_remote_queue_acquire(queue, pieces, MOST) == 0);
    for (size_t i = 0; i < 150; i++) {
        size_t n = i / 50 * 60 + i % 50;
        assert(pieces[i].shard == n / SHARD_PIECES && pieces[i].position == n % SHARD_PIECES * PIECE);
        assert(pieces[i].length == PIECE && !ddf_remote_queue_is_cancelled(queue, &pieces[i]));
    }
    for (size_t i = 150; i-- > 0;) {
        fill(&pieces[i]);
        assert(!ddf_job_is_done(&jobs[0]->job));
        end(queue, &pieces[i], 0, NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        assert(ddf_engine_wait(engine, &jobs[i]->job, TIMEOUT_MS) == 0);
        expect_bytes(jobs[i]);
        task_release(jobs[i]);
    }
    expect_end(engine, queue);
}

static void a_worker_builds_what_is_made_of_the_last_piece(void) {
    for (int refused = 0; refused < 2; refused++) {
        ddf_engine *engine;
        ddf_remote_queue *queue;
        ddf_remote_piece piece;
        engine_and_queue(&engine, &queue);
        faults.threads_refused = refused;
        task *t = task_new(0, 1);
        assert(ddf_engine_run(engine, &t->job, 0) == -EAGAIN);
        await(queue, &piece, 1);
        fill(&piece);
        end(queue, &piece, 0, NULL);
        assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0);
        expect_bytes(t);
        assert(!pthread_equal(t->finisher, pthread_self()) == !refused); /* unless there is none */
        task_release(t);
        expect_end(engine, queue);
    }
}

static void a_failed_piece_fails_its_job_and_says_why(void) {
    ddf_engine *engine;
    ddf_remote_queue *queue;
    ddf_remote_piece pieces[MOST];
    engine_and_queue(&engine, &queue);
    task *bad = task_new(60, 10), *good = task_new(0, 10);
    ddf_engine_submit(engine, &bad->job);
    await(queue, pieces, 6);
    char why[] = "the server is gone";
    end(queue, &pieces[4], -EHOSTUNREACH, why);
    memset(why, 'x', sizeof why);
    end(queue, &pieces[1], -EIO, "a later one does not count");
    assert(ddf_remote_queue_is_cancelled(queue, &pieces[0]) && ddf_remote_queue_acquire(queue, pieces + 6, 4) == 0);
    ddf_engine_submit(engine, &good->job);
    await(queue, pieces + 6, 10);
    assert(!ddf_remote_queue_is_cancelled(queue, &pieces[6]) && !ddf_job_is_done(&bad->job));
    for (size_t i = 0; i < 16; i++) {
        if (i != 1 && i != 4) {
            fill(&pieces[i]);
            end(queue, &pieces[i], 0, NULL);
        }
    }
    assert(ddf_engine_wait(engine, &bad->job, TIMEOUT_MS) == 0 && ddf_engine_wait(engine, &good->job, TIMEOUT_MS) == 0);
    expect_bytes(good);
    assert(bad->job.status == -EHOSTUNREACH && strcmp(bad->job.err.msg, "the server is gone") == 0);
    assert(bad->job.err.item == 1 && bad->job.err.pos == 0);
    task_release(bad), task_release(good);
    expect_end(engine, queue);
}

static void a_cancelled_job_waits_for_what_is_out(void) {
    ddf_engine *engine;
    ddf_remote_queue *queue;
    ddf_remote_piece pieces[3];
    engine_and_queue(&engine, &queue);
    task *t = task_new(0, 10);
    ddf_engine_submit(engine, &t->job);
    await(queue, pieces, 3);
    struct pollfd watched = {.fd = ddf_remote_queue_fd(queue), .events = POLLIN};
    ddf_remote_queue_arm(queue);
    assert(poll(&watched, 1, 0) == 0);
    ddf_engine_cancel(engine, &t->job);
    assert(poll(&watched, 1, 0) == 1 && ddf_remote_queue_is_cancelled(queue, &pieces[0]) && !ddf_job_is_done(&t->job));
    task_release(t); /* its owner is gone */
    for (size_t i = 0; i < 3; i++) {
        assert(atomic_load(&alive) == 1);
        fill(&pieces[i]);
        end(queue, &pieces[i], i == 1 ? -EIO : 0, "nobody cares");
    }
    assert(atomic_load(&alive) == 0 && ddf_remote_queue_acquire(queue, pieces, 1) == 0);
    expect_end(engine, queue);
}

static void memory_stays_as_long_as_somebody_holds_a_piece(void) {
    ddf_engine *engine;
    ddf_remote_queue *queue;
    ddf_remote_piece piece;
    engine_and_queue(&engine, &queue);
    task *t = task_new(0, 1);
    ddf_engine_submit(engine, &t->job);
    await(queue, &piece, 1);
    ddf_remote_queue_complete(queue, &piece, 0, NULL);
    assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0);
    task_release(t);
    assert(ddf_engine_stop(engine, TIMEOUT_MS) == 0);
    fill(&piece);
    assert(ddf_pool_used(pool) > 0);
    ddf_arena_release(piece.arena);
    expect_end(engine, queue);
}

/* Stopped and released, each in any order, with pieces out: nobody waits for them, and nothing is freed before. */
static void an_engine_stops_with_pieces_out(int pieces_first, int job_first) {
    ddf_engine *engine;
    ddf_remote_queue *queue;
    ddf_remote_piece pieces[4];
    engine_and_queue(&engine, &queue);
    task *out = task_new(0, 4), *queued = task_new(4, 4);
    ddf_engine_submit(engine, &out->job);
    await(queue, pieces, 4);
    assert(ddf_engine_run(engine, &queued->job, 0) == -EAGAIN);
    struct pollfd watched = {.fd = ddf_remote_queue_fd(queue), .events = POLLIN};
    ddf_remote_queue_arm(queue);
    assert(ddf_engine_stop(engine, TIMEOUT_MS) == 0);
    assert(ddf_job_is_done(&queued->job) && queued->job.status == DDF_E_CANCELLED && !ddf_job_is_done(&out->job));
    assert(poll(&watched, 1, 0) == 1 && ddf_remote_queue_is_cancelled(queue, &pieces[3]));
    assert(ddf_engine_wait(engine, &out->job, 10) == -EAGAIN && ddf_remote_queue_acquire(queue, pieces, 1) == 0);
    if (job_first) {
        ddf_engine_cancel(engine, &out->job);
        task_release(out);
    }
    task_release(queued);
    if (pieces_first) {
        for (size_t i = 0; i < 4; i++) {
            fill(&pieces[i]);
            end(queue, &pieces[i], 0, NULL);
        }
        assert(job_first || out->job.status == DDF_E_CANCELLED);
        ddf_remote_queue_release(queue);
        ddf_engine_release(engine);
    } else {
        ddf_engine_release(engine);
        for (size_t i = 0; i < 4; i++) {
            fill(&pieces[i]);
            end(queue, &pieces[i], 0, NULL);
        }
        ddf_remote_queue_release(queue);
    }
    if (!job_first) {
        assert(ddf_job_is_done(&out->job) && out->job.status == DDF_E_CANCELLED);
        task_release(out);
    }
    assert(atomic_load(&alive) == 0 && ddf_pool_used(pool) == 0);
}

static void a_closed_queue_cancels_what_is_left(void) {
    ddf_engine *engine;
    ddf_remote_queue *queue, *other;
    ddf_remote_piece pieces[2], late;
    engine_and_queue(&engine, &queue);
    assert(ddf_remote_queue_new(engine, &other) == -EBUSY);
    task *half = task_new(0, 4), *whole = task_new(4, 2), *none = task_new(8, 4), *next = task_new(9, 1);
    ddf_engine_submit(engine, &half->job);
    await(queue, pieces, 2);
    assert(ddf_engine_run(engine, &none->job, 0) == -EAGAIN);
    ddf_remote_queue_close(queue);
    ddf_remote_queue_close(queue);
    assert(ddf_job_is_done(&none->job) && none->job.status == DDF_E_CANCELLED);
    assert(half->job.status == DDF_E_CANCELLED && !ddf_job_is_done(&half->job));
    assert(ddf_remote_queue_is_cancelled(queue, &pieces[1]) && ddf_remote_queue_acquire(queue, &late, 1) == 0);
    ddf_engine_submit(engine, &whole->job);
    assert(ddf_engine_wait(engine, &whole->job, TIMEOUT_MS) == 0 && whole->job.status == -ENOTSUP);
    ddf_remote_queue_release(queue);
    assert(ddf_remote_queue_new(engine, &other) == 0); /* while pieces of the first are out */
    assert(ddf_engine_run(engine, &next->job, 0) == -EAGAIN && ddf_remote_queue_acquire(other, &late, 1) == 1);
    end(other, &late, -EIO, NULL);
    for (size_t i = 0; i < 2; i++) {
        end(queue, &pieces[i], 0, NULL);
    }
    assert(ddf_job_is_done(&half->job) && ddf_job_is_done(&next->job) && next->job.err.msg == NULL);
    task_release(half), task_release(whole), task_release(none), task_release(next);
    expect_end(engine, other);
}

static void without_a_queue_remote_jobs_fail(void) {
    ddf_engine *engine;
    assert(ddf_engine_new(8, 2, DDF_IO_AUTO, &engine) == 0);
    task *submitted = task_new(0, 4), *run = task_new(0, 4);
    ddf_engine_submit(engine, &submitted->job);
    assert(ddf_engine_wait(engine, &submitted->job, TIMEOUT_MS) == 0 && submitted->job.status == -ENOTSUP);
    assert(ddf_engine_run(engine, &run->job, TIMEOUT_MS) == 0 && run->job.status == -ENOTSUP);
    task_release(submitted), task_release(run);
    expect_end(engine, NULL);
}

static void an_armed_queue_calls_once(void) {
    ddf_engine *engine;
    ddf_remote_queue *queue;
    ddf_remote_piece piece;
    engine_and_queue(&engine, &queue);
    struct pollfd watched = {.fd = ddf_remote_queue_fd(queue), .events = POLLIN};
    for (int i = 0; i < 200; i++) {
        task *t = task_new(0, 1);
        ddf_remote_queue_arm(queue);
        assert(poll(&watched, 1, 0) == 0);
        ddf_engine_submit(engine, &t->job);
        assert(poll(&watched, 1, TIMEOUT_MS) == 1);
        ddf_remote_queue_clear(queue);
        assert(poll(&watched, 1, 0) == 0 && ddf_remote_queue_acquire(queue, &piece, 1) == 1);
        end(queue, &piece, 0, NULL);
        assert(ddf_engine_wait(engine, &t->job, TIMEOUT_MS) == 0);
        task_release(t);
    }
    expect_end(engine, queue);
}

typedef struct client {
    pthread_t thread;
    ddf_engine *engine;
    unsigned seed;
} client;

/* Submit, run, cancel and drop jobs at random. */
static void *ask(void *arg) {
    client *c = arg;
    for (int i = 0; i < 300; i++) {
        task *jobs[4];
        int n = 1 + rand_r(&c->seed) % 4, is_run = rand_r(&c->seed) % 3 == 0;
        for (int k = 0; k < n; k++) {
            jobs[k] = task_new((size_t)rand_r(&c->seed) % 100, (size_t)rand_r(&c->seed) % 60);
            if (is_run && k == 0) {
                (void)ddf_engine_run(c->engine, &jobs[k]->job, 0);
            } else {
                ddf_engine_submit(c->engine, &jobs[k]->job);
            }
        }
        for (int k = 0; k < n; k++) {
            if (rand_r(&c->seed) % 3 == 0) {
                usleep((useconds_t)(rand_r(&c->seed) % 300));
                ddf_engine_cancel(c->engine, &jobs[k]->job);
            } else {
                assert(ddf_engine_wait(c->engine, &jobs[k]->job, TIMEOUT_MS) == 0);
                if (jobs[k]->job.status == 0) {
                    expect_bytes(jobs[k]);
                }
            }
            task_release(jobs[k]);
        }
    }
    return NULL;
}

/* With `stops`, the engine stops amid it all, and the readers go on to end what they have. */
static void nothing_is_lost_under_stress(int stops) {
    ddf_engine *engine;
    ddf_remote_queue *queue;
    reader readers[3];
    client clients[3];
    atomic_int stop = 0;
    engine_and_queue(&engine, &queue);
    start(readers, 3, queue, &stop, 500);
    for (size_t i = 0; i < 3; i++) {
        clients[i] = (client){.engine = engine, .seed = (unsigned)i + 1};
        assert(pthread_create(&clients[i].thread, NULL, ask, &clients[i]) == 0);
    }
    if (stops == 1) {
        usleep(20000);
        assert(ddf_engine_stop(engine, TIMEOUT_MS) == 0);
    } else if (stops == 2) {
        usleep(20000);
        ddf_remote_queue_close(queue);
    }
    for (size_t i = 0; i < 3; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    join(readers, 3, &stop);
    expect_end(engine, queue);
}

int main(void) {
    assert(ddf_pool_new((uint64_t)64 << 20, &pool) == 0);
    every_byte_lands_where_it_belongs(1);
    every_byte_lands_where_it_belongs(3);
    pieces_come_in_the_order_they_were_asked_for();
    a_worker_builds_what_is_made_of_the_last_piece();
    a_failed_piece_fails_its_job_and_says_why();
    a_cancelled_job_waits_for_what_is_out();
    memory_stays_as_long_as_somebody_holds_a_piece();
    for (int i = 0; i < 4; i++) {
        an_engine_stops_with_pieces_out(i % 2, i / 2);
    }
    a_closed_queue_cancels_what_is_left();
    without_a_queue_remote_jobs_fail();
    an_armed_queue_calls_once();
    nothing_is_lost_under_stress(0);
    nothing_is_lost_under_stress(1);
    nothing_is_lost_under_stress(2);
    ddf_pool_release(pool);
    return 0;
}
