/* The embedded store's file: made, brought up to date once, and refused when it is none of ours. */
#include "stores.h"

#include <sys/stat.h>

#define COUNT_VERSIONS "SELECT count(*) = max(version) FROM zaehlwerk_schema"

static const char *db_path(void)
{
    return url + strlen("sqlite:");
}

static void change(const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(db_path(), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void migrations_are_applied_once(void **state)
{
    struct record r = three_phases(1000, 5);
    struct store *s = open_store(0);
    char why[STORE_WHY_CHARS];

    (void)state;
    assert_non_null(strstr(capture.text, "event=migrated"));
    assert_string_equal(s->ops->name, "sqlite");
    write_rows(s, &r, 1, 0);
    assert_int_equal(store_connect(s, why), 0); /* again, by the same program */
    assert_true(store_alive(s));
    write_rows(s, &r, 1, 0);
    store_free(s);
    s = open_store(0); /* and by the next */
    assert_string_equal(capture.text, "");
    assert_int_equal(write_rows(s, &r, 1, 0).readings, 0);
    store_free(s);
    check(COUNT_VERSIONS, "1;");
    check("SELECT count(*) FROM history", "1;");
    check("PRAGMA journal_mode", "wal;");
}

static void a_newer_database_is_refused(void **state)
{
    struct record r = three_phases(1000, 5);
    struct store *s = open_store(0);

    (void)state;
    store_free(s);
    change("INSERT INTO zaehlwerk_schema (version) VALUES (9999)");
    s = open_store(-EINVAL);
    assert_non_null(strstr(capture.text, "DB_URL"));
    assert_non_null(strstr(capture.text, "newer"));
    assert_false(store_alive(s));
    write_rows(s, &r, 1, -EAGAIN);
    store_free(s);
    check("SELECT count(*) FROM history", "0;");
    change("DELETE FROM zaehlwerk_schema WHERE version = 9999"); /* nothing else was touched */
    s = open_store(0);
    assert_int_equal(write_rows(s, &r, 1, 0).readings, 1);
    store_free(s);
}

static void the_table_has_the_name_that_is_set(void **state)
{
    struct record rows[] = {three_phases(1200, 5), three_phases(1200, 5)};
    struct store *s;

    (void)state;
    snprintf(table, sizeof table, "strom_2");
    rows[1].type = RECORD_DEBOUNCED;
    rows[1].window = 1200;
    s = open_store(0);
    write_rows(s, rows, 2, 0);
    store_free(s);
    check("SELECT time, u1 FROM strom_2", "1200 233.8;");
    check("SELECT window_start, u1 FROM strom_2debounced", "1200 233.8;");
    check("SELECT count(*) FROM sqlite_master WHERE name LIKE '%history%' OR sql LIKE '%@%'", "0;");
}

static void the_default_names_work_in_any_case(void **state)
{
    struct store *s = open_store(0);

    (void)state;
    store_free(s);
    check("SELECT count(*) FROM historyDebounced", "0;"); /* as the original's queries spell it */
}

static void what_cannot_be_opened_may_be_later(void **state)
{
    struct record r = three_phases(1000, 5);
    char why[STORE_WHY_CHARS] = "";
    struct store *s = store_new(&conf);

    (void)state;
    write_rows(s, &r, 1, -EAGAIN); /* not connected yet */
    assert_false(store_alive(s));
    store_free(s);

    snprintf(url, sizeof url, "sqlite:%s/absent/z.sqlite", scratch);
    s = open_store(-EAGAIN);
    assert_int_equal(store_probe(s, why), -EAGAIN);
    assert_non_null(strstr(why, "absent"));
    assert_int_equal(mkdir(scratch_path("absent"), 0700), 0);
    assert_int_equal(store_probe(s, why), 0);
    assert_int_equal(access(db_path(), F_OK), -1); /* a probe writes nothing */
    store_free(s);
    s = open_store(0);
    assert_int_equal(store_probe(s, why), 0);
    assert_int_equal(write_rows(s, &r, 1, 0).readings, 1);
    store_free(s);

    snprintf(
        url, sizeof url, "sqlite:%s",
        scratch_write("letter.txt",
                      "Dear reader, I am no database, though long enough to be taken for one.\n"));
    s = open_store(-EAGAIN);
    store_free(s);
    store_free(NULL);
}

/* Settings under which acknowledged readings would be gone, or that no store can use. */
static void settings_are_checked(void **state)
{
    static const struct row {
        const char *why, *url, *host;
        int64_t port;
        const char *schema, *table, *variable; /* NULL: fine */
    } rows[] = {
        {"nothing set", "", "", 5432, "smartmeter", "history", NULL},
        {"SQLite", "sqlite:/tmp/z.sqlite", "", 5432, "smartmeter", "history", NULL},
        {"PostgreSQL", "postgresql://u:p@h/n", "", 5432, "smartmeter", "history", NULL},
        {"its other name", "postgres://h/n", "", 5432, "smartmeter", "history", NULL},
        {"a host", "", "db", 5432, "smartmeter", "history", NULL},
        {"MariaDB's port", "", "db", 3306, "smartmeter", "history", "DB_PORT"},
        {"MariaDB's port left over, but a URL", "sqlite:/tmp/z", "db", 3306, "smartmeter",
         "history", NULL},
        {"another database", "mysql://h/n", "", 5432, "smartmeter", "history", "DB_URL"},
        {"a path alone", "/tmp/z.sqlite", "", 5432, "smartmeter", "history", "DB_URL"},
        {"no path", "sqlite:", "", 5432, "smartmeter", "history", "DB_URL"},
        {"in memory", "sqlite::memory:", "", 5432, "smartmeter", "history", "DB_URL"},
        {"a schema in capitals", "", "db", 5432, "SmartMeter", "history", "SMARTMETER_DB_SCHEMA"},
        {"SQL in the table", "", "", 5432, "smartmeter", "x; drop", "SMARTMETER_DB_TABLE"},
        {"no table", "", "", 5432, "smartmeter", "", "SMARTMETER_DB_TABLE"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct store_conf c = {.url = strdup(rows[i].url),
                                     .host = strdup(rows[i].host),
                                     .port = rows[i].port,
                                     .schema = strdup(rows[i].schema),
                                     .table = strdup(rows[i].table)};
        int rc;

        capture_begin(&capture);
        rc = store_check(&c);
        capture_end(&capture);
        if ((rc == 0) != (rows[i].variable == NULL) || (rc != 0 && rc != -EINVAL))
            fail_msg("%s: %d", rows[i].why, rc);
        if (rc != 0 && strstr(capture.text, rows[i].variable) == NULL)
            fail_msg("%s: %s", rows[i].why, capture.text);
        free(c.url);
        free(c.host);
        free(c.schema);
        free(c.table);
    }
}

static void migrations_are_numbered_from_one(void **state)
{
    static const char *const stores[] = {"sqlite", "postgresql"};

    (void)state;
    for (size_t i = 0; i < COUNT(stores); i++) {
        const struct migration *m;
        int version = 0;

        while ((m = migration_after(stores[i], version)) != NULL) {
            char *sql = migration_sql(m, "a_rather_long_name_of_a_table");

            assert_int_equal(m->version, version + 1);
            assert_null(strstr(sql, "@table@"));
            if (strstr(m->text, "@table@") != NULL)
                assert_non_null(strstr(sql, "a_rather_long_name_of_a_table"));
            free(sql);
            version = m->version;
        }
        assert_true(version > 0);
        assert_int_equal(migration_latest(stores[i]), version);
    }
    assert_null(migration_after("oracle", 0));
    assert_int_equal(migration_latest("oracle"), 0);
}

static void columns_of_a_reading(void **state)
{
    struct record r = three_phases(1000, 5);
    struct store_columns c;
    uint8_t digest[32];
    char hex[65];

    (void)state;
    r.reading.values[FIELD_U2].present = false;
    r.reading.values[FIELD_WOUT].present = false;
    assert_int_equal(store_columns_of(&r.reading, &c), 0);
    assert_int_equal(c.win, 6842204);
    assert_true(c.wout == STORE_NULL && c.u[1] == STORE_NULL);
    assert_int_equal(c.pout, 2088);
    assert_int_equal(c.u[0], 233800);
    assert_int_equal(c.i[2], 1410);
    assert_int_equal(c.pf, 943);
    record_digest("abc", 3, digest);
    hex_encode(digest, sizeof digest, hex);
    assert_string_equal(hex, "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_scratch, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(migrations_are_applied_once),        TEST(a_newer_database_is_refused),
        TEST(the_table_has_the_name_that_is_set), TEST(the_default_names_work_in_any_case),
        TEST(what_cannot_be_opened_may_be_later), TEST(settings_are_checked),
        TEST(migrations_are_numbered_from_one),   TEST(columns_of_a_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
