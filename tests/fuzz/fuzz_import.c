/*
 * fuzz_import: a file of the original program's rows, with libFuzzer.
 *
 *   CFLAGS='-g -O1 -fsanitize=fuzzer-no-link,address,undefined' make B=build/fuzz CC=clang \
 *       build/fuzz/core.a
 *   clang -g -O1 -std=gnu11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined
 * -fno-sanitize-recover=all -Icommon -Icommon/dlms -Icommon/store -Iservices/decryptor
 * -Iservices/zaehlwerk tests/fuzz/fuzz_import.c build/fuzz/core.a $(pkg-config --libs libczmq
 * libzmq libpq libgcrypt msgpack sqlite3 jansson libmariadb) -lcsv -lm -o fuzz_import
 *   ./fuzz_import -max_len=4000 corpus
 *
 * The first octet of an input says where the rest is cut: it is read as a file and once more from a
 * pipe that brings it in two pieces, with the same rows and the same end. tests/fuzz/import.hex
 * holds the corpus, an input a line; with -DFUZZ_REPLAY: a program that runs the lines of the files
 * it is given.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "import_rows.h"
#include "replay.h"

#define NOW INT64_C(1800000000)

static const struct import_tables tables = {{true, true}, {"history", "historyDebounced"}};

static void add(struct buf *to, const char *text)
{
    assert(buf_add(to, text, strlen(text) + 1) == 0);
}

/* What a row becomes: its fields, and the record or why there is none. */
static void
check_row(struct import_rows *rows, const struct import_row *row, uint64_t before, struct buf *seen)
{
    struct record record;
    char where[24], reason[IMPORT_REASON_CHARS] = "";
    enum import_verdict v = import_rows_read(rows, row, &record, reason);

    assert(row->table == ROWS_HISTORY || row->table == ROWS_DEBOUNCED);
    assert(row->where >= before);
    snprintf(where, sizeof where, "%" PRIu64 " %d", row->where, (int)v);
    add(seen, where);
    for (int c = 0; c < IMPORT_COLUMNS; c++)
        add(seen, row->text[c] == NULL ? "-" : row->text[c]);
    add(seen, reason);
    assert((v == IMPORT_REJECTED) == (reason[0] != '\0'));
    if (v == IMPORT_TAKEN) {
        struct buf packed = {0};

        assert(record.reading.time >= rows->from && record.reading.time < rows->to);
        assert(row->wrong == NULL && record_pack(&record, &packed) == 0);
        buf_free(&packed);
    }
}

static void read_rows(struct import_source *s, struct buf *seen)
{
    struct import_rows rows = {.meter = "5341475E40F89D93", .to = INT64_MAX, .now = NOW};
    struct import_row row = {0};
    char why[IMPORT_WHY_CHARS] = "";
    int rc;

    for (int t = 0; t < 2; t++)
        assert((rows.plausible[t] = plausible_new()) != NULL);
    for (uint64_t before = 0; (rc = s->ops->next(s, &row, why)) == 1; before = row.where)
        check_row(&rows, &row, before, seen);
    assert(rc == 0 || rc == -EINVAL);
    assert((rc == 0) == (why[0] == '\0'));
    add(seen, why);
    for (int t = 0; t < 2; t++)
        plausible_free(rows.plausible[t]);
}

/* As `zaehlwerk import` reads it. */
static void read_from(int fd, struct buf *seen)
{
    struct import_file *f = calloc(1, sizeof *f);
    struct import_source *s;

    assert(f != NULL);
    *f = (struct import_file){.fd = fd, .owned = true, .line = 1};
    if (import_file_complaint(f) != NULL) {
        add(seen, import_file_complaint(f));
        import_file_close(f);
        return;
    }
    s = import_file_is_sql(f) ? import_dump_new(f, &tables) : import_csv_new(f, ROWS_HISTORY, NULL);
    assert(s != NULL);
    read_rows(s, seen);
    s->ops->close(s);
}

/* At once, as a file is read. */
static int open_file(const uint8_t *data, size_t size)
{
    int fd = memfd_create("rows", MFD_CLOEXEC);

    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

/* Each read brings one piece. */
static int open_pieces(const uint8_t *data, size_t size, size_t cut)
{
    int ends[2];

    assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    assert(cut == 0 || send(ends[1], data, cut, 0) == (ssize_t)cut);
    assert(cut == size || send(ends[1], data + cut, size - cut, 0) == (ssize_t)(size - cut));
    close(ends[1]);
    return ends[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = {0}, pieces = {0};

    if (size < 2)
        return 0;
    read_from(open_file(data + 1, size - 1), &whole);
    read_from(open_pieces(data + 1, size - 1, (size - 1) * data[0] / 256), &pieces);
    assert(whole.len == pieces.len && memcmp(whole.data, pieces.data, whole.len) == 0);
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
