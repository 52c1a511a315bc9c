/* Data files that look like Oracle's to whoever compresses and compares them, written over NFS by libnfs.
 * What lives here: their content, and changing a part of their blocks where they are. What does not: stores, restic,
 * measuring (run).
 *
 *   datafiles write  URL FILES MIB SEED                  makes datafile1.dbf and so on, MIB of each
 *   datafiles change URL FILES MIB SEED PER_MILLE TURN   changes so many thousandths of all their blocks, at random places
 *
 * URL is nfs://ADDRESS/EXPORT?nfsport=…&mountport=…. Blocks have 8 KiB. Of 32 extents of 1 MiB three are zeros, three are
 * formatted blocks that hold nothing, the others have free space and rows of numbers, words, and bytes that are as good as
 * random.
 * "change" does to a block what a transaction does: another SCN, another transaction's entry, two other rows, the tail.
 * Another TURN takes other places. Both end with a COMMIT of each file. "change" prints how many blocks it has changed.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nfsc/libnfs.h>

#define BLOCK 8192
#define EXTENT (1024 * 1024)
#define BLOCKS_OF_EXTENT (EXTENT / BLOCK)
#define IN_FLIGHT_MAX 8
#define FILES_MAX 64
/* Where the transactions' entries are. */
#define ENTRIES 24
#define ENTRIES_END 104
/* Where rows begin, and what one takes. Before them is free space, about what PCTFREE 10 leaves. restic cuts where zeros
 * begin, 512 KiB behind the last cut: if a change moved that place, all cuts behind it would move too, and restic would
 * look worse than it is. */
#define ROWS 904
#define ROW 112
#define ROWS_OF_BLOCK ((BLOCK - ROWS - 8) / ROW)

static struct nfs_context *nfs;
static unsigned in_flight;
static int writing;

static void die(const char *what, const char *why) {
    fprintf(stderr, "datafiles: %s: %s\n", what, why ? why : "no reason given");
    exit(1);
}

