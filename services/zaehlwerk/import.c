/* zaehlwerk import: the original program's rows, from its database or from a file. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clock.h"
#include "commands.h"
#include "import_run.h"
#include "log.h"
#include "look.h"
#include "zone.h"

#define END_OF_TIME INT64_C(253402300800) /* the year 10000 */

struct import {
    struct store_conf store_conf;
    struct import_db_conf db;
    char *timezone;
    struct look look;                               /* for its meter */
    const char *table, *columns, *from, *to, *path; /* NULL: not given */
    struct import_tables tables;
    struct import_run run;
};

/* clang-format off */
static const struct conf_option options[] = {
    CONF_TEXT_OPTION("IMPORT_DB_HOST", struct import, db.host, "", "the original's database: a host, or the path of a socket"),
    CONF_NUMBER_OPTION("IMPORT_DB_PORT", struct import, db.port, "3306", 1, 65535, "its port"),
    CONF_TEXT_OPTION("IMPORT_DB_USER", struct import, db.user, "", "its user"),
    CONF_SECRET_OPTION("IMPORT_DB_PASSWORD", struct import, db.password, "", "the user's password"),
    CONF_TEXT_OPTION("IMPORT_DB_NAME", struct import, db.name, "smartmeter", "the original's SMARTMETER_DB_SCHEMA"),
    CONF_TEXT_OPTION("IMPORT_DB_TABLE", struct import, db.table, "history", "the original's SMARTMETER_DB_TABLE"),
    CONF_SWITCH_OPTION("IMPORT_DB_TLS", struct import, db.tls, "0", "1: TLS to it"),
    CONF_TEXT_OPTION("IMPORT_DB_CA_FILE", struct import, db.ca_file, "", "certificates to trust (PEM); empty: the system's"),
    CONF_TEXT_OPTION("TIMEZONE", struct import, timezone, "Europe/Vienna", "of times without zone, and where a day begins that --from or --to names"),
    STORE_OPTIONS(struct import, store_conf),
    CONF_END,
};
/* clang-format on */

static const char usage_text[] =
    "usage: zaehlwerk import [--meter ID] [--table WORD] [--from TIME] [--to TIME]\n"
    "                        [--clock WORD] [--columns NAMES] [--rejected FILE] [--dry-run]\n"
    "                        [FILE|-]\n"
    "\n"
    "Brings the rows of the original program (tables history and historyDebounced) into this "
    "one's\n"
    "database, from its MariaDB or MySQL server (IMPORT_DB_HOST ...), or from FILE: a dump\n"
    "(mysqldump, phpMyAdmin) or CSV. It may run beside everything else, be cut off at any time "
    "and\n"
    "be run again: rows that are there already, also as readings of this program's own, are left\n"
    "out.\n"
    "\n"
    "  --meter ID       whose rows they are (16 hex digits); without it that of the one meter in\n"
    "                   the database\n"
    "  --table WORD     history or debounced; without it both (of CSV: history)\n"
    "  --from, --to     rows from the first on and before the second: a day, RFC 3339 or an age\n"
    "  --clock WORD     container (the default): the original's timestamps are right; host: it "
    "ran\n"
    "                   outside its container on a machine in TIMEZONE, which makes them an hour "
    "or\n"
    "                   two too early, and they are put right\n"
    "  --columns NAMES  of CSV without a line that names them: timestamp,WIn,WOut,...\n"
    "  --rejected FILE  where rows go that cannot be taken (import-rejected.csv)\n"
    "  --dry-run        write nothing, only say what would be new\n"
    "\n"
    "Exit status 65 when rows were rejected or the source is not understood, 66 when FILE cannot "
    "be\n"
    "read, 69 when a database does not answer, 73 when the file of rejected rows cannot be "
    "written,\n"
    "75 when a signal came (run it again, it goes on), 77 when the server does not let us in, 78\n"
    "when a setting is wrong. Settings:\n\n";

static int usage(const char *complaint)
{
    fprintf(stderr, "zaehlwerk import: %s (--help tells more)\n", complaint);
    return EX_USAGE;
}

static int help(void)
{
    fputs(usage_text, stdout);
    conf_help(stdout, options);
    return EX_OK;
}

