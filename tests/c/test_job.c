#define _GNU_SOURCE
#include "ddf_job.h"

#include <assert.h>

#include "aborts.h"

#define MOST_STEPS 12

/* Ways through the table, from DDF_JOB_NEW to the end; each ends with DDF_JOB_DONE. */
static const ddf_job_state WAYS[][MOST_STEPS] = {
    /* submitted, and everything was ready */
    {DDF_JOB_QUEUED, DDF_JOB_PREPARING, DDF_JOB_READY, DDF_JOB_DRAINING, DDF_JOB_FINISHING, DDF_JOB_DONE},
    /* run by its caller; the preparation uses nothing of the owner's any more; some pieces missed, and once more */
    {DDF_JOB_PREPARING, DDF_JOB_DETACHED, DDF_JOB_READY, DDF_JOB_WAITING, DDF_JOB_DRAINING, DDF_JOB_WAITING,
     DDF_JOB_DRAINING, DDF_JOB_FINISHING, DDF_JOB_DONE},
    /* read by the ring, finished by a worker */
    {DDF_JOB_QUEUED, DDF_JOB_PREPARING, DDF_JOB_READY, DDF_JOB_WAITING, DDF_JOB_DRAINING, DDF_JOB_READ,
     DDF_JOB_FINISHING, DDF_JOB_DONE},
    /* remote */
    {DDF_JOB_QUEUED, DDF_JOB_PREPARING, DDF_JOB_READY, DDF_JOB_REMOTE, DDF_JOB_DRAINING, DDF_JOB_READ,
     DDF_JOB_FINISHING, DDF_JOB_DONE},
    /* cancelled before its preparation, during, and after it was detached */
    {DDF_JOB_QUEUED, DDF_JOB_DRAINING, DDF_JOB_FINISHING, DDF_JOB_DONE},
    {DDF_JOB_PREPARING, DDF_JOB_DRAINING, DDF_JOB_FINISHING, DDF_JOB_DONE},
    {DDF_JOB_PREPARING, DDF_JOB_DETACHED, DDF_JOB_DRAINING, DDF_JOB_FINISHING, DDF_JOB_DONE},
};

static void legal_ways_are_walked(void) {
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        ddf_job job = {0};
        ddf_job_init(&job);
        assert(ddf_job_get_state(&job) == DDF_JOB_NEW);
        for (size_t k = 0; k < MOST_STEPS && WAYS[i][k] != DDF_JOB_NEW; k++) {
            assert(!ddf_job_is_done(&job));
            ddf_job_move(&job, WAYS[i][k]);
            assert(ddf_job_get_state(&job) == WAYS[i][k]);
        }
        assert(ddf_job_is_done(&job));
    }
}

static void every_transition_is_on_a_way(void) {
    int walked[DDF_JOB_STATES][DDF_JOB_STATES] = {{0}};
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        ddf_job_state from = DDF_JOB_NEW;
        for (size_t k = 0; k < MOST_STEPS && WAYS[i][k] != DDF_JOB_NEW; k++) {
            walked[from][WAYS[i][k]] = 1;
            from = WAYS[i][k];
        }
    }
    for (int from = 0; from < DDF_JOB_STATES; from++) {
        for (int to = 0; to < DDF_JOB_STATES; to++) {
            assert(ddf_job_may_move((ddf_job_state)from, (ddf_job_state)to) == walked[from][to]);
        }
    }
}

typedef struct step {
    ddf_job_state from, to;
} step;

static void make_step(void *arg) {
    const step *s = arg;
    ddf_job job = {0};
    ddf_job_init(&job);
    atomic_store(&job.state, s->from);
    ddf_job_move(&job, s->to);
}

static void every_other_transition_aborts(void) {
    for (int from = 0; from < DDF_JOB_STATES; from++) {
        for (int to = 0; to < DDF_JOB_STATES; to++) {
            step s = {(ddf_job_state)from, (ddf_job_state)to};
            assert(aborts(make_step, &s) == !ddf_job_may_move(s.from, s.to));
        }
    }
}

static void check(void *job) { ddf_job_check(job); }

static void a_job_that_contradicts_its_state_aborts(void) {
    ddf_job job = {0};
    ddf_job_init(&job);
    assert(!aborts(check, &job));
    ddf_job_move(&job, DDF_JOB_PREPARING);
    assert(aborts(check, &job)); /* nobody prepares it */
    ddf_job_move(&job, DDF_JOB_READY);
    assert(aborts(check, &job)); /* no piece is left */
    job.n_pieces = 1;
    assert(!aborts(check, &job));
    ddf_job_move(&job, DDF_JOB_WAITING);
    assert(aborts(check, &job)); /* a piece was not tried */
    job.taken = job.n_missed = 1;
    assert(!aborts(check, &job));
    ddf_job_move(&job, DDF_JOB_DRAINING);
    assert(aborts(check, &job)); /* a missed piece was not taken */
    ddf_job_move(&job, DDF_JOB_WAITING);
    ddf_job_skip_rest(&job);
    assert(aborts(check, &job)); /* no share runs */
    job.running = 1;
    assert(!aborts(check, &job));
    ddf_job_move(&job, DDF_JOB_FINISHING);
    assert(aborts(check, &job)); /* a share runs */
}

static void lists_keep_the_order_of_submission(void) {
    ddf_job jobs[4] = {{0}};
    ddf_jobs list = {0};
    for (size_t i = 0; i < 4; i++) {
        jobs[i].number = i;
    }
    const size_t order[] = {2, 0, 3, 1};
    for (size_t i = 0; i < 4; i++) {
        ddf_jobs_insert(&list, &jobs[order[i]]);
    }
    assert(ddf_jobs_unlink(&list, &jobs[3]) && !ddf_jobs_unlink(&list, &jobs[3]) && list.tail == &jobs[2]);
    for (size_t i = 0; i < 3; i++) {
        assert(ddf_jobs_pop(&list) == &jobs[i]);
    }
    assert(list.head == NULL && list.tail == NULL);
}

int main(void) {
    legal_ways_are_walked();
    every_transition_is_on_a_way();
    every_other_transition_aborts();
    a_job_that_contradicts_its_state_aborts();
    lists_keep_the_order_of_submission();
    return 0;
}
