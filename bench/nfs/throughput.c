/* One NFSv3 client on libnfs that keeps a number of calls in flight and says how long it took.
 * What lives here: writing and reading one file, and the check of what was read. What does not: servers, rounds, medians
 * (run).
 *
 *   throughput write|read URL MIB IN_FLIGHT        of calls of 1 MiB
 *
 * URL is nfs://ADDRESS/EXPORT/FILE?nfsport=…&mountport=…. "write" writes UNSTABLE over whatever the file holds and ends
 * with a COMMIT. Prints the seconds of the calls and, after a blank, those of the COMMIT (0 for "read").
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nfsc/libnfs.h>

#define BLOCK (1024 * 1024)
/* The words of a block that are its own: its number, at the start of each page. */
#define PAGE 4096

static struct nfs_context *nfs;
static struct nfsfh *file;
static int writing;
static uint64_t blocks, begun, done;
static char block[BLOCK];

static void die(const char *what, const char *why) {
    fprintf(stderr, "throughput: %s: %s\n", what, why ? why : "no reason given");
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void ended(int result, struct nfs_context *context, void *data, void *number);

/* The library copies what is written before it returns, so one block serves all calls. */
static void begin(void) {
    uint64_t number = begun++;
    int refused;
    if (writing) {
        for (int page = 0; page < BLOCK; page += PAGE)
            memcpy(block + page, &number, sizeof number);
        refused = nfs_pwrite_async(nfs, file, number * BLOCK, BLOCK, block, ended, (void *)(uintptr_t)number);
    } else {
        refused = nfs_pread_async(nfs, file, number * BLOCK, BLOCK, ended, (void *)(uintptr_t)number);
    }
    if (refused)
        die(writing ? "write" : "read", nfs_get_error(nfs));
}

static void ended(int result, struct nfs_context *context, void *data, void *private) {
    uint64_t number = (uintptr_t)private;
    (void)context;
    if (result < 0)
        die(writing ? "write" : "read", data);
    if (result != BLOCK)
        die(writing ? "write" : "read", "a call did less than was asked");
    for (int page = 0; !writing && page < BLOCK; page += PAGE)
        if (memcmp((char *)data + page, &number, sizeof number) != 0)
            die("read", "a block does not hold what was written");
    done++;
    if (begun < blocks)
        begin();
}

static void transfer(uint64_t in_flight) {
    while (begun < blocks && begun < in_flight)
        begin();
    while (done < blocks) {
        struct pollfd wait = {.fd = nfs_get_fd(nfs), .events = nfs_which_events(nfs)};
        if (poll(&wait, 1, 60000) <= 0)
            die("poll", "the server was silent for a minute");
        if (nfs_service(nfs, wait.revents) < 0)
            die("connection", nfs_get_error(nfs));
    }
}

int main(int argc, char **argv) {
    double start, transferred;
    struct nfs_url *url;
    if (argc != 5) {
        fprintf(stderr, "usage: throughput write|read URL MIB IN_FLIGHT\n");
        return 2;
    }
    writing = strcmp(argv[1], "write") == 0;
    blocks = strtoull(argv[3], NULL, 10);
    nfs = nfs_init_context();
    if (!nfs)
        die("libnfs", "no context");
    url = nfs_parse_url_full(nfs, argv[2]);
    if (!url)
        die(argv[2], nfs_get_error(nfs));
    if (nfs_mount(nfs, url->server, url->path))
        die("mount", nfs_get_error(nfs));
    if (nfs_get_writemax(nfs) < BLOCK || nfs_get_readmax(nfs) < BLOCK)
        die(argv[2], "the server takes or gives less than 1 MiB in a call");
    if (writing ? nfs_create(nfs, url->file, O_WRONLY, 0644, &file) : nfs_open(nfs, url->file, O_RDONLY, &file))
        die(url->file, nfs_get_error(nfs));
    memset(block, 'x', sizeof block);
    start = now();
    transfer(strtoull(argv[4], NULL, 10));
    transferred = now();
    if (writing && nfs_fsync(nfs, file))
        die("COMMIT", nfs_get_error(nfs));
    printf("%.6f %.6f\n", transferred - start, writing ? now() - transferred : 0.0);
    nfs_close(nfs, file);
    nfs_destroy_context(nfs);
    return 0;
}