static int fail(int status, const char *what, const char *why)
{
    fprintf(stderr, "zaehlwerk import: %s: %s\n", what, why);
    return status;
}

/* Arguments */

static const char *take_clock(struct import *m, const char *text)
{
    bool host = strcmp(text, "host") == 0;

    for (int t = 0; t < 2; t++)
        m->run.rows.clocks[t].shifted = host;
    return host || strcmp(text, "container") == 0 ? NULL : "--clock: container or host";
}

static const char *take_table(struct import *m, const char *text)
{
    int table = rows_table_from_name(text);

    m->table = text;
    return table == ROWS_HISTORY || table == ROWS_DEBOUNCED ? NULL
                                                            : "--table: history or debounced";
}

static const char *take(struct import *m, int option)
{
    switch (option) {
    case 'm':
        return look_meter(&m->look, optarg);
    case 't':
        return take_table(m, optarg);
    case 'c':
        return take_clock(m, optarg);
    case 'f':
        m->from = optarg;
        return NULL;
    case 'u':
        m->to = optarg;
        return NULL;
    case 'C':
        m->columns = optarg;
        return NULL;
    case 'r':
        m->run.report.path = optarg;
        return NULL;
    case 'd':
        m->run.dry = true;
        return NULL;
    default:
        return "no such option";
    }
}

