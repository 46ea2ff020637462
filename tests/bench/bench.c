/*
 * bench: what each stage does, as a ratio to a limit measured in the same run.
 *
 * The machine is noisy: each figure is the median of ROUNDS rounds, stage and limit alternating.
 * BENCH_POSTGRESQL names a PostgreSQL to measure that store too (bench.sh starts one).
 */
#include <czmq.h>
#include <gcrypt.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assembler.h"
#include "decode.h"
#include "frame.h"
#include "hex.h"
#include "link_key.h"
#include "payload.h"
#include "sim.h"
#include "store.h"

enum { ROUNDS = 5, TELEGRAMS = 4000, METERS = 20, BATCH = 500, ROWS = 20000 };

struct sample {
    char hex[2 * FRAME_TELEGRAM_MAX + 1];
    uint8_t octets[FRAME_TELEGRAM_MAX];
    size_t len;
    struct record record; /* the reading it decodes to */
};

struct bench {
    struct gcm *gcm;
    struct decode_keys keys[METERS];
    uint8_t titles[METERS][SYSTEM_TITLE_OCTETS];
    struct sample *samples;
    struct buf octets;
    size_t decoded;
    struct record *out;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench: %s failed\n", what);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Run stage and limit alternately and print the medians and their ratio; both return units done. */
static void compare(const char *stage_name,
                    double (*stage)(struct bench *),
                    const char *limit_name,
                    double (*limit)(struct bench *),
                    struct bench *b)
{
    double a[ROUNDS], l[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        double start = now();

        l[i] = limit(b) / (now() - start);
        start = now();
        a[i] = stage(b) / (now() - start);
    }
    qsort(a, ROUNDS, sizeof a[0], by_value);
    qsort(l, ROUNDS, sizeof l[0], by_value);
    printf("%-48s %11.0f/s   %5.2f of %s (%.0f/s)\n", stage_name, a[ROUNDS / 2],
           a[ROUNDS / 2] / l[ROUNDS / 2], limit_name, l[ROUNDS / 2]);
}

/* Decoding */

static const struct decode_keys *lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    struct bench *b = arg;

    for (int i = 0; i < METERS; i++)
        if (memcmp(b->titles[i], title, SYSTEM_TITLE_OCTETS) == 0)
            return &b->keys[i];
    return NULL;
}

static void on_telegram(void *arg, const struct telegram_octets *t)
{
    struct bench *b = arg;
    struct reading r;
    const char *detail;

    must(t->verdict == VERDICT_OK &&
             decode_apdu(b->gcm, t->apdu, t->apdu_len, lookup, b, &r, &detail) == VERDICT_OK,
         "decode");
    if (b->out != NULL)
        b->out->reading = r;
    b->decoded++;
}

/* Hex text to a reading: what mqtt-ingest and decryptor do, without the streams between them. */
static double decode_all(struct bench *b)
{
    struct assembler *a = assembler_new();
    enum payload_form form;
    const char *detail;

    b->decoded = 0;
    for (int i = 0; i < TELEGRAMS; i++) {
        const struct sample *s = &b->samples[i];

        b->octets.len = 0;
        must(payload_octets((const uint8_t *)s->hex, 2 * s->len, &b->octets, &form, &detail) == 0,
             "payload");
        must(assembler_feed(a, b->octets.data, b->octets.len, (struct arrival){0}, on_telegram,
                            b) == 0,
             "feed");
    }
    assembler_free(a);
    must(b->decoded == TELEGRAMS, "count");
    return TELEGRAMS;
}

static double raw_aes(struct bench *b)
{
    gcry_cipher_hd_t cipher;
    uint8_t text[243] = {0}, key[16] = {1}, nonce[12] = {2};

    (void)b;
    must(gcry_cipher_open(&cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_GCM, 0) == 0, "aes");
    for (int i = 0; i < TELEGRAMS * 10; i++) {
        gcry_cipher_setkey(cipher, key, sizeof key);
        gcry_cipher_setiv(cipher, nonce, sizeof nonce);
        gcry_cipher_decrypt(cipher, text, sizeof text, NULL, 0);
    }
    gcry_cipher_close(cipher);
    return TELEGRAMS * 10;
}

