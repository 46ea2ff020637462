/* store: where readings end up; one interface, a file for each database. */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "record.h"
#include "rejects.h"
#include "rows.h"

/** The database's settings. */
struct store_conf {
    char *url;
    char *user;
    char *password;
    char *host;
    int64_t port;
    char *name;
    char *schema;
    char *table;
    int64_t fleet_meters; /* db-writer's: for TimescaleDB's chunks */
};

#define STORE_SQLITE_DEFAULT "/var/lib/zaehlwerk/zaehlwerk.sqlite"

/* clang-format off */
#define STORE_OPTIONS(s, m)                                                                                                \
    CONF_SECRET_OPTION("DB_URL", s, m.url, "", "sqlite:PATH or postgresql://user:password@host/name; goes before the DB parts"), \
    CONF_TEXT_OPTION("DB_HOST", s, m.host, "", "PostgreSQL host; with neither it nor DB_URL: SQLite in " STORE_SQLITE_DEFAULT), \
    CONF_NUMBER_OPTION("DB_PORT", s, m.port, "5432", 1, 65535, "its port"),                                                \
    CONF_TEXT_OPTION("DB_NAME", s, m.name, "smartmeter", "its database"),                                                  \
    CONF_TEXT_OPTION("DB_USER", s, m.user, "", "its user"),                                                                \
    CONF_SECRET_OPTION("DB_PASSWORD", s, m.password, "", "the user's password"),                                           \
    CONF_TEXT_OPTION("SMARTMETER_DB_SCHEMA", s, m.schema, "smartmeter", "schema for the tables (PostgreSQL)"),             \
    CONF_TEXT_OPTION("SMARTMETER_DB_TABLE", s, m.table, "history", "the readings; NAMEdebounced holds one per window")
/* clang-format on */

#define STORE_WHY_CHARS   160
#define STORE_COLUMNS_MAX ROWS_METER_COLUMNS

/** What one write did. */
struct store_counts {
    size_t readings, debounced, rejects, resolved; /* rows that are new or changed */
    int64_t reject_octets;                         /* of the new ones */
};

struct store;

/** One row of a SELECT, its columns as text or NULL. 0 goes on, anything else ends the SELECT. */
typedef int store_visit(void *arg, const char *const columns[STORE_COLUMNS_MAX]);

/**
 * What a database can do. select visits the rows of a SELECT and returns 0, what the visitor ended
 * it with, -ETIMEDOUT when it took longer than patience_ms (0: it may), or -EAGAIN, the last two
 * with why. run is for a statement that no row is to blame for: 0, or -EAGAIN with why.
 */
struct store_ops {
    const char *name; /* "sqlite", "postgresql" */
    const struct reject_dialect *rejects;
    const struct rows_dialect *rows;
    int (*probe)(struct store *s, char why[STORE_WHY_CHARS]);
    int (*connect)(struct store *s, char why[STORE_WHY_CHARS]);
    int (*write)(struct store *s,
                 const struct record *const *rows,
                 size_t n,
                 struct store_counts *counts,
                 char why[STORE_WHY_CHARS]);
    int (*look)(struct store *s, char why[STORE_WHY_CHARS]);
    int (*select)(struct store *s,
                  const char *sql,
                  int patience_ms,
                  store_visit *visit,
                  void *arg,
                  char why[STORE_WHY_CHARS]);
    int (*run)(struct store *s, const char *sql, char why[STORE_WHY_CHARS]);
    int (*drop_rows)(struct store *s,
                     const struct rows_old *old,
                     size_t *dropped,
                     char why[STORE_WHY_CHARS]);
    int (*failing_jobs)(struct store *s,
                        size_t *failing,
                        char what[STORE_WHY_CHARS],
                        char why[STORE_WHY_CHARS]); /* NULL: has no jobs */
    bool (*alive)(struct store *s);
    void (*close)(struct store *s);
};

/** Each store's struct begins with this. */
struct store {
    const struct store_ops *ops;
    const struct store_conf *conf;
    int look_ms; /* store_patience */
};

/** Refuse settings that no store can use: 0, or -EINVAL and logged. */
int store_check(const struct store_conf *conf);

/** Choose the store by the settings; nothing is opened yet. NULL out of memory. */
struct store *store_new(const struct store_conf *conf);

/**
 * Try whether the database answers, and write nothing. Returns 0; -EAGAIN with why; -EINVAL,
 * logged, when it is no PostgreSQL.
 */