static const char *read_arguments(struct import *m, int argc, char **argv, bool *asked)
{
    static const struct option long_options[] = {
        {"meter", required_argument, NULL, 'm'},    {"table", required_argument, NULL, 't'},
        {"from", required_argument, NULL, 'f'},     {"to", required_argument, NULL, 'u'},
        {"clock", required_argument, NULL, 'c'},    {"columns", required_argument, NULL, 'C'},
        {"rejected", required_argument, NULL, 'r'}, {"dry-run", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    const char *wrong = NULL;
    int c;

    while (wrong == NULL && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        *asked |= c == 'h';
        wrong = c == 'h' ? NULL : take(m, c);
    }
    m->path = optind < argc ? argv[optind] : NULL;
    return wrong == NULL && optind + 1 < argc ? "one file at most" : wrong;
}

static const char *read_range(struct import *m)
{
    int64_t now = clock_utc_ms(), from_ms = 0, to_ms = END_OF_TIME * 1000;

    if (m->from != NULL && look_local_time(m->from, now, &from_ms) != 0)
        return "--from: a day such as 2026-11-01, 2026-11-24T08:00:00Z or 7d";
    if (m->to != NULL && look_local_time(m->to, now, &to_ms) != 0)
        return "--to: a day such as 2026-12-01, 2026-11-24T08:00:00Z or 7d";
    m->run.rows.from = from_ms / 1000;
    m->run.rows.to = to_ms / 1000;
    m->run.rows.now = now / 1000;
    return from_ms >= to_ms ? "--from is not before --to" : NULL;
}

/* Settings */

static int name_tables(struct import *m)
{
    struct import_tables *t = &m->tables;

    t->wanted[ROWS_HISTORY] = m->table == NULL || strcmp(m->table, "history") == 0;
    t->wanted[ROWS_DEBOUNCED] = m->table == NULL || strcmp(m->table, "debounced") == 0;
    if (strlen(m->db.table) > 54) {
        (void)conf_wrong("IMPORT_DB_TABLE", m->db.table, "a name of up to 54 characters");
        return EX_CONFIG;
    }
    snprintf(t->name[ROWS_HISTORY], sizeof t->name[0], "%s", m->db.table);
    snprintf(t->name[ROWS_DEBOUNCED], sizeof t->name[0], "%sDebounced", m->db.table);
    return EX_OK;
}

static int read_settings(struct import *m)
{
    const char *wrong;

    if (conf_read(options, m) != 0 || store_check(&m->store_conf) != 0)
        return EX_CONFIG;
    if (zone_use(m->timezone) != 0) {
        (void)conf_wrong("TIMEZONE", m->timezone, "a time zone such as Europe/Vienna");
        return EX_CONFIG;
    }
    wrong = read_range(m);
    if (wrong != NULL)
        return usage(wrong);
    if (m->path == NULL && *m->db.host == '\0')
        return usage("from where? IMPORT_DB_HOST names a server, or give a file");
    return name_tables(m);
}

/* Opening */

static int open_file(struct import *m)
{
    struct import_file *file = import_file_open(m->path);
    enum rows_table table = m->tables.wanted[ROWS_HISTORY] ? ROWS_HISTORY : ROWS_DEBOUNCED;
    const char *wrong;

    if (file == NULL)
        return fail(EX_NOINPUT, m->path, strerror(errno));
    wrong = import_file_complaint(file);
    if (wrong != NULL) {
        import_file_close(file);
        return fail(EX_DATAERR, m->path, wrong);
    }
    m->run.source = import_file_is_sql(file) ? import_dump_new(file, &m->tables)
                                             : import_csv_new(file, table, m->columns);
    if (m->run.source != NULL)
        return EX_OK;
    import_file_close(file);
    return fail(EX_OSERR, m->path, "out of memory");
}

static int open_source(struct import *m)
{
    if (m->path != NULL)
        return open_file(m);
    m->run.source = import_mysql_new(&m->db, &m->tables);
    return m->run.source == NULL ? fail(EX_OSERR, "source", "out of memory") : EX_OK;
}

static int open_store(struct import *m)
{
    char why[STORE_WHY_CHARS] = "";
    int rc;

    if (m->run.dry)
        return look_open("import", &m->store_conf, &m->run.store);
    m->run.store = store_new(&m->store_conf);
    if (m->run.store == NULL)
        return fail(EX_OSERR, "database", "out of memory");
    rc = store_connect(m->run.store, why);
    if (rc == -EINVAL)
        return EX_CONFIG;
    return rc == 0 ? EX_OK : fail(EX_UNAVAILABLE, "database", why);
}

struct only {
    char meter[METER_ID_CHARS + 1];
    size_t meters;
};

static void on_meter(void *arg, const struct rows_meter *meter)
{
    struct only *only = arg;

    snprintf(only->meter, sizeof only->meter, "%s", meter->meter);
    only->meters++;
}

/* Whose rows they are: the original had but one meter and did not note it. */
static int choose_meter(struct import *m)
{
    struct only only = {.meters = 0};
    char why[STORE_WHY_CHARS] = "";

    if (m->look.meter[0] == '\0') {
        if (store_meters(m->run.store, 2, on_meter, &only, why) != 0)
            return fail(EX_UNAVAILABLE, "database", why);
        if (only.meters != 1)
            return usage(only.meters == 0
                             ? "the database knows no meter yet: --meter ID, which `zaehlwerk "
                               "decode` tells of any telegram"
                             : "the database knows several meters: --meter ID must tell whose rows "
                               "these are");
        snprintf(m->look.meter, sizeof m->look.meter, "%s", only.meter);
    }
    snprintf(m->run.rows.meter, sizeof m->run.rows.meter, "%s", m->look.meter);
    return EX_OK;
}

static int run(struct import *m)
{
    int status = open_source(m);

    if (status == EX_OK)
        status = open_store(m);
    if (status == EX_OK)
        status = choose_meter(m);
    if (status != EX_OK)
        return status;
    import_report_open(&m->run.report, m->run.report.path);
    status = import_run(&m->run);
    import_report_close(&m->run.report, m->run.dry);
    if (status == EX_TEMPFAIL)
        puts("interrupted; run again, it goes on");
    if (status == EX_OK && m->run.report.counts[0].rejected + m->run.report.counts[1].rejected > 0)
        status = EX_DATAERR;
    return status;
}

int command_import(int argc, char **argv)
{
    struct import m = {.run.report.path = "import-rejected.csv"};
    bool asked = false;
    const char *wrong = read_arguments(&m, argc, argv, &asked);
    int status;

    if (wrong != NULL)
        return usage(wrong);
    if (asked)
        return help();
    log_open("zaehlwerk import", LOG_LEVEL_WARN, false);
    status = read_settings(&m);
    if (status == EX_OK)
        status = run(&m);
    import_run_close(&m.run);
    if (m.run.source != NULL)
        m.run.source->ops->close(m.run.source);
    store_free(m.run.store);
    conf_free(options, &m);
    return status;
}
