/* Slots: which filters, session and folder each of several ingests has, and who holds them. */
#include "tools.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture.h"
#include "conf.h"
#include "journal.h"
#include "scratch.h"
#include "slots.h"

static char empty[] = "";

static struct slots_conf conf_of(int64_t count, bool shared)
{
    static char folder[96];

    snprintf(folder, sizeof folder, "%s/ingest", scratch);
    return (struct slots_conf){.folder = folder, .count = count, .fixed = empty, .shared = shared};
}

/* The filters of a slot, joined by blanks. */
static const char *dealt(int64_t count, bool shared, const char *all, int number)
{
    static char text[256];
    const struct slots_conf c = {.count = count, .shared = shared};
    char **filters = conf_list(all), **own;

    assert_non_null(filters);
    own = slot_filters(&c, number, filters);
    assert_non_null(own);
    text[0] = '\0';
    for (size_t i = 0; own[i] != NULL; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "", own[i]);
    free(own);
    free(filters);
    return text;
}

static void filters_are_dealt_out(void **state)
{
    static const struct row {
        int64_t count;
        bool shared;
        const char *all;
        int number;
        const char *own;
    } rows[] = {
        {1, false, "a", 0, "a"},
        {1, false, "a,b/+,c/#", 0, "a b/+ c/#"},
        {2, false, "a,b,c", 0, "a c"},
        {2, false, "a,b,c", 1, "b"},
        {3, false, "a,b,c,d,e", 1, "b e"},
        {2, false, "a", 1, ""},
        {1, true, "a", 0, "$share/zaehlwerk/a"},
        {9, true, "a/+,b", 8, "$share/zaehlwerk/a/+ $share/zaehlwerk/b"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(dealt(rows[i].count, rows[i].shared, rows[i].all, rows[i].number),
                            rows[i].own);
}

static void settings_are_checked(void **state)
{
    static const struct row {
        int64_t count;
        bool shared;
        const char *fixed, *filters, *named; /* the variable that is wrong, or NULL */
    } rows[] = {
        {1, false, "", "a", NULL},
        {1, false, "", "a/+,a/b", NULL}, /* one session: the broker sends it once or twice */
        {2, false, "", "a,b", NULL},
        {2, false, "", "a,b,c", NULL},
        {2, false, "", "a", "INGEST_SLOTS"},
        {3, false, "", "a,b", "INGEST_SLOTS"},
        {3, true, "", "a", NULL},
        {2, false, "", "a/+,a/b", "SMARTMETER_RAWDATA_MQTT_TOPIC"},
        {2, false, "", "a/+,b,a/c", NULL}, /* both of slot 0 */
        {2, false, "", "a/+,b,c,+/x", "SMARTMETER_RAWDATA_MQTT_TOPIC"},
        {2, false, "", "a,a", "SMARTMETER_RAWDATA_MQTT_TOPIC"},
        {2, true, "", "a/+,a/b", NULL},
        {2, false, "0", "a,b", NULL},
        {2, false, "1", "a,b", NULL},
        {2, false, "mqtt-ingest-1", "a,b", NULL},
        {2, false, "2", "a,b", "INGEST_SLOT"},
        {2, false, "-1", "a,b", "INGEST_SLOT"},
        {2, false, "mqtt-ingest-2", "a,b", "INGEST_SLOT"},
        {2, false, "mqtt-ingest", "a,b", "INGEST_SLOT"},
        {2, false, "mqtt-ingest-", "a,b", "INGEST_SLOT"},
        {2, false, "1x", "a,b", "INGEST_SLOT"},
        {2, false, "99999999999999999999", "a,b", "INGEST_SLOT"},
    };
    static struct capture capture;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slots_conf c = conf_of(rows[i].count, rows[i].shared);
        char fixed[32], name[64];
        char **filters = conf_list(rows[i].filters);
        const char *log;
        int rc;

        snprintf(fixed, sizeof fixed, "%s", rows[i].fixed);
        c.fixed = fixed;
        capture_begin(&capture);
        rc = slots_check(&c, filters);
        log = capture_end(&capture);
        free(filters);
        snprintf(name, sizeof name, "variable=%s ", rows[i].named == NULL ? "" : rows[i].named);
        if ((rc == 0) != (rows[i].named == NULL) || (rc != 0 && strstr(log, name) == NULL))
            fail_msg("row %zu: %d %s", i, rc, log);
    }
}

static void sessions_are_named(void **state)
{
    static const char *const names[] = {"ingest", "ingest-1", "ingest-2"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        char *id = slot_client_id("ingest", i);

        assert_string_equal(id, names[i]);
        free(id);
    }
}

static void the_lowest_free_slot_is_taken(void **state)
{
    const struct slots_conf c = conf_of(3, false);
    struct slot s[4] = {{.held = false}};
    char why[SLOT_WHY_CHARS];
    struct stat st;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(slot_take(&s[i], &c, -1, why), 0);
        assert_int_equal(s[i].number, i);
    }
    assert_int_equal(slot_take(&s[3], &c, -1, why), -EBUSY);
    assert_false(s[3].held);
    assert_int_equal(slot_take(&s[3], &c, 1, why), -EBUSY);
    slot_release(&s[1]);
    slot_release(&s[1]);
    assert_int_equal(slot_take(&s[3], &c, -1, why), 0);
    assert_int_equal(s[3].number, 1);
    slot_release(&s[3]);
    assert_int_equal(slot_take(&s[3], &c, 7, why), 0); /* to retire it: beyond the count */
    assert_int_equal(stat(scratch_path("ingest/slot-7/lock"), &st), 0);
    assert_int_equal(slot_remove(&s[3]), 0);
    assert_int_equal(stat(scratch_path("ingest/slot-7"), &st), -1);
    for (int i = 0; i < 4; i++)
        slot_release(&s[i]);
}

