#define _GNU_SOURCE
/* ddf_content: windows are read when they are used, once, and errors of storage are returned. */
#include "ddf_content.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ddf_sys.h"
#include "faults.h"

#define SIZE ((size_t)3 << 20)

static char name[32];

static ddf_content *opened(void) {
    ddf_content *content;
    assert(ddf_content_open(name, &content) == 0 && ddf_content_size(content) == SIZE);
    return content;
}

static void bytes_are_read_where_they_are_used(void) {
    ddf_content *content = opened();
    faults_reset();
    assert(ddf_content_hold(content, SIZE - 8, 8, NULL) == 0 && atomic_load(&faults.reads) == 1);
    assert(ddf_content_hold(content, SIZE - 9, 8, NULL) == 0 && atomic_load(&faults.reads) == 1);
    assert(ddf_content_memory(content)[SIZE - 1] == byte_at(SIZE - 1) && !ddf_content_is_whole(content));
    assert(ddf_content_hold(content, 5, 0, NULL) == 0 && atomic_load(&faults.reads) == 1);
    assert(ddf_content_hold(content, 0, SIZE, NULL) == 0 && ddf_content_is_whole(content));
    for (size_t i = 0; i < SIZE; i++) {
        assert(ddf_content_memory(content)[i] == byte_at(i));
    }
    ddf_content_release(content);
}

static void an_error_of_a_local_disk_is_returned_and_the_next_read_tries_again(void) {
    ddf_err err;
    ddf_content *content = opened();
    faults_reset();
    atomic_store(&faults.error, EIO);
    assert(ddf_content_hold(content, 100, 8, &err) == -EIO && err.pos == 100 && atomic_load(&faults.reads) == 1);
    atomic_store(&faults.error, 0);
    assert(ddf_content_hold(content, 100, 8, &err) == 0 && ddf_content_memory(content)[100] == byte_at(100));
    ddf_content_release(content);
}

static void an_error_of_a_mount_is_tried_again(void) {
    faults_reset();
    atomic_store(&faults.mounted, 1);
    ddf_content *content = opened();
    assert(ddf_content_may_wait(content));
    atomic_store(&faults.error, EIO);
    atomic_store(&faults.error_until, 2);
    assert(ddf_content_hold(content, 0, SIZE, NULL) == 0 && atomic_load(&faults.reads) == 5); /* 3 windows */
    assert(!ddf_content_may_wait(content) && ddf_content_memory(content)[SIZE / 2] == byte_at(SIZE / 2));
    ddf_content_release(content);
    faults_reset();
}

static void a_truncated_file_is_an_error(void) {
    ddf_err err;
    ddf_content *content = opened();
    assert(truncate(name, SIZE / 2) == 0);
    assert(ddf_content_hold(content, SIZE - 8, 8, &err) == DDF_E_CHANGED);
    assert(ddf_content_hold(content, 0, 8, &err) == 0);
    ddf_content_release(content);
    assert(unlink(name) == 0);
    sample_file(name, SIZE);
}

static void only_regular_files_are_opened(void) {
    ddf_content *content;
    char pipe_name[64];
    (void)snprintf(pipe_name, sizeof pipe_name, "%s.pipe", name);
    assert(mkfifo(pipe_name, 0600) == 0);
    assert(ddf_content_open(pipe_name, &content) == -EINVAL && ddf_content_open("/dev/zero", &content) == -EINVAL);
    assert(ddf_content_open("/tmp", &content) == -EISDIR && ddf_content_open("/nowhere", &content) == -ENOENT);
    assert(unlink(pipe_name) == 0);
}

static void an_empty_file_is_whole(void) {
    char empty[32];
    ddf_content *content;
    sample_file(empty, 0);
    assert(ddf_content_open(empty, &content) == 0 && ddf_content_is_whole(content) && ddf_content_size(content) == 0);
    ddf_content_retain(content);
    ddf_content_release(content);
    ddf_content_release(content);
    assert(unlink(empty) == 0);
}

static void *hold_all(void *content) {
    for (size_t at = 0; at < SIZE; at += 4096) {
        assert(ddf_content_hold(content, at, 8, NULL) == 0 && ddf_content_memory(content)[at] == byte_at(at));
    }
    return NULL;
}

static void threads_read_each_window_once(void) {
    pthread_t threads[4];
    ddf_content *content = opened();
    faults_reset();
    atomic_store(&faults.delay_us, 200);
    for (int i = 0; i < 4; i++) {
        assert(pthread_create(&threads[i], NULL, hold_all, content) == 0);
    }
    for (int i = 0; i < 4; i++) {
        assert(pthread_join(threads[i], NULL) == 0);
    }
    assert(atomic_load(&faults.reads) == (int)(SIZE >> 12) && ddf_content_is_whole(content));
    ddf_content_release(content);
    faults_reset();
}

static void *hold_start(void *content) {
    assert(ddf_content_hold(content, 0, 8, NULL) == 0);
    return NULL;
}

static void a_forked_child_reads_what_a_thread_of_its_parent_was_reading(void) {
    pthread_t thread;
    ddf_content *content = opened();
    faults_reset();
    atomic_store(&faults.stuck, 1);
    assert(pthread_create(&thread, NULL, hold_start, content) == 0);
    while (atomic_load(&faults.in_flight) == 0) {
        ddf_sys_sleep_ms(1);
    }
    pid_t child = fork();
    if (child == 0) {
        faults_reset();
        (void)alarm(20);
        _exit(ddf_content_hold(content, 0, SIZE, NULL) == 0 && ddf_content_memory(content)[9] == byte_at(9) ? 0 : 1);
    }
    int status = -1;
    assert(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    atomic_store(&faults.stuck, 0);
    assert(pthread_join(thread, NULL) == 0);
    ddf_content_release(content);
}

int main(void) {
    sample_file(name, SIZE);
    bytes_are_read_where_they_are_used();
    an_error_of_a_local_disk_is_returned_and_the_next_read_tries_again();
    an_error_of_a_mount_is_tried_again();
    a_truncated_file_is_an_error();
    only_regular_files_are_opened();
    an_empty_file_is_whole();
    threads_read_each_window_once();
    a_forked_child_reads_what_a_thread_of_its_parent_was_reading();
    assert(unlink(name) == 0);
    return 0;
}
