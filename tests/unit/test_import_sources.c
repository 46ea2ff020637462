/* Files of the original program's rows: dumps and CSV in all their forms, and mutations of them. */
#include "scratch.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "import_source.h"

static struct import_tables tables = {{true, true}, {"history", "historyDebounced"}};

#define CREATE                                                                                     \
    "CREATE TABLE `history` (\n  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,\n  `timestamp` "   \
    "int(10) unsigned NOT NULL DEFAULT 0,\n  `note` varchar(20) DEFAULT 'a,b);',\n  `WIn` "        \
    "decimal(10,2) unsigned NOT NULL COMMENT 'it''s',\n  `WOut` int,\n  PRIMARY KEY "              \
    "(`id`,`timestamp`),\n  UNIQUE KEY `id_UNIQUE` (`id`)\n) ENGINE=InnoDB;\n"

/* One row: the table's first letter, where, time, WIn, WOut, U1; "-" where nothing is. */
static size_t print_row(const struct import_row *row, char *text, size_t room)
{
    static const enum import_column columns[] = {IMPORT_TIME, IMPORT_VALUES + FIELD_WIN,
                                                 IMPORT_VALUES + FIELD_WOUT,
                                                 IMPORT_VALUES + FIELD_U1};
    size_t n = (size_t)snprintf(text, room, "%c%" PRIu64 "%s", rows_table_name(row->table)[0],
                                row->where, row->utc ? " utc" : "");

    if (row->wrong != NULL)
        return n + (size_t)snprintf(text + n, room - n, " %s;", row->wrong);
    for (size_t i = 0; i < COUNT(columns); i++)
        n += (size_t)snprintf(text + n, room - n, " %s",
                              row->text[columns[i]] == NULL ? "-" : row->text[columns[i]]);
    return n + (size_t)snprintf(text + n, room - n, ";");
}

/* All rows of a file, and how it ended when that was not at its end. */
static const char *read_all(const char *path, const char *columns)
{
    static char text[4096];
    struct import_file *file = import_file_open(path);
    struct import_source *s;
    struct import_row row = {0};
    char why[IMPORT_WHY_CHARS] = "";
    size_t n = 0;
    int rc;

    assert_non_null(file);
    text[0] = '\0';
    if (import_file_complaint(file) != NULL) {
        snprintf(text, sizeof text, "%s", import_file_complaint(file));
        import_file_close(file);
        return text;
    }
    s = import_file_is_sql(file) ? import_dump_new(file, &tables)
                                 : import_csv_new(file, ROWS_HISTORY, columns);
    assert_non_null(s);
    while ((rc = s->ops->next(s, &row, why)) == 1 && n + 512 < sizeof text)
        n += print_row(&row, text + n, sizeof text - n);
    if (rc < 0)
        snprintf(text + n, sizeof text - n, "%d: %s", rc, why);
    s->ops->close(s);
    return text;
}

static void check_file(const char *why, const char *text, const char *columns, const char *want)
{
    const char *have = read_all(scratch_write("rows", text), columns);

    if (strcmp(have, want) != 0)
        fail_msg("%s:\n%s, not\n%s", why, have, want);
}