static void a_wrong_folder_is_told(void **state)
{
    struct slots_conf c = conf_of(1, false);
    char file[128], nowhere[] = "/nowhere/at/all";
    struct slot s = {.held = false};
    char why[SLOT_WHY_CHARS];

    (void)state;
    snprintf(file, sizeof file, "%s", scratch_write("file", ""));
    c.folder = file;
    assert_int_equal(slot_take(&s, &c, -1, why), -ENOTDIR);
    assert_string_equal(why, "Not a directory");
    c.folder = nowhere;
    assert_int_equal(slot_take(&s, &c, -1, why), -ENOENT);
}

/* A lock on a file that was removed meanwhile locks nothing. */
static void a_removed_lock_is_none(void **state)
{
    const struct slots_conf c = conf_of(1, false);
    struct slot first = {.held = false}, second = {.held = false};
    char why[SLOT_WHY_CHARS];
    int waiting;

    (void)state;
    assert_int_equal(slot_take(&first, &c, -1, why), 0);
    waiting = open(scratch_path("ingest/slot-0/lock"), O_RDWR | O_CLOEXEC);
    assert_int_equal(slot_remove(&first), 0);
    assert_int_equal(slot_take(&second, &c, -1, why), 0); /* a new folder, a new lock */
    assert_int_equal(flock(waiting, LOCK_EX | LOCK_NB), 0);
    close(waiting);
    assert_int_equal(slot_take(&first, &c, -1, why), -EBUSY);
    slot_release(&second);
}

