#define _GNU_SOURCE
#include "ddf_retry.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "faults.h"

#define SIZE ((size_t)100003)

static char path[32];
static uint8_t buffer[SIZE];

static ddf_file *file_of(int mounted) {
    ddf_file *file;
    faults.mounted = mounted;
    assert(ddf_file_open(path, &file) == 0 && ddf_file_is_mounted(file) == mounted);
    return file;
}

static void end(ddf_file *file) {
    ddf_file_release(file);
    faults_reset();
    memset(buffer, 0, SIZE);
}

static int64_t modified(const char *of) {
    ddf_stamp stamp;
    assert(ddf_sys_stamp_of(of, &stamp) == 0);
    return stamp.modified;
}

/* Have the path name another file, which has these bytes and times. */
static void replace(size_t size, int64_t time) {
    char other[32];
    sample_file(other, size);
    struct timespec times[2] = {{0, UTIME_OMIT}, {time / 1000000000, time % 1000000000}};
    assert(utimensat(AT_FDCWD, other, times, 0) == 0 && rename(other, path) == 0);
}

static void what_may_pass_is_tried_again(void) {
    const int errors[] = {EIO, ESTALE, EBADF, ETIMEDOUT, ENOTCONN, ECONNRESET, EHOSTDOWN};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        ddf_file *file = file_of(1);
        ddf_err err;
        faults.error = errors[i];
        faults.error_until = 2;
        assert(ddf_retry_read(file, buffer, SIZE, 0, NULL, &err) == 0 && is_as_written(buffer, 0, SIZE));
        assert(faults.reads == 3);
        end(file);
    }
}

static void what_does_not_pass_is_told_at_once(void) {
    ddf_err err;
    ddf_file *file = file_of(1);
    faults.error = ENXIO;
    assert(ddf_retry_read(file, buffer, 100, 7, NULL, &err) == -ENXIO && err.pos == 7 && faults.reads == 1);
    faults.error = 0;
    assert(ddf_retry_read(file, buffer, 100, SIZE - 5, NULL, &err) == DDF_E_EOF && err.pos == SIZE);
    end(file);
    file = file_of(0);
    faults.error = EIO; /* a disk has tried already */
    assert(ddf_retry_read(file, buffer, 100, 7, NULL, &err) == -EIO && faults.reads == 1);
    end(file);
}

static void attempts_are_counted(void) {
    ddf_err err;
    ddf_file *file = file_of(1);
    faults.error = EIO;
    assert(ddf_retry_read(file, buffer, 100, 9, NULL, &err) == -EIO && err.pos == 9);
    assert(faults.reads == DDF_RETRY_ATTEMPTS);
    end(file);
}

static void pauses_double_and_differ(void) {
    int sum = 0;
    for (unsigned number = 1; number < DDF_RETRY_ATTEMPTS; number++) {
        int longest = DDF_RETRY_PAUSE_MS << (number - 1), seen = 0;
        for (uint32_t chance = 0; chance < 10000; chance++) {
            int pause = ddf_retry_pause(number, chance * 7919);
            assert(pause >= longest / 2 && pause <= longest);
            seen |= pause < longest * 5 / 8 ? 1 : pause > longest * 7 / 8 ? 2 : 0;
        }
        assert(seen == 3);
        sum += longest;
    }
    assert(sum <= 2000);
}

static void a_stop_ends_the_attempts(void) {
    ddf_err err;
    ddf_file *file = file_of(1);
    atomic_int stop = 1;
    faults.error = EIO;
    assert(ddf_retry_read(file, buffer, 100, 9, &stop, &err) == -EIO && faults.reads == 1);
    end(file);
}

static void a_stale_handle_is_replaced_for_all(void) {
    ddf_err err;
    ddf_file *file = file_of(1);
    int fd = ddf_file_fd(file);
    replace(SIZE, modified(path)); /* as it was, in a new place: what a server that was set up again has */
    struct stat before, after;
    assert(fstat(fd, &before) == 0);
    faults.error = ESTALE;
    faults.error_until = 1;
    assert(ddf_retry_read(file, buffer, SIZE, 0, NULL, &err) == 0 && is_as_written(buffer, 0, SIZE));
    assert(fstat(fd, &after) == 0 && before.st_ino != after.st_ino && ddf_file_fd(file) == fd);
    assert((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    end(file);
}

static void the_handle_for_plans_follows(void) {
    for (ddf_access access = DDF_SCATTERED; access <= DDF_DIRECT; access++) {
        ddf_err err;
        ddf_file *file = file_of(0);
        int fd = ddf_file_planned_fd(file, DDF_SCATTERED);
        replace(SIZE, modified(path));
        struct stat before, after;
        assert(fd != ddf_file_fd(file) && fstat(fd, &before) == 0);
        faults.error = ESTALE;
        faults.error_until = 1;
        assert(ddf_retry_read_planned(file, access, buffer, SIZE, 0, NULL, &err) == 0 && is_as_written(buffer, 0, SIZE));
        assert(fstat(fd, &after) == 0 && before.st_ino != after.st_ino && ddf_file_planned_fd(file, DDF_SCATTERED) == fd);
        assert((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        end(file);
    }
}

static void another_file_is_refused(void) {
    int64_t time = modified(path);
    for (int kind = 0; kind < 2; kind++) {
        ddf_err err;
        ddf_file *file = file_of(1);
        replace(kind == 0 ? SIZE - 1 : SIZE, kind == 0 ? time : time + 1000000000);
        faults.error = ESTALE;
        assert(ddf_retry_read(file, buffer, 100, 0, NULL, &err) == DDF_E_CHANGED && faults.reads == 1);
        assert(err.pos == (kind == 0 ? SIZE - 1 : SIZE));
        end(file);
        replace(SIZE, time);
    }
}

static void a_file_that_is_gone_stays_stale(void) {
    ddf_err err;
    ddf_file *file = file_of(1);
    unlink(path);
    faults.error = ESTALE;
    assert(ddf_file_reopen(file, &err) == -ENOENT);
    assert(ddf_retry_read(file, buffer, 100, 3, NULL, &err) == -ESTALE && err.pos == 3);
    end(file);
    sample_file(path, SIZE);
}

static void reads_into_parts_are_tried_again_too(void) {
    ddf_err err;
    ddf_file *file = file_of(1);
    ddf_room parts[3] = {{buffer, 30}, {buffer + 30, 30}, {buffer + 60, 40}};
    faults.error = ETIMEDOUT;
    faults.error_until = 2;
    assert(ddf_retry_read_parts(file, parts, 5, &err) == 0 && is_as_written(buffer, 5, 100) && faults.reads == 3);
    faults.error = ENXIO;
    faults.error_until = 0;
    assert(ddf_retry_read_parts(file, parts, 5, &err) == -ENXIO && err.pos == 5);
    end(file);
}

int main(void) {
    sample_file(path, SIZE);
    what_may_pass_is_tried_again();
    what_does_not_pass_is_told_at_once();
    attempts_are_counted();
    pauses_double_and_differ();
    a_stop_ends_the_attempts();
    a_stale_handle_is_replaced_for_all();
    the_handle_for_plans_follows();
    another_file_is_refused();
    a_file_that_is_gone_stays_stale();
    reads_into_parts_are_tried_again_too();
    unlink(path);
    return 0;
}