/* Records and streams */

static double pack_unpack(struct bench *b)
{
    struct record_memory memory = {0};
    struct buf packed = {0};
    struct record r;

    for (int i = 0; i < TELEGRAMS; i++) {
        size_t at = 0;

        packed.len = 0;
        must(record_pack(&b->samples[i].record, &packed) == 0 &&
                 record_unpack(packed.data, packed.len, &at, &r, &memory) == 0,
             "record");
    }
    buf_free(&packed);
    record_memory_free(&memory);
    return TELEGRAMS;
}

/* One thread pushes n messages of len octets, this one pulls them; key: NULL, or a STREAM_KEY. */
struct pusher {
    size_t n, len;
    const char *endpoint, *key;
};

static void pusher_main(zsock_t *pipe, void *arg)
{
    const struct pusher *p = arg;
    zsock_t *push = zsock_new(ZMQ_PUSH);
    uint8_t *message = calloc(1, p->len);

    must(p->key == NULL || link_key_apply(zsock_resolve(push), p->key, false) == 0, "key");
    must(message != NULL && zmq_connect(zsock_resolve(push), p->endpoint) == 0, "connect");
    zsock_signal(pipe, 0);
    for (size_t i = 0; i < p->n; i++)
        zmq_send(zsock_resolve(push), message, p->len, 0);
    zsock_set_linger(push, -1);
    zsock_destroy(&push);
    free(message);
}

static double push_pull(size_t n, size_t len, const char *key)
{
    char endpoint[64];
    struct pusher p = {n, len, endpoint, key};
    zsock_t *pull = zsock_new(ZMQ_PULL);
    uint8_t *message = malloc(len);
    zactor_t *actor, *door = NULL;

    must(key == NULL || (link_key_open(key, &door) == 0 &&
                         link_key_apply(zsock_resolve(pull), key, true) == 0),
         "key");
    snprintf(endpoint, sizeof endpoint, "ipc:///tmp/zaehlwerk-bench-ipc.%d", (int)getpid());
    must(message != NULL && zmq_bind(zsock_resolve(pull), endpoint) == 0, "bind");
    actor = zactor_new(pusher_main, &p);
    for (size_t i = 0; i < n; i++)
        must(zmq_recv(zsock_resolve(pull), message, len, 0) == (int)len, "recv");
    zactor_destroy(&actor);
    zsock_destroy(&pull);
    link_key_close(&door);
    free(message);
    return (double)n;
}

static double raw_zeromq(struct bench *b)
{
    (void)b;
    return push_pull(100000, 300, NULL);
}

static double batched_zeromq(struct bench *b)
{
    (void)b;
    return push_pull(3000, (size_t)300 * 64, NULL) * 64;
}

static double encrypted_zeromq(struct bench *b)
{
    char key[LINK_KEY_CHARS + 1];

    (void)b;
    must(link_key_make(key) == 0, "key");
    return push_pull(3000, (size_t)300 * 64, key) * 64;
}

/* Stores */

static struct store_conf conf;
static struct store *store;
static int64_t row_time = 1700000000;
static int row_meters = METERS;

/* ROWS new readings of row_meters meters, five seconds apart. */
static double write_rows(struct bench *b)
{
    const struct record *rows[BATCH];
    struct record *copies = calloc(BATCH, sizeof *copies);
    struct store_counts counts;
    char why[STORE_WHY_CHARS];

    must(copies != NULL, "memory");
    for (int done = 0; done < ROWS; done += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            rows[i] = &copies[i];
            copies[i] = b->samples[(done + i) % TELEGRAMS].record;
            copies[i].reading.time = row_time;
            copies[i].arrival_ms = row_time * 1000 + 700 + (done + i) * 37 % 500;
            copies[i].reading.counter = row_time / 5;
            if (row_meters != METERS)
                snprintf(copies[i].reading.meter, sizeof copies[i].reading.meter, "%016X",
                         (done + i) % row_meters);
            if ((done + i + 1) % row_meters == 0)
                row_time += 5;
        }
        must(store_write(store, rows, BATCH, &counts, why) == 0 && counts.readings == BATCH, why);
    }
    free(copies);
    return ROWS;
}

