/* The journal: what is appended stays until every stream has acknowledged it, and no longer. */
#include "tools.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "capture.h"
#include "journal.h"
#include "scratch.h"

enum { HISTORY = 1, DEBOUNCED = 2, BOTH = 3 };
#define ITSELF UINT64_MAX /* the appended entry is the one that is open */

static const char *const both[] = {"history", "debounced", NULL};

static struct journal *open_owing(const char *const *streams)
{
    struct journal *j = NULL;
    char why[JOURNAL_WHY_CHARS] = "";

    if (journal_open(scratch_path("journal"), 50, streams, &j, why) != 0)
        fail_msg("open: %s", why);
    return j;
}

static struct journal *open_journal(void)
{
    return open_owing(both);
}

/* Change the closed journal's file by another hand. */
static void change(const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(scratch_path("journal"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Append an entry with n telegrams; spread: with their records. */
static uint64_t append(
    struct journal *j, const char *topic, int64_t arrival_ms, size_t n, bool spread, uint64_t open)
{
    struct journal_entry e = {.seq = journal_next(j),
                              .topic = topic,
                              .arrival_ms = arrival_ms,
                              .payload = (const uint8_t *)topic,
                              .len = strlen(topic)};
    struct journal_telegram t[8];
    char why[JOURNAL_WHY_CHARS] = "";

    for (size_t i = 0; i < n; i++)
        t[i] = (struct journal_telegram){.seq = e.seq,
                                         .index = (uint32_t)i,
                                         .owed = BOTH,
                                         .record = spread ? (const uint8_t *)"record" : NULL,
                                         .len = spread ? 6 : 0};
    if (journal_append(j, &e, t, n, open == ITSELF ? e.seq : open, why) != 0)
        fail_msg("append: %s", why);
    return e.seq;
}

static int64_t
ack(struct journal *j, uint64_t first, uint64_t last, uint32_t index, unsigned stream)
{
    const struct journal_ack a = {first, last, index, stream};

    return journal_ack(j, &a, 1);
}

struct seen {
    size_t count;
    uint64_t seq[32];
    uint32_t index[32];
    unsigned owed[32];
    bool has_record[32];
    char payload[32][16];
};

static void see(void *arg, const struct journal_owed *o)
{
    struct seen *s = arg;

    s->seq[s->count] = o->telegram.seq;
    s->index[s->count] = o->telegram.index;
    s->owed[s->count] = o->telegram.owed;
    s->has_record[s->count] = o->telegram.record != NULL;
    snprintf(s->payload[s->count], 16, "%.*s", (int)o->entry.len, (const char *)o->entry.payload);
    s->count++;
}

static struct seen owed(struct journal *j)
{
    struct seen s = {0};

    journal_owed_after(j, 0, 0, INT64_MAX, 32, see, &s);
    return s;
}

static void count_entry(void *arg, const struct journal_entry *e)
{
    struct seen *s = arg;

    s->index[s->count] = e->decided;
    s->seq[s->count++] = e->seq;
}

static struct seen opened(struct journal *j)
{
    struct seen s = {0};

    assert_int_equal(journal_open_entries(j, count_entry, &s), 0);
    return s;
}

static void check_empty(struct journal *j)
{
    struct journal_level level;

    journal_measure(j, &level);
    assert_int_equal(level.telegrams, 0);
    assert_int_equal(level.oldest_ms, 0);
    assert_int_equal(owed(j).count, 0);
    assert_int_equal(opened(j).count, 0);
}

static void stays_until_every_stream_acked(void **state)
{
    struct journal *j = open_journal();
    uint64_t seq = append(j, "a", 1000, 1, false, 0);

    (void)state;
    assert_int_equal(ack(j, seq, seq, 0, HISTORY), 0);
    assert_int_equal(owed(j).owed[0], DEBOUNCED);
    assert_int_equal(ack(j, seq, seq, 0, HISTORY), 0); /* twice is once */
    assert_int_equal(ack(j, seq, seq, 0, DEBOUNCED), 1);
    check_empty(j);
    journal_close(j);
}

static void only_what_is_named_goes(void **state)
{
    struct journal *j = open_journal();

    (void)state;
    for (int i = 0; i < 5; i++)
        append(j, "a", 1000 + i, 2, false, 0);
    assert_int_equal(ack(j, 2, 4, 1, BOTH), 3); /* index 1 alone */
    assert_int_equal(owed(j).count, 7);
    assert_int_equal(ack(j, 2, 4, 0, BOTH), 3);
    assert_int_equal(owed(j).count, 4);
    assert_int_equal(ack(j, 0, INT64_MAX, 7, BOTH), 0); /* an index that is not there */
    assert_int_equal(owed(j).count, 4);
    journal_close(j);
}

static void survives_closing_with_what_is_owed(void **state)
{
    struct journal *j = open_journal();
    struct seen s;

    (void)state;
    append(j, "a", 1000, 1, false, 0);
    append(j, "b", 2000, 2, true, 0);
    ack(j, 1, 1, 0, HISTORY);
    journal_close(j);

    j = open_journal();
    s = owed(j);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.owed[0], DEBOUNCED);
    assert_string_equal(s.payload[0], "a");
    assert_false(s.has_record[0]);
    assert_true(s.has_record[2]);
    assert_int_equal(journal_next(j), 3); /* numbers go on */
    journal_close(j);
}

static void streams_of_before_are_masked(void **state)
{
    struct journal *j = open_journal();

    (void)state;
    append(j, "a", 1000, 1, false, 0);
    append(j, "b", 1000, 1, false, 0);
    ack(j, 1, 1, 0, HISTORY); /* owes debounced only, which nobody asks for any more */
    journal_close(j);
    j = open_owing((const char *const[]){"history", NULL});
    assert_int_equal(owed(j).count, 1);
    assert_int_equal(owed(j).seq[0], 2);
    assert_int_equal(ack(j, 2, 2, 0, HISTORY), 1);
    check_empty(j);
    journal_close(j);
}

static void a_stream_is_known_by_its_name(void **state)
{
    struct journal *j = open_journal();
    unsigned history, debounced;

    (void)state;
    append(j, "a", 1000, 1, false, 0);
    ack(j, 1, 1, 0, journal_stream(j, "history"));
    journal_close(j);
    j = open_owing((const char *const[]){"archive", "debounced", "history", NULL});
    history = journal_stream(j, "history");
    debounced = journal_stream(j, "debounced");
    assert_int_equal(journal_streams(j), history | debounced | journal_stream(j, "archive"));
    assert_int_equal(journal_stream(j, "other"), 0);
    assert_int_equal(owed(j).owed[0], debounced); /* and no archive: it was not asked for then */
    assert_int_equal(ack(j, 1, 1, 0, history), 0);
    assert_int_equal(ack(j, 1, 1, 0, debounced), 1);
    check_empty(j);
    journal_close(j);
}

static void streams_are_bounded(void **state)
{
    const char *streams[JOURNAL_STREAMS + 2] = {NULL};
    char names[JOURNAL_STREAMS + 1][4], why[JOURNAL_WHY_CHARS] = "";
    struct journal *j = NULL;

    (void)state;
    for (int i = 0; i <= JOURNAL_STREAMS; i++) {
        snprintf(names[i], sizeof names[i], "%d", i);
        streams[i] = names[i];
    }
    assert_int_equal(journal_open(scratch_path("journal"), 50, streams, &j, why), -E2BIG);
    streams[JOURNAL_STREAMS] = NULL;
    j = open_owing(streams);
    assert_int_equal(journal_streams(j), 0xFFFF);
    journal_close(j);
}

/* Break off the log in its last frame; octets of an earlier round may stand behind it. */
static void tear(const char *wal)
{
    enum { HEADER = 32, FRAME = 24 + 4096 };
    uint8_t header[HEADER], frame[16];
    int fd = open(wal, O_RDWR);
    off_t at = HEADER;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, header, sizeof header, 0), sizeof header);
    while (pread(fd, frame, sizeof frame, at) == sizeof frame &&
           memcmp(frame + 8, header + 16, 8) == 0)
        at += FRAME;
    assert_true(at > HEADER);
    assert_int_equal(ftruncate(fd, at - 100), 0);
    close(fd);
}

