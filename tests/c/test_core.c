#define _GNU_SOURCE
#include "ddf_core.h"

#include <stdlib.h>
#include <string.h>

#include "aborts.h"

static ddf_engine *new_engine(void) {
    ddf_engine *engine;
    assert(ddf_core_new(&engine) == 0);
    engine->ready_threads = 1;
    ddf_limit_init(&engine->limit, 2);
    return engine;
}

static void check(void *engine) { ddf_core_check(engine); }

static void a_thread_in_no_state_or_in_two_aborts(void) {
    ddf_engine *engine = new_engine();
    assert(!aborts(check, engine));
    engine->threads = 1;
    assert(aborts(check, engine));
    engine->count[DDF_WORKER][DDF_THREAD_IDLE] = 1;
    assert(!aborts(check, engine));
    engine->count[DDF_WORKER][DDF_THREAD_READING] = 1;
    assert(aborts(check, engine));
    engine->count[DDF_WORKER][DDF_THREAD_READING] = 0;
    engine->count[DDF_WORKER][DDF_THREAD_IDLE] = 0;
    engine->count[DDF_WORKER][DDF_THREAD_RING] = 1; /* without a ring */
    assert(aborts(check, engine));
    engine->count[DDF_WORKER][DDF_THREAD_RING] = 0;
    engine->count[DDF_WORKER][DDF_THREAD_AWAY] = 1; /* with nothing to prepare */
    assert(aborts(check, engine));
    engine->preparing = 1;
    assert(!aborts(check, engine));
    ddf_core_unref(engine);
}

/* The transitions of a thread, as its functions make them. */
static void legal_states_of_threads_are_walked(void) {
    static const ddf_thread_state WORKER[] = {
        DDF_THREAD_STARTING, DDF_THREAD_CHOOSING,  DDF_THREAD_COPYING,  DDF_THREAD_AWAY,
        DDF_THREAD_COPYING,  DDF_THREAD_CHOOSING,  DDF_THREAD_READING,  DDF_THREAD_CHOOSING,
        DDF_THREAD_IDLE,     DDF_THREAD_CALLED,    DDF_THREAD_CHOOSING, DDF_THREAD_FINISHING,
        DDF_THREAD_CHOOSING, DDF_THREAD_IDLE,      DDF_THREAD_CHOOSING, DDF_THREAD_NONE,
        DDF_THREAD_STARTING, DDF_THREAD_NONE,      DDF_THREAD_RING,     DDF_THREAD_NONE,
        DDF_THREAD_CHOOSING, DDF_THREAD_NONE,
    };
    ddf_engine *engine = new_engine();
    ddf_thread thread = {DDF_WORKER, DDF_THREAD_NONE};
    for (size_t i = 0; i < sizeof WORKER / sizeof *WORKER; i++) {
        ddf_core_move(engine, &thread, WORKER[i]);
        size_t counted = 0;
        for (size_t state = DDF_THREAD_NONE + 1; state < DDF_THREAD_STATES; state++) {
            counted += engine->count[DDF_WORKER][state];
        }
        assert(counted == (thread.state != DDF_THREAD_NONE));
    }
    ddf_core_unref(engine);
}

static void read_twice(void *arg) {
    ddf_thread thread = {DDF_WORKER, DDF_THREAD_READING};
    ddf_engine *engine = arg;
    engine->count[DDF_WORKER][DDF_THREAD_READING] = 1;
    ddf_core_move(engine, &thread, DDF_THREAD_COPYING);
}

static void leave_a_state_that_nobody_is_in(void *arg) {
    ddf_thread thread = {DDF_WORKER, DDF_THREAD_READING};
    ddf_core_move(arg, &thread, DDF_THREAD_CHOOSING);
}

static void illegal_states_of_threads_abort(void) {
    ddf_engine *engine = new_engine();
    assert(aborts(read_twice, engine));
    assert(aborts(leave_a_state_that_nobody_is_in, engine));
    ddf_core_unref(engine);
}

static void a_job_in_a_list_of_other_states_aborts(void) {
    ddf_engine *engine = new_engine();
    ddf_job job = {0};
    ddf_job_init(&job);
    ddf_jobs_push(&engine->fresh, &job);
    assert(aborts(check, engine));
    ddf_job_move(&job, DDF_JOB_QUEUED);
    assert(!aborts(check, engine));
    (void)ddf_jobs_pop(&engine->fresh);
    ddf_jobs *others[] = {&engine->waiting, &engine->remote, &engine->ended};
    for (size_t i = 0; i < 3; i++) {
        ddf_jobs_push(others[i], &job);
        assert(aborts(check, engine));
        (void)ddf_jobs_pop(others[i]);
    }
    ddf_core_unref(engine);
}

static void waiting_jobs_that_are_out_of_order_abort(void) {
    ddf_engine *engine = new_engine();
    ddf_job jobs[2] = {{0}};
    for (size_t i = 0; i < 2; i++) {
        ddf_job_init(&jobs[i]);
        ddf_job_move(&jobs[i], DDF_JOB_PREPARING);
        ddf_job_move(&jobs[i], DDF_JOB_READY);
        jobs[i].n_pieces = jobs[i].taken = jobs[i].n_missed = 1;
        jobs[i].number = i;
        ddf_job_move(&jobs[i], DDF_JOB_WAITING);
        ddf_jobs_push(&engine->waiting, &jobs[i]);
    }
    assert(!aborts(check, engine));
    jobs[0].number = 2;
    assert(aborts(check, engine));
    ddf_core_unref(engine);
}

int main(void) {
    a_thread_in_no_state_or_in_two_aborts();
    legal_states_of_threads_are_walked();
    illegal_states_of_threads_abort();
    a_job_in_a_list_of_other_states_aborts();
    waiting_jobs_that_are_out_of_order_abort();
    return 0;
}