static void dumps(void **state)
{
    static const struct {
        const char *why, *text, *want;
    } rows[] = {
        {"extended inserts, columns in the order of CREATE TABLE",
         "-- MariaDB dump 10.19\n/*!40101 SET NAMES utf8mb4 */;\n" CREATE "INSERT INTO `history` "
         "VALUES\n(1,1700000000,'x',100.00,7),\n(2,1700000005,NULL,101,NULL);\n",
         "h13 1700000000 100.00 7 -;h14 1700000005 101 - -;"},
        {"the INSERT's own columns go first",
         CREATE "INSERT INTO `history` (`WIn`, `U1`, `timestamp`) VALUES (5, 231.5, 1700000000);",
         "h10 1700000000 5 - 231.5;"},
        {"escapes, doubled quotes and semicolons in text",
         CREATE "insert ignore into smartmeter.`history` values "
                "(1,2,'a\\'),(9,9,''b;\\\\',3,4),(5,6,\"x\"\"(\",7,8);",
         "h10 2 3 4 -;h10 6 7 8 -;"},
        {"numbers in quotes, blanks, comments between",
         CREATE
         "INSERT INTO `history` VALUES ( '1' , '17' ,/* ) */ '' , _binary '18.5' , -1.5e3 ) ;",
         "h10 17 18.5 -1.5e3 -;"},
        {"both tables, others between",
         CREATE "INSERT INTO `other` VALUES (1,'(');\nLOCK TABLES `history` WRITE;\n"
                "CREATE TABLE IF NOT EXISTS historydebounced (timestamp timestamp, WIn int);\n"
                "REPLACE INTO `historyDebounced` VALUES ('2026-01-01 00:00:00',5),('2026-01-01 "
                "00:05:00',6);\n"
                "INSERT INTO `history` VALUES (1,2,'',3,4)",
         "d13 2026-01-01 00:00:00 5 - -;d13 2026-01-01 00:05:00 6 - -;h14 2 3 4 -;-22: line 14: "
         "the "
         "file ends in the middle of a statement"},
        {"TIMESTAMP is UTC in a dump that says so",
         "/*!40103 SET TIME_ZONE='+00:00' */;\nCREATE TABLE `history` (`ts` timestamp NOT NULL, "
         "WIn int);\n"
         "INSERT INTO `history` VALUES ('2026-01-01 00:00:00',5);",
         "h3 utc 2026-01-01 00:00:00 5 - -;"},
        {"phpMyAdmin says it in another way; DATETIME is local all the same",
         "SET time_zone = \"+00:00\";\nCREATE TABLE `history` (`ts` timestamp NOT NULL, WIn int);\n"
         "INSERT INTO `history` (`ts`, `WIn`) VALUES\n('2026-01-01 00:00:00', 5);\n"
         "CREATE TABLE `historyDebounced` (`ts` datetime, WIn int);\n"
         "INSERT INTO `historyDebounced` VALUES ('2026-01-01 00:00:00', 5);",
         "h4 utc 2026-01-01 00:00:00 5 - -;d6 2026-01-01 00:00:00 5 - -;"},
        {"without CREATE TABLE the original's own order",
         "INSERT INTO history VALUES (1,1700000000,100,7,3,0,231.5,0,0,0,0,0,0.9);",
         "h1 1700000000 100 7 231.5;"},
        {"a row of another length costs itself",
         CREATE "INSERT INTO `history` VALUES (1,2,'',3),(1,2,'',3,4,5),(1,2,'',3,4);",
         "h10 4 fields, not 5;h10 6 fields, not 5;h10 2 3 4 -;"},
        {"an expression in a row costs nothing else",
         CREATE
         "INSERT INTO `history` VALUES (1,2,concat('a',(1)),3,4),(1,2,'',(3),4),(1,2,'',5,6);",
         "h10 2 3 4 -;h10 2 (3) 4 -;h10 2 5 6 -;"},
        {"ON DUPLICATE KEY",
         CREATE
         "INSERT INTO `history` VALUES (1,2,'',3,4) ON DUPLICATE KEY UPDATE WIn = VALUES(WIn);\n"
         "INSERT INTO `history` VALUES (1,3,'',3,4);",
         "h10 2 3 4 -;h11 3 3 4 -;"},
        {"a table of that name that is another's",
         "CREATE TABLE `history` (`itemid` bigint, `clock` int, `value` double);\n"
         "INSERT INTO `history` VALUES (1,2,3);",
         "-22: line 2: table history has no column timestamp"},
        {"cut off in a row", CREATE "INSERT INTO `history` VALUES (1,2,'',3,4),(1,2,'",
         "h10 2 3 4 -;-22: line 10: the file ends in the middle of a statement"},
        {"nothing of ours", "-- a dump\nCREATE TABLE `x` (`a` int);\nDROP TABLE `x`;\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check_file(rows[i].why, rows[i].text, NULL, rows[i].want);
}

#define TEN "x,x,x,x,x,x,x,x,x,x,"

static void csv_forms(void **state)
{
    static const struct {
        const char *why, *text, *columns, *want;
    } rows[] = {
        {"names in any order and case", "win,U1,Other,TIMESTAMP\n100,231.5,x,17\n", NULL,
         "h2 17 100 - 231.5;"},
        {"semicolons, quotes, CR LF, a byte order mark",
         "\xEF\xBB\xBF\"timestamp\";\"WIn\";\"U1\"\r\n\"17\";\"100\";\"231,5\"\r\n", NULL,
         "h2 17 100 - 231,5;"},
        {"mariadb -B", "id\ttimestamp\tWIn\tWOut\n1\t17\t100\tNULL\n2\t18\t101\t\n", NULL,
         "h2 17 100 - -;h3 18 101 - -;"},
        {"SELECT INTO OUTFILE: the original's own order",
         "1\t17\t100\t7\t3\t0\t231.5\t0\t0\t0\t0\t0\t0."
         "9\n2\t18\t\\N\t7\t3\t0\t231\t0\t0\t0\t0\t0\t1\n",
         NULL, "h1 17 100 7 231.5;h2 18 - 7 231;"},
        {"the same without id", "17,100,7,3,0,231.5,0,0,0,0,0,0.9\n", NULL, "h1 17 100 7 231.5;"},
        {"--columns", "100,17\n101,18", "WIn, timestamp", "h1 17 100 - -;h2 18 101 - -;"},
        {"--columns goes before the names in the file", "WIn,timestamp\n100,17\n", "timestamp,WIn",
         "h2 100 17 - -;"},
        {"empty lines, and a line feed in quotes",
         "timestamp,note,WIn\n\n\r\n17,\"a\nb\",100\n18,\"\"\"\",101\n", NULL,
         "h4 17 100 - -;h6 18 101 - -;"},
        {"rows of another length", "timestamp,WIn\n17\n17,1,2\n18,5\n", NULL,
         "h2 1 fields, not 2;h3 3 fields, not 2;h4 18 5 - -;"},
        {"no names, and not the original's fields", "17,100,7\n", NULL,
         "-22: the first line names no columns and has 3 fields: --columns must tell"},
        {"no time", "id,WIn\n1,2\n", NULL, "-22: no column timestamp"},
        {"no energy", "id,time\n1,2\n", NULL, "-22: no column WIn"},
        {"one twice", "time,WIn,timestamp\n1,2,3\n", NULL, "-22: column timestamp is there twice"},
        {"too many", TEN TEN TEN TEN TEN TEN TEN "time,WIn\n", NULL, "-22: more than 64 columns"},
        {"names alone", "timestamp,WIn\n", NULL, ""},
        {"a number with much behind it",
         "timestamp,WIn\n17,1111111111111111111111111111111111111111111111111111111111111111111\n",
         NULL, "h2 17 111111111111111111111111111111111111111111111111111111111111111 - -;"},
        {"nothing", " \n", NULL, "there is nothing in it"},
        {"XML", "<?xml version=\"1.0\"?>\n", NULL,
         "XML is not read: make a dump without --xml, or CSV"},
        {"gzip", "\x1F\x8B\x08", NULL, "it is compressed: zcat FILE | zaehlwerk import -"},
        {"UTF-16", "\xFF\xFEt", NULL,
         "it is UTF-16: iconv -f UTF-16 -t UTF-8 FILE | zaehlwerk import -"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check_file(rows[i].why, rows[i].text, rows[i].columns, rows[i].want);
}

/* A quote that never closes must not take all memory. */
static void a_row_has_an_end(void **state)
{
    const char *path = scratch_path("rows");
    FILE *f = fopen(path, "w");

    (void)state;
    assert_non_null(f);
    fputs("timestamp,WIn\n17,100\n18,\"", f);
    for (int i = 0; i < 4000; i++)
        fputs("101\n102,5\n103,6\n104,7\n105,8\n106,", f);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(read_all(path, NULL),
                        "h2 17 100 - -;-22: line 3: a row of more than 64 KiB; a quote that is not "
                        "closed?");
}

/* Mutations: whatever stands there, the end comes, rows are sound, and no octet too far is read. */

static uint64_t seed;

static uint32_t roll(uint32_t sides)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint32_t)((seed * UINT64_C(2685821657736338717)) >> 32) % sides;
}

static size_t mutate(char *text, size_t len)
{
    static const char odd[] = "'\"`\\(),;\n\t-/*#\0NULL";

    for (uint32_t i = 0, n = 1 + roll(6); i < n && len > 1; i++) {
        size_t at = roll((uint32_t)len);

        if (roll(4) == 0) { /* cut something out */
            size_t cut = 1 + roll((uint32_t)(len - at > 40 ? 40 : len - at));

            memmove(text + at, text + at + cut, len - at - cut);
            len -= cut;
        } else {
            text[at] = roll(3) == 0 ? (char)roll(256) : odd[roll(sizeof odd)];
        }
    }
    return len;
}

static void read_mutation(const char *text, size_t len)
{
    const char *path = scratch_path("mutation");
    FILE *f = fopen(path, "w");
    struct import_file *file;
    struct import_source *s;
    struct import_row row = {0};
    char why[IMPORT_WHY_CHARS] = "";
    size_t rows = 0;
    int rc;

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    file = import_file_open(path);
    assert_non_null(file);
    (void)import_file_complaint(file);
    s = import_file_is_sql(file) ? import_dump_new(file, &tables)
                                 : import_csv_new(file, ROWS_HISTORY, NULL);
    while ((rc = s->ops->next(s, &row, why)) == 1) {
        assert_true(++rows <= len);
        assert_true(row.table == ROWS_HISTORY || row.table == ROWS_DEBOUNCED);
        assert_in_range(row.where, 1, 1 + len);
        for (int c = 0; c < IMPORT_COLUMNS; c++)
            assert_true(row.text[c] == NULL || strlen(row.text[c]) < 64);
    }
    assert_true(rc == 0 || (rc == -EINVAL && why[0] != '\0'));
    assert_true(s->ops->share(s) <= 1);
    s->ops->close(s);
}

static void mutations(void **state)
{
    static const char *const sound[] = {
        CREATE "INSERT INTO `history` (`id`,`timestamp`,`note`,`WIn`,`WOut`) VALUES\n"
               "(1,1700000000,'x\\'y',100.00,7),\n(2,1700000005,NULL,101,NULL);\n/* end */\n",
        "id,timestamp,\"WIn\";WOut\n1,1700000000,\"100\",7\n2,1700000005,101,\\N\n\n3,,,\"\"\n"};
    const char *text = getenv("SEED");
    char copy[1024];

    (void)state;
    seed = text == NULL ? (uint64_t)time(NULL) : strtoull(text, NULL, 0);
    print_message("SEED=%" PRIu64 "\n", seed);
    seed = seed * 2 + 1; /* never zero */
    for (int i = 0; i < 1000; i++) {
        const char *from = sound[i % 2];
        size_t len = strlen(from);

        memcpy(copy, from, len);
        read_mutation(copy, mutate(copy, len));
    }
}

static void names(void **state)
{
    (void)state;
    assert_int_equal(import_column_from_name("pf"), IMPORT_VALUES + FIELD_PF);
    assert_int_equal(import_column_from_name("RIn"), -1);
    assert_int_equal(import_column_from_name(""), -1);
    assert_int_equal(import_column_from_name("Datetime"), IMPORT_TIME);
    assert_string_equal(import_column_name(IMPORT_VALUES + FIELD_U2), "U2");
    assert_int_equal(import_table_from_name(&tables, "HISTORYDEBOUNCED"), ROWS_DEBOUNCED);
    assert_int_equal(import_table_from_name(&tables, "histor"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dumps, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(csv_forms, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(a_row_has_an_end, scratch_open, scratch_close),
        cmocka_unit_test_setup_teardown(mutations, scratch_open, scratch_close),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