/* A copy as a power cut leaves it: the log breaks off in its last transaction. */
static void a_cut_tail_is_cut_and_told(void **state)
{
    struct journal *j = open_journal();
    static struct capture capture;
    char command[512];
    struct seen s;

    (void)state;
    append(j, "whole", 1000, 1, false, 0);
    append(j, "torn", 2000, 1, false, 0);
    snprintf(command, sizeof command, "cd %s && cp journal cut && cp journal-wal cut-wal", scratch);
    assert_int_equal(system(command), 0);
    journal_close(j);
    tear(scratch_path("cut-wal"));
    snprintf(command, sizeof command, "cd %s && mv cut journal && mv cut-wal journal-wal", scratch);
    assert_int_equal(system(command), 0);
    capture_begin(&capture);
    j = open_journal();
    assert_non_null(strstr(capture_end(&capture), "event=cut"));
    s = owed(j);
    assert_int_equal(s.count, 1);
    assert_string_equal(s.payload[0], "whole");
    assert_int_equal(journal_next(j), 2);
    journal_close(j);
    capture_begin(&capture);
    j = open_journal(); /* told once */
    assert_null(strstr(capture_end(&capture), "event=cut"));
    journal_close(j);
}

static void what_decides_nothing_is_not_kept(void **state)
{
    struct journal *j = open_journal();

    (void)state;
    append(j, "idle", 1000, 0, false, 0);
    check_empty(j);
    journal_close(j);
}