int store_probe(struct store *s, char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

/**
 * Connect, and bring the tables to this program's version (numbered migrations in one transaction).
 * Returns 0; -EAGAIN when the database cannot be reached or used now, with why; -EINVAL, logged,
 * when it never will: its tables are newer than the program, or it is no PostgreSQL.
 */
int store_connect(struct store *s, char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

/**
 * Write reading, debounced and reject records in one transaction; returns after it is committed and
 * synced. Rows that are there already stay as they are; of two debounced readings of one window the
 * earlier by (unsuspected first, time, counter) stays. A reading that replays a reject marks it
 * resolved.
 * Returns 0; -EINVAL when the database refuses the data (nothing was written); -EAGAIN when it
 * cannot do it now: connect again and repeat.
 */
int store_write(struct store *s,
                const struct record *const *rows,
                size_t n,
                struct store_counts *counts,
                char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

/**
 * Connect to read only; nothing is made or migrated. Returns 0; -EAGAIN when the database does not
 * answer, with why; -EINVAL, logged, when it is no PostgreSQL; -ENODATA, with why, when it does not
 * hold the tables of this program's version.
 */
int store_look(struct store *s, char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

/** Visit the rejects that a query asks for. Returns 0, -EINVAL for a meter that is none, or
 * -ETIMEDOUT or -EAGAIN as store_rows. */
int store_rejects(struct store *s,
                  const struct reject_query *q,
                  reject_visit *visit,
                  void *arg,
                  char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

/**
 * Visit the rows that a query asks for, of a store that is connected or opened to look. Returns 0,
 * -EINVAL when the meter is no 16 hex digits, -ETIMEDOUT with why when the database is there and
 * has not found all of them in time (store_patience), or -EAGAIN with why. Nothing is visited on
 * PostgreSQL then; on SQLite some rows may have been, and the visitor's time counts too.
 */
int store_rows(struct store *s,
               const struct rows_query *q,
               rows_visit *visit,
               void *arg,
               char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

/** Visit the first `max` meters, by their id. Returns 0, or -ETIMEDOUT or -EAGAIN as store_rows. */
int store_meters(struct store *s,
                 size_t max,
                 rows_meter_visit *visit,
                 void *arg,
                 char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

/** How long store_rows and store_meters may take: ROWS_TIMEOUT_MS until then. From store_look on.
 */
void store_patience(struct store *s, int ms);

/** Drop the rejects up to and with a mark, synced. Returns 0, or -EAGAIN with why. */
int store_drop_rejects(struct store *s, const struct reject_mark *last, char why[STORE_WHY_CHARS])
    __attribute__((warn_unused_result));

/**
 * Drop some old rows of history or debounced, synced, and add to *dropped how many. Quarters stay.
 * On TimescaleDB: the chunks that hold nothing younger. Any number of writers may do it at once.
 * Returns 0, or -EAGAIN with why.
 */
int store_drop_rows(struct store *s,
                    const struct rows_old *old,
                    size_t *dropped,
                    char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

/**
 * How many of the database's own jobs for our tables failed when they last ran, and what the first
 * of them said. Only TimescaleDB has any. Returns 0, or -EAGAIN with why.
 */
int store_failing_jobs(struct store *s,
                       size_t *failing,
                       char what[STORE_WHY_CHARS],
                       char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

/** False once the connection is known to be lost. */
bool store_alive(struct store *s);

void store_free(struct store *s);

/** The stores. */
struct store *sqlite_store_new(const struct store_conf *conf);
struct store *pg_store_new(const struct store_conf *conf);

/* What stores share */

/** A reading in the columns' units; absent values are STORE_NULL. */
#define STORE_NULL INT64_MIN

struct store_columns {
    int64_t win, wout, pin, pout, u[3], i[3], pf;
    int64_t suspect; /* code of table suspects; 0: none */
};

/** Returns 0, or -EINVAL when a value does not fit its column (power 32 bits, factor 16 bits). */
int store_columns_of(const struct reading *r, struct store_columns *c)
    __attribute__((warn_unused_result));

/** Log that the tables here have another name than SMARTMETER_DB_TABLE; returns -EINVAL. */
int store_wrong_table(const struct store_conf *conf);

/** Say why tables of `version` cannot be read; returns -ENODATA, or 0 when they can. */
int store_readable(const struct store *s, int version, char why[STORE_WHY_CHARS]);

/**
 * Identity of a reading whose meter has no clock: (meter, counter), or without a counter (meter,
 * -1, digest of the values) within a minute of arrival. Its row's time is the arrival's second, or
 * the next free one, and is looked up by this before it is written, in the same transaction.
 */
struct store_identity {
    int64_t counter, digest; /* 0 where there is a counter */
    int64_t time;            /* what it is to be when there is no row yet, seconds since 1970 UTC */
    int64_t since, until;    /* arrival of a row that is the same reading, ms */
};

struct store_identity store_identify(const struct record *r);

/** One numbered migration; text holds @table@ for the table's name. */
struct migration {
    const char *store;
    int version;
    const char *text;
};

/** The migration of a store that follows `version`, or NULL. */
const struct migration *migration_after(const char *store, int version);

/** The newest version of a store. */
int migration_latest(const char *store);

/** Its SQL with the table's name put in, on the heap; NULL out of memory. */
char *migration_sql(const struct migration *m, const char *table);

/**
 * Bring tables of `version` up to the newest, by `run`, inside the caller's transaction, and note
 * each step in zaehlwerk_schema. Returns 0; -EINVAL, logged, when they are newer than this program;
 * what run returned; -ENOMEM.
 */
int store_migrate(struct store *s,
                  int version,
                  int (*run)(struct store *s, const char *sql, char why[STORE_WHY_CHARS]),
                  char why[STORE_WHY_CHARS]) __attribute__((warn_unused_result));

#endif