/* A process with three entries in its journal that dies without closing it. */
static void die_with_a_journal(const char *path)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0) {
        char why[JOURNAL_WHY_CHARS];
        struct journal *j;
        int rc = journal_open(path, 0, (const char *const[]){"history", NULL}, &j, why);

        for (int i = 0; rc == 0 && i < 3; i++) {
            const struct journal_telegram t = {.seq = journal_next(j), .owed = 1};
            const struct journal_entry e = {.seq = t.seq, .topic = "t", .arrival_ms = 1};

            rc = journal_append(j, &e, &t, 1, 0, why);
        }
        _exit(rc == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void neighbours_are_seen(void **state)
{
    const struct slots_conf c = conf_of(2, false);
    struct slot s = {.held = false};
    char why[SLOT_WHY_CHARS], *path, *wal;
    struct stat before, after;
    bool seen[SLOTS_MAX];
    struct journal *j;
    int64_t n;

    (void)state;
    slots_list(&c, seen);
    assert_false(seen[0]);
    assert_int_equal(slot_look(&c, 0, &n), SLOT_EMPTY); /* no folder: it makes none */
    slots_list(&c, seen);
    assert_false(seen[0]);
    assert_int_equal(slot_take(&s, &c, 1, why), 0);
    slots_list(&c, seen);
    assert_true(!seen[0] && seen[1] && !seen[2]);
    assert_int_equal(slot_look(&c, 1, &n), SLOT_SERVED);
    path = slot_path(&s, "journal");
    wal = slot_path(&s, "journal-wal");
    slot_release(&s);
    assert_int_equal(slot_look(&c, 1, &n), SLOT_EMPTY);
    assert_int_equal(n, 0);

    die_with_a_journal(path);
    assert_int_equal(stat(wal, &before), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(slot_look(&c, 1, &n), SLOT_ORPHAN);
        assert_int_equal(n, 3);
    }
    assert_int_equal(stat(wal, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(after.st_mtime, before.st_mtime);

    assert_int_equal(slot_take(&s, &c, 1, why), 0); /* the lock was let go */
    assert_int_equal(journal_open(path, 50, (const char *const[]){"history", NULL}, &j, why), 0);
    assert_int_equal(journal_next(j), 4);
    journal_ack(j, &(struct journal_ack){1, 3, 0, 1}, 1);
    journal_close(j);
    slot_release(&s);
    assert_int_equal(slot_look(&c, 1, &n), SLOT_EMPTY);

    scratch_write("ingest/slot-1/journal",
                  "this is no database, but longer than its header ............"
                  "............................................................");
    assert_int_equal(slot_look(&c, 1, &n), SLOT_ORPHAN);
    assert_true(n < 0);
    scratch_write("ingest/slot-1/journal", "");
    assert_int_equal(slot_look(&c, 1, &n), SLOT_EMPTY);
    free(path);
    free(wal);
}

static void filters_are_noted(void **state)
{
    char a[] = "a/+", b[] = "b", shared[] = "$share/zaehlwerk/c";
    char *const own[] = {a, b, NULL}, *const left[] = {shared, NULL};
    const struct slots_conf c = conf_of(1, false);
    struct slot s = {.held = false};
    char why[SLOT_WHY_CHARS];
    char **list;

    (void)state;
    list = slot_read_note(&c, 0, SLOT_MAYBE);
    assert_null(list[0]);
    free(list);
    assert_int_equal(slot_take(&s, &c, -1, why), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(slot_write_note(&s, SLOT_MAYBE, own, i == 0 ? left : own + 2), 0);
        list = slot_read_note(&c, 0, SLOT_MAYBE);
        assert_string_equal(list[0], "a/+");
        assert_string_equal(list[1], "b");
        if (i == 0)
            assert_string_equal(list[2], "$share/zaehlwerk/c");
        assert_null(list[i == 0 ? 3 : 2]);
        free(list);
    }
    assert_int_equal(slot_remove(&s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_dealt_out),
        cmocka_unit_test_setup_teardown(settings_are_checked, scratch_open, scratch_close),
        cmocka_unit_test(sessions_are_named),
        cmocka_unit_test_setup_teardown(the_lowest_free_slot_is_taken, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(a_wrong_folder_is_told, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(a_removed_lock_is_none, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(neighbours_are_seen, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(filters_are_noted, scratch_open, scratch_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