static void open_octets_keep_their_entries(void **state)
{
    struct journal *j = open_journal();
    uint64_t first = append(j, "t", 1000, 0, false, ITSELF); /* the first half of a telegram */
    uint64_t other = append(j, "u", 1500, 0, false, ITSELF);
    uint64_t second;

    (void)state;
    assert_int_equal(opened(j).count, 2);
    assert_int_equal(owed(j).count, 0);
    second = append(j, "t", 2000, 1, true, 0); /* the rest: its record is kept whole */
    assert_int_equal(opened(j).count, 1);
    assert_int_equal(opened(j).seq[0], other);
    assert_int_equal(owed(j).seq[0], second);
    assert_int_equal(ack(j, second, second, 0, BOTH), 1);
    assert_true(first < second);
    assert_int_equal(opened(j).count, 1);
    journal_close(j);
}

static void a_chain_of_halves_does_not_grow(void **state)
{
    struct journal *j = open_journal();

    (void)state;
    append(j, "t", 1000, 0, false, ITSELF);
    for (int64_t i = 2; i < 20; i++) { /* each ends one telegram and begins the next */
        uint64_t seq = append(j, "t", i * 1000, 1, true, ITSELF);

        assert_int_equal(opened(j).count, 1);
        assert_int_equal(opened(j).index[0], 1); /* of what is decided next */
        assert_int_equal(ack(j, seq, seq, 0, BOTH), 1);
        assert_int_equal(opened(j).count, 1); /* its second half is still needed */
    }
    journal_close(j);
}

/* Whatever waits on its topic goes on waiting, and it never waits itself. */
static void a_replay_stands_alone(void **state)
{
    struct journal *j = open_journal();
    uint64_t half = append(j, "t", 1000, 0, false, 1000);
    struct journal_entry e = {.seq = journal_next(j), .topic = "t", .arrival_ms = 5, .alone = true};
    const struct journal_telegram t = {.seq = e.seq, .owed = BOTH};
    char why[JOURNAL_WHY_CHARS] = "";

    (void)state;
    assert_int_equal(journal_append(j, &e, &t, 1, 1000, why), 0);
    assert_int_equal(opened(j).count, 1);
    assert_int_equal(opened(j).seq[0], half);
    assert_int_equal(owed(j).count, 1);
    assert_int_equal(ack(j, e.seq, e.seq, 0, BOTH), 1);
    assert_int_equal(opened(j).count, 1);
    journal_close(j);
}

static void time_decides_what_stayed_open(void **state)
{
    struct journal *j = open_journal();
    uint64_t seq = append(j, "t", 1000, 0, false, ITSELF);
    const struct journal_telegram t = {
        .seq = seq, .owed = BOTH, .record = (const uint8_t *)"truncated", .len = 9};

    (void)state;
    assert_int_equal(journal_decide(j, &t), 0);
    assert_int_equal(opened(j).count, 0);
    assert_true(owed(j).has_record[0]);
    assert_int_equal(ack(j, seq, seq, 0, BOTH), 1);
    check_empty(j);
    journal_close(j);
}

static int64_t kept_since(struct journal *j)
{
    struct journal_level level;

    journal_measure(j, &level);
    return level.kept_ms;
}

