/* nfs_mount URL FOLDER [FUSE OPTIONS]: what an NFS server exports as a folder, without the kernel's client.
 *
 * Reads alone. URL is one of libnfs, such as nfs://127.0.0.1/data?version=4&nfsport=12049. libnfs does one thing at a time
 * on a connection, so there are as many connections as reads in flight, each made when it is first needed. */
#define FUSE_USE_VERSION 31
#define _GNU_SOURCE
#include <errno.h>
#include <fuse.h>
#include <nfsc/libnfs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define CONNECTIONS 32
#define FILES 8

typedef struct connection {
    struct nfs_context *nfs;
    unsigned times; /* that it was made */
    struct {
        char *path;
        struct nfsfh *handle;
    } files[FILES];
    struct connection *next;
} connection;

static const char *url;
static connection all[CONNECTIONS], *unused;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given_back = PTHREAD_COND_INITIALIZER;

/* Servers tell clients apart by name and verifier, which libnfs makes of the time in seconds. */
static int connect_once(connection *c) {
    if (c->nfs != NULL) {
        return 0;
    }
    struct nfs_context *nfs = nfs_init_context();
    struct nfs_url *where = nfs == NULL ? NULL : nfs_parse_url_dir(nfs, url);
    if (where == NULL) {
        return -EINVAL;
    }
    char name[64], verifier[9];
    snprintf(name, sizeof name, "nfs_mount %d %d", (int)getpid(), (int)(c - all));
    snprintf(verifier, sizeof verifier, "%08u", ++c->times % 100000000);
    nfs4_set_client_name(nfs, name);
    nfs4_set_verifier(nfs, verifier);
    int status = nfs_mount(nfs, where->server, where->path);
    if (status < 0) {
        fprintf(stderr, "nfs_mount: %s\n", nfs_get_error(nfs));
        nfs_destroy_context(nfs);
    } else {
        c->nfs = nfs;
    }
    nfs_destroy_url(where);
    return status;
}

static connection *take(void) {
    pthread_mutex_lock(&lock);
    while (unused == NULL) {
        pthread_cond_wait(&given_back, &lock);
    }
    connection *c = unused;
    unused = c->next;
    pthread_mutex_unlock(&lock);
    return c;
}

static void give(connection *c) {
    pthread_mutex_lock(&lock);
    c->next = unused;
    unused = c;
    pthread_cond_signal(&given_back);
    pthread_mutex_unlock(&lock);
}

static int do_getattr(const char *path, struct stat *st, struct fuse_file_info *info) {
    (void)info;
    struct nfs_stat_64 found;
    connection *c = take();
    int status = connect_once(c);
    status = status < 0 ? status : nfs_stat64(c->nfs, path, &found);
    give(c);
    if (status >= 0) {
        memset(st, 0, sizeof *st);
        st->st_mode = (mode_t)found.nfs_mode;
        st->st_size = (off_t)found.nfs_size;
        st->st_nlink = (nlink_t)found.nfs_nlink;
        st->st_mtim = (struct timespec){(time_t)found.nfs_mtime, (long)found.nfs_mtime_nsec};
    }
    return status;
}

static int do_readdir(const char *path, void *names, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *info,
                      enum fuse_readdir_flags flags) {
    (void)offset, (void)info, (void)flags;
    struct nfsdir *dir;
    connection *c = take();
    int status = connect_once(c);
    status = status < 0 ? status : nfs_opendir(c->nfs, path, &dir);
    if (status >= 0) {
        for (struct nfsdirent *entry; (entry = nfs_readdir(c->nfs, dir)) != NULL;) {
            fill(names, entry->name, NULL, 0, 0);
        }
        nfs_closedir(c->nfs, dir);
    }
    give(c);
    return status;
}

/* Nothing comes from a cache of the kernel. */
static int do_open(const char *path, struct fuse_file_info *info) {
    (void)path;
    info->direct_io = 1;
    return 0;
}

/* The handle of a file on a connection, which stays open while there is room. */
static int handle_of(connection *c, const char *path, struct nfsfh **handle) {
    size_t i = 0;
    while (i < FILES - 1 && c->files[i].path != NULL && strcmp(c->files[i].path, path) != 0) {
        i++;
    }
    if (c->files[i].path != NULL && strcmp(c->files[i].path, path) != 0) {
        nfs_close(c->nfs, c->files[i].handle);
        free(c->files[i].path);
        c->files[i].path = NULL;
    }
    int status = 0;
    if (c->files[i].path == NULL) {
        status = nfs_open(c->nfs, path, O_RDONLY, &c->files[i].handle);
        c->files[i].path = status < 0 ? NULL : strdup(path);
    }
    *handle = c->files[i].handle;
    return status;
}

/* libnfs renews no lease: what was idle for long is unknown to the server, of which it makes this number. */
static int is_forgotten(connection *c, int status) {
    if (status != -ERANGE) {
        return 0;
    }
    for (size_t i = 0; i < FILES; i++) {
        free(c->files[i].path);
        c->files[i].path = NULL;
    }
    nfs_destroy_context(c->nfs);
    c->nfs = NULL;
    return 1;
}

static int read_some(connection *c, const char *path, char *buffer, size_t size, off_t offset) {
    struct nfsfh *handle;
    int status = connect_once(c);
    status = status < 0 ? status : handle_of(c, path, &handle);
    return status < 0 ? status : nfs_pread(c->nfs, handle, (uint64_t)offset, size, buffer);
}

static int do_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *info) {
    (void)info;
    connection *c = take();
    size_t done = 0;
    int got = 1;
    while (got > 0 && done < size) {
        got = read_some(c, path, buffer + done, size - done, offset + (off_t)done);
        if (is_forgotten(c, got)) {
            got = read_some(c, path, buffer + done, size - done, offset + (off_t)done);
        }
        done += got > 0 ? (size_t)got : 0;
    }
    give(c);
    return got < 0 ? got : (int)done;
}

static const struct fuse_operations operations = {
    .getattr = do_getattr, .readdir = do_readdir, .open = do_open, .read = do_read};

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "nfs_mount URL FOLDER [OPTIONS]\n");
        return 2;
    }
    url = argv[1];
    argv[1] = argv[0];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        all[i].next = unused;
        unused = &all[i];
    }
    return fuse_main(argc - 1, argv + 1, &operations, NULL);
}