/* The same columns as one table of integers, nothing looked up, nothing checked. */
static double raw_sqlite(struct bench *b)
{
    static sqlite3 *db;
    static int64_t row;
    sqlite3_stmt *q;

    (void)b;
    if (db == NULL) {
        char path[64];

        snprintf(path, sizeof path, "/tmp/zaehlwerk-bench-raw.%d", (int)getpid());
        must(sqlite3_open(path, &db) == SQLITE_OK, "sqlite");
        sqlite3_exec(db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE raw(a PRIMARY "
                     "KEY,b,c,d,e,f,g,h,i,j,k,l,m,n,o) WITHOUT ROWID",
                     NULL, NULL, NULL);
    }
    sqlite3_prepare_v2(db, "INSERT INTO raw VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1, &q, NULL);
    for (int done = 0; done < ROWS; done += BATCH) {
        sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        for (int i = 0; i < BATCH; i++) {
            sqlite3_bind_int64(q, 1, row++);
            for (int c = 2; c <= 15; c++)
                sqlite3_bind_int64(q, c, 230000 + c);
            must(sqlite3_step(q) == SQLITE_DONE, "insert");
            sqlite3_reset(q);
        }
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    }
    sqlite3_finalize(q);
    return ROWS;
}

static double raw_copy(struct bench *b)
{
    static PGconn *c;
    static int64_t row;
    char line[256];

    (void)b;
    if (c == NULL) {
        c = PQconnectdb(conf.url);
        PQclear(PQexec(c,
                       "CREATE TABLE raw(a int8 PRIMARY KEY,b int8,c int8,d int8,e int4,f int4,g "
                       "int4,h int4,i int4,j int4,k int4,l int4,m int4,n int4,o int2)"));
    }
    for (int done = 0; done < ROWS; done += BATCH) {
        PQclear(PQexec(c, "COPY raw FROM STDIN"));
        for (int i = 0; i < BATCH; i++) {
            int n = snprintf(line, sizeof line,
                             "%lld\t1\t40796248\t0\t7\t9\t165\t0\t236300\t231600\t235500\t90\t320\t"
                             "330\t964\n",
                             (long long)row++);

            must(PQputCopyData(c, line, n) == 1, "copy");
        }
        must(PQputCopyEnd(c, NULL) == 1, "copy end");
        PQclear(PQgetResult(c));
        PQclear(PQgetResult(c));
    }
    return ROWS;
}

static void print_sqlite_size(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *q;

    must(sqlite3_open(path, &db) == SQLITE_OK, "open");
    must(sqlite3_prepare_v2(db,
                            "SELECT (SELECT page_count * page_size FROM pragma_page_count(), "
                            "pragma_page_size()) / (SELECT count(*) FROM history_compact)",
                            -1, &q, NULL) == SQLITE_OK &&
             sqlite3_step(q) == SQLITE_ROW,
         "size");
    printf("%-48s %11d octets a reading (the whole file)\n", "SQLite", sqlite3_column_int(q, 0));
    sqlite3_finalize(q);
    sqlite3_close(db);
}

static void print_postgresql_size(void)
{
    PGconn *c = PQconnectdb(conf.url);
    PGresult *r =
        PQexec(c, "SELECT round(pg_table_size('smartmeter.history_compact')::numeric / "
                  "count(*)), round(pg_indexes_size('smartmeter.history_compact')::numeric / "
                  "count(*)) FROM smartmeter.history_compact");

    must(PQntuples(r) == 1, "size");
    printf("%-48s %7s + %s octets a reading (heap + index)\n", "PostgreSQL", PQgetvalue(r, 0, 0),
           PQgetvalue(r, 0, 1));
    PQclear(r);
    PQfinish(c);
}

/* Set-up */

static void make_samples(struct bench *b)
{
    const struct sim_conf sim_conf = {
        .seed = 1, .meters = METERS, .interval_s = 5, .mix = SIM_MIX_T210D};
    struct sim *sim = sim_new(&sim_conf);
    struct sim_meter meter;

    b->samples = calloc(TELEGRAMS, sizeof *b->samples);
    must(sim != NULL && b->samples != NULL, "memory");
    for (int i = 0; i < TELEGRAMS; i++) {
        struct sample *s = &b->samples[i];
        struct frame_telegram telegram;
        struct sim_reading reading;

        sim_meter(sim, (uint32_t)(i % METERS), &meter);
        memcpy(b->titles[i % METERS], meter.title, SYSTEM_TITLE_OCTETS);
        memcpy(b->keys[i % METERS].key, meter.key, KEY_OCTETS);
        b->keys[i % METERS].has_key = true;
        must(sim_read(sim, (int64_t)METERS * 340000000 + i, &reading) == 0 &&
                 frame_encode(b->gcm, &meter, &reading, &telegram) == 0,
             "frame");
        memcpy(s->octets, telegram.octets, telegram.len);
        s->len = telegram.len;
        hex_encode(s->octets, s->len, s->hex);
        s->record.type = RECORD_READING;
        s->record.seq = (uint64_t)i + 1;
        snprintf(s->record.streams, sizeof s->record.streams, "history,debounced");
        snprintf(s->record.topic, sizeof s->record.topic, "sensors/smartmeter");
    }
    sim_free(sim);
    for (int i = 0; i < TELEGRAMS; i++) { /* the readings they decode to */
        struct assembler *a = assembler_new();

        b->out = &b->samples[i].record;
        must(assembler_feed(a, b->samples[i].octets, b->samples[i].len, (struct arrival){0},
                            on_telegram, b) == 0,
             "feed");
        assembler_free(a);
    }
    b->out = NULL;
}

static void open_store(char *url)
{
    static char empty[] = "", schema[] = "smartmeter", table[] = "history";
    char why[STORE_WHY_CHARS] = "";

    conf = (struct store_conf){.url = url,
                               .host = empty,
                               .user = empty,
                               .password = empty,
                               .name = empty,
                               .schema = schema,
                               .table = table};
    store = store_new(&conf);
    must(store != NULL && store_connect(store, why) == 0, why);
}

/* Of one meter, of METERS, and of more than a transaction holds. */
static void bench_store(struct bench *b,
                        const char *name,
                        const char *limit_name,
                        double (*limit)(struct bench *))
{
    static const int meters[] = {1, METERS, 1000};
    char text[64];

    for (size_t i = 0; i < sizeof meters / sizeof meters[0]; i++) {
        row_meters = meters[i];
        snprintf(text, sizeof text, "db-writer, %s, meters %d, 500 a commit", name, row_meters);
        compare(text, write_rows, limit_name, limit, b);
    }
}

static void bench_stores(struct bench *b)
{
    char *postgresql = getenv("BENCH_POSTGRESQL");
    char path[64], url[80], remove[200];

    snprintf(path, sizeof path, "/tmp/zaehlwerk-bench.%d", (int)getpid());
    snprintf(url, sizeof url, "sqlite:%s", path);
    open_store(url);
    bench_store(b, "SQLite", "raw inserts", raw_sqlite);
    store_free(store);
    print_sqlite_size(path);
    snprintf(remove, sizeof remove, "rm -f %s* /tmp/zaehlwerk-bench-raw.%d*", path, (int)getpid());
    must(system(remove) == 0, "rm");
    if (postgresql == NULL)
        return;
    open_store(postgresql);
    bench_store(b, "PostgreSQL", "raw COPY", raw_copy);
    store_free(store);
    print_postgresql_size();
}

int main(void)
{
    struct bench b = {0};

    setvbuf(stdout, NULL, _IOLBF, 0);
    zsys_init();
    b.gcm = gcm_new();
    must(b.gcm != NULL, "libgcrypt");
    make_samples(&b);
    compare("hex text to reading", decode_all, "raw AES-GCM of one frame", raw_aes, &b);
    compare("reading record, pack and unpack", pack_unpack, "raw AES-GCM of one frame", raw_aes,
            &b);
    compare("readings over PUSH/PULL, 64 a message", batched_zeromq, "raw ZeroMQ, one a message",
            raw_zeromq, &b);
    compare("the same with a STREAM_KEY", encrypted_zeromq, "the same without", batched_zeromq, &b);
    bench_stores(&b);
    gcm_free(b.gcm);
    free(b.samples);
    buf_free(&b.octets);
    return 0;
}