/* What every stream has acknowledged stays until it is older than it shall get. */
static void settled_ones_are_kept(void **state)
{
    struct journal *j = open_journal();

    (void)state;
    for (int i = 1; i <= 5; i++)
        append(j, "a", i * 1000, 2, i == 3, 0);
    ack(j, 1, 5, 0, BOTH);
    ack(j, 1, 4, 1, BOTH);
    assert_int_equal(owed(j).count, 1);
    assert_int_equal(kept_since(j), 1000);
    journal_trim(j, 3000);
    assert_int_equal(kept_since(j), 3000);
    journal_close(j);

    j = open_journal();
    assert_int_equal(kept_since(j), 3000);
    assert_int_equal(owed(j).count, 1);
    assert_int_equal(journal_next(j), 6);
    assert_int_equal(ack(j, 5, 5, 1, BOTH), 1);
    check_empty(j);
    journal_trim(j, INT64_MAX);
    assert_int_equal(kept_since(j), 0);
    journal_close(j);
}

/* An outage is older than what may be kept: it is owed all the same, and gone when it is not. */
static void owed_ones_are_not_trimmed(void **state)
{
    struct journal *j = open_journal();

    (void)state;
    append(j, "a", 1000, 1, false, 0);
    append(j, "b", 2000, 0, false, ITSELF);
    append(j, "c", 3000, 1, false, 0);
    ack(j, 3, 3, 0, BOTH);
    journal_trim(j, 9000);
    assert_int_equal(kept_since(j), 0);
    assert_int_equal(owed(j).count, 1);
    assert_int_equal(opened(j).count, 1);
    ack(j, 1, 1, 0, BOTH);
    append(j, "d", 10000, 1, false, 0);
    ack(j, 4, 4, 0, BOTH);
    journal_close(j);
    j = open_journal();
    assert_int_equal(kept_since(j), 2000); /* the one that is open, and then the last */
    journal_trim(j, 9000);
    assert_int_equal(kept_since(j), 10000);
    journal_close(j);
}

static void nothing_is_kept_without_room(void **state)
{
    struct journal *j = open_journal();

    (void)state;
    journal_trim(j, INT64_MAX);
    append(j, "a", 1000, 1, false, 0);
    ack(j, 1, 1, 0, BOTH);
    journal_close(j);
    j = open_journal();
    assert_int_equal(kept_since(j), 0);
    journal_trim(j, INT64_MAX);
    journal_trim(j, 500); /* there is room again */
    append(j, "b", 2000, 1, false, 0);
    ack(j, 1, 1, 0, BOTH);
    assert_int_equal(kept_since(j), 2000);
    journal_close(j);
}

/* A replayed reject has its old arrival: what is young before it stays. */
static void an_old_one_among_young_ones(void **state)
{
    struct journal *j = open_journal();

    (void)state;
    append(j, "a", 1000, 1, false, 0);
    append(j, "a", 5000, 1, false, 0);
    append(j, "replayed", 10, 1, true, 0);
    append(j, "a", 6000, 1, false, 0);
    ack(j, 1, 4, 0, BOTH);
    assert_int_equal(journal_trim(j, 3000), 0);
    assert_int_equal(kept_since(j), 5000);
    assert_int_equal(journal_trim(j, 5500), 0);
    assert_int_equal(kept_since(j), 6000);
    journal_close(j);
}

static void trimming_fails(void **state)
{
    struct journal *j = open_journal();
    static struct capture said;
    int rc;

    (void)state;
    append(j, "a", 1000, 1, false, 0);
    ack(j, 1, 1, 0, BOTH);
    journal_close(j);
    change("CREATE TRIGGER failing BEFORE DELETE ON telegrams BEGIN SELECT raise(FAIL, 'no'); END");
    j = open_journal();
    capture_begin(&said);
    rc = journal_trim(j, INT64_MAX);
    assert_non_null(strstr(capture_end(&said), "event=journal"));
    assert_int_equal(rc, -EIO);
    assert_int_equal(kept_since(j), 1000);
    journal_close(j);
    change("DROP TRIGGER failing");
    j = open_journal();
    assert_int_equal(journal_trim(j, INT64_MAX), 0);
    assert_int_equal(kept_since(j), 0);
    journal_close(j);
}

static void a_refill_owes_again_once(void **state)
{
    struct journal *j = open_journal();
    struct seen s;

    (void)state;
    append(j, "a", 1000, 1, false, 0);
    append(j, "b", 2000, 2, true, 0);
    append(j, "c", 3000, 1, false, 0);
    ack(j, 1, 2, 0, BOTH);
    ack(j, 2, 2, 1, BOTH);
    ack(j, 3, 3, 0, HISTORY);
    assert_int_equal(journal_refill(j, 2000), 3);
    s = owed(j);
    assert_int_equal(s.count, 3);
    for (size_t i = 0; i < s.count; i++)
        assert_int_equal(s.owed[i], BOTH);
    assert_true(s.has_record[0]);
    assert_string_equal(s.payload[2], "c");
    ack(j, 1, 3, 0, BOTH);
    ack(j, 2, 2, 1, BOTH);
    check_empty(j);
    journal_close(j);
    j = open_journal();
    assert_int_equal(journal_refill(j, 2000), -EALREADY); /* the setting stands there still */
    check_empty(j);
    assert_int_equal(journal_refill(j, 0), 4);
    journal_close(j);
}