/* splitmix64: the same blocks for the same seed. */
static uint64_t number(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void row(char *to, uint64_t *random) {
    static const char *const words[] = {"OPEN    ", "CLOSED  ", "SHIPPED ", "INVOICED", "BERLIN  ", "MUNICH  ",
                                        "PARIS   ", "LONDON  ", "MATERIAL", "CUSTOMER", "VENDOR  ", "PLANT   ",
                                        "EUR     ", "USD     ", "PIECES  ", "KILOGRAM"};
    int length = snprintf(to, ROW, "%010llu", (unsigned long long)(number(random) % 10000000000u));
    uint64_t choice = number(random);
    for (int word = 0; word < 7; word++, choice >>= 4, length += 8)
        memcpy(to + length, words[choice & 15], 8);
    while (length + 8 <= ROW - 6) {
        uint64_t bytes = number(random);
        memcpy(to + length, &bytes, 8);
        length += 8;
    }
    memset(to + length, ' ', ROW - length);
}

static void entries(char *block, int end, uint64_t *random) {
    for (int at = ENTRIES; at < end; at += 8) {
        uint64_t entry = number(random);
        memcpy(block + at, &entry, 8);
    }
}

/* A block as it was first written. */
static void fill(char *block, uint64_t seed, unsigned file, uint32_t place, int is_used) {
    uint32_t address = file << 22 | place;
    uint64_t random = seed * 1000003 + address;
    uint64_t scn = 1000000 + number(&random) % 1000000;
    memset(block, 0, BLOCK);
    block[0] = is_used ? 6 : 0;
    block[1] = (char)0xa2;
    memcpy(block + 4, &address, 4);
    memcpy(block + 8, &scn, 6);
    if (is_used)
        entries(block, ENTRIES_END, &random);
    for (int at = 0; is_used && at < ROWS_OF_BLOCK; at++)
        row(block + ROWS + at * ROW, &random);
    memcpy(block + BLOCK - 4, block + 8, 4);
}

/* What a transaction does to a block. */
static void change(char *block, uint64_t *random) {
    uint64_t scn = 2000000 + number(random) % 1000000;
    memcpy(block + 8, &scn, 6);
    entries(block, ENTRIES + 24, random);
    for (int turn = 0; turn < 2; turn++)
        row(block + ROWS + number(random) % ROWS_OF_BLOCK * ROW, random);
    memcpy(block + BLOCK - 4, block + 8, 4);
}

static void ended(int result, struct nfs_context *context, void *data, void *expected) {
    (void)context;
    if (result < 0)
        die("write", data);
    if (result != (int)(intptr_t)expected)
        die("write", "a call did less than was asked");
    in_flight--;
}

static void serve(unsigned at_most) {
    while (in_flight > at_most) {
        struct pollfd wait = {.fd = nfs_get_fd(nfs), .events = nfs_which_events(nfs)};
        if (poll(&wait, 1, 60000) <= 0)
            die("poll", "the server was silent for a minute");
        if (nfs_service(nfs, wait.revents) < 0)
            die("connection", nfs_get_error(nfs));
    }
}

/* The library copies what is written before it returns, so the buffer may be used again. */
static void put(struct nfsfh *file, uint64_t offset, const char *bytes, int length) {
    if (nfs_pwrite_async(nfs, file, offset, length, bytes, ended, (void *)(intptr_t)length))
        die("write", nfs_get_error(nfs));
    in_flight++;
    serve(IN_FLIGHT_MAX - 1);
}

static void write_file(struct nfsfh *file, unsigned which, uint64_t seed, uint32_t extents) {
    static char buffer[EXTENT];
    for (uint32_t extent = 0; extent < extents; extent++) {
        int is_zero = extent % 32 >= 29, is_used = extent % 32 < 26;
        for (int block = 0; block < BLOCKS_OF_EXTENT; block++)
            fill(buffer + block * BLOCK, seed, which, extent * BLOCKS_OF_EXTENT + block, is_used);
        if (is_zero)
            memset(buffer, 0, EXTENT);
        put(file, (uint64_t)extent * EXTENT, buffer, EXTENT);
    }
}

/* Of the blocks that are left, so many are still to be changed: each block has the same chance. */
static void change_file(struct nfsfh *file, unsigned which, uint64_t seed, uint32_t blocks, uint64_t *left,
                        uint64_t *wanted, uint64_t *random) {
    char block[BLOCK];
    for (uint32_t place = 0; place < blocks; place++) {
        if (number(random) % (*left)-- >= *wanted)
            continue;
        (*wanted)--;
        fill(block, seed, which, place, 1);
        change(block, random);
        put(file, (uint64_t)place * BLOCK, block, BLOCK);
    }
}

int main(int argc, char **argv) {
    uint64_t files, extents, seed, left, wanted, chosen, random;
    struct nfs_url *url;
    if (argc < 6 || argc != ((writing = strcmp(argv[1], "write") == 0) ? 6 : 8)) {
        fprintf(stderr, "usage: datafiles write|change URL FILES MIB SEED [PER_MILLE TURN]\n");
        return 2;
    }
    files = strtoull(argv[3], NULL, 10);
    extents = strtoull(argv[4], NULL, 10);
    seed = strtoull(argv[5], NULL, 10);
    if (files < 1 || files > FILES_MAX || extents < 1 || extents > 32767)
        die(argv[1], "1 to 64 files of 1 to 32767 MiB");
    nfs = nfs_init_context();
    url = nfs ? nfs_parse_url_dir(nfs, argv[2]) : NULL;
    if (!url)
        die(argv[2], nfs ? nfs_get_error(nfs) : "no context");
    if (nfs_mount(nfs, url->server, url->path))
        die("mount", nfs_get_error(nfs));
    if (nfs_get_writemax(nfs) < EXTENT)
        die(argv[2], "the server takes less than 1 MiB in a call");
    left = files * extents * BLOCKS_OF_EXTENT;
    wanted = chosen = writing ? 0 : left * strtoull(argv[6], NULL, 10) / 1000;
    if (wanted > left)
        die(argv[6], "1000 at most");
    random = writing ? 0 : seed << 32 | strtoull(argv[7], NULL, 10);
    for (unsigned which = 1; which <= files; which++) {
        struct nfsfh *file;
        char name[32];
        snprintf(name, sizeof name, "/datafile%u.dbf", which);
        if (writing ? nfs_create(nfs, name, O_WRONLY, 0644, &file) : nfs_open(nfs, name, O_WRONLY, &file))
            die(name, nfs_get_error(nfs));
        if (writing)
            write_file(file, which, seed, extents);
        else
            change_file(file, which, seed, extents * BLOCKS_OF_EXTENT, &left, &wanted, &random);
        serve(0);
        if (nfs_fsync(nfs, file))
            die("COMMIT", nfs_get_error(nfs));
        nfs_close(nfs, file);
    }
    if (!writing)
        printf("%llu\n", (unsigned long long)chosen);
    nfs_destroy_context(nfs);
    return 0;
}