/* A journal of 0.1.0's first weeks. */
static void format_1_is_brought_up(void **state)
{
    static const char old[] =
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; "
        "CREATE TABLE entries (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, arrival INTEGER NOT "
        "NULL, payload BLOB NOT NULL, open INTEGER NOT NULL, clock INTEGER NOT NULL);"
        "CREATE INDEX entries_open ON entries (topic) WHERE open = 1;"
        "CREATE TABLE telegrams (seq INTEGER NOT NULL, idx INTEGER NOT NULL, owed INTEGER NOT "
        "NULL, record BLOB, PRIMARY KEY (seq, idx)) WITHOUT ROWID;"
        "CREATE TABLE streams (bit INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
        "INSERT INTO streams VALUES (0, 'history'), (1, 'debounced');"
        "INSERT INTO entries VALUES (7, 'a', 1000, 'a', 0, 1), (8, 'b', 2000, 'b', 1, 1);"
        "INSERT INTO telegrams VALUES (7, 0, 2, NULL); PRAGMA user_version = 1";
    struct journal *j;

    (void)state;
    change(old);
    for (int i = 0; i < 2; i++) {
        j = open_journal();
        assert_int_equal(owed(j).count, 1);
        assert_int_equal(owed(j).owed[0], DEBOUNCED);
        assert_int_equal(opened(j).seq[0], 8);
        assert_int_equal(journal_next(j), 9);
        journal_close(j);
    }
    j = open_journal();
    assert_int_equal(ack(j, 7, 7, 0, DEBOUNCED), 1);
    assert_int_equal(journal_refill(j, 500), 1);
    journal_close(j);
}

static void one_process_at_a_time(void **state)
{
    struct journal *j = open_journal(), *second = NULL;
    char why[JOURNAL_WHY_CHARS] = "";

    (void)state;
    append(j, "a", 1000, 1, false, 0);
    assert_int_equal(journal_open(scratch_path("journal"), 50, both, &second, why), -EBUSY);
    assert_null(second);
    assert_true(*why != '\0');
    journal_close(j);
}

static void a_newer_format_is_refused(void **state)
{
    struct journal *j = open_journal();
    char command[256], why[JOURNAL_WHY_CHARS] = "";

    (void)state;
    journal_close(j);
    snprintf(command, sizeof command, "sqlite3 %s 'PRAGMA user_version = 99'",
             scratch_path("journal"));
    assert_int_equal(system(command), 0);
    assert_int_equal(journal_open(scratch_path("journal"), 50, both, &j, why), -ENOTSUP);
    assert_non_null(strstr(why, "99"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define JOURNAL_TEST(f) cmocka_unit_test_setup_teardown(f, scratch_open, scratch_close)
        JOURNAL_TEST(stays_until_every_stream_acked),
        JOURNAL_TEST(only_what_is_named_goes),
        JOURNAL_TEST(survives_closing_with_what_is_owed),
        JOURNAL_TEST(streams_of_before_are_masked),
        JOURNAL_TEST(a_stream_is_known_by_its_name),
        JOURNAL_TEST(streams_are_bounded),
        JOURNAL_TEST(a_cut_tail_is_cut_and_told),
        JOURNAL_TEST(what_decides_nothing_is_not_kept),
        JOURNAL_TEST(open_octets_keep_their_entries),
        JOURNAL_TEST(a_chain_of_halves_does_not_grow),
        JOURNAL_TEST(time_decides_what_stayed_open),
        JOURNAL_TEST(a_replay_stands_alone),
        JOURNAL_TEST(settled_ones_are_kept),
        JOURNAL_TEST(owed_ones_are_not_trimmed),
        JOURNAL_TEST(an_old_one_among_young_ones),
        JOURNAL_TEST(trimming_fails),
        JOURNAL_TEST(nothing_is_kept_without_room),
        JOURNAL_TEST(a_refill_owes_again_once),
        JOURNAL_TEST(format_1_is_brought_up),
        JOURNAL_TEST(one_process_at_a_time),
        JOURNAL_TEST(a_newer_format_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
