/* migrate: the numbered SQL files of migrations/, which the Makefile puts into the program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "store.h"

static const struct migration migrations[] = {
#include "migrations.inc"
};

const struct migration *migration_after(const char *store, int version)
{
    for (size_t i = 0; i < sizeof migrations / sizeof migrations[0]; i++)
        if (strcmp(migrations[i].store, store) == 0 && migrations[i].version > version)
            return &migrations[i];
    return NULL;
}

int migration_latest(const char *store)
{
    int version = 0;

    for (const struct migration *m; (m = migration_after(store, version)) != NULL;)
        version = m->version;
    return version;
}

char *migration_sql(const struct migration *m, const char *table)
{
    static const char mark[] = "@table@";
    size_t marks = 0;
    char *sql, *to;

    for (const char *p = m->text; (p = strstr(p, mark)) != NULL; p++)
        marks++;
    to = sql = malloc(strlen(m->text) + marks * strlen(table) + 1);
    if (sql == NULL)
        return NULL;
    for (const char *p = m->text;;) {
        const char *next = strstr(p, mark);
        size_t n = next == NULL ? strlen(p) : (size_t)(next - p);

        to = (char *)mempcpy(to, p, n);
        if (next == NULL)
            break;
        to = stpcpy(to, table);
        p = next + strlen(mark);
    }
    *to = '\0';
    return sql;
}

int store_readable(const struct store *s, int version, char why[STORE_WHY_CHARS])
{
    if (version == migration_latest(s->ops->name))
        return 0;
    snprintf(why, STORE_WHY_CHARS,
             version == 0 ? "no tables of db-writer in it"
             : version < migration_latest(s->ops->name)
                 ? "its tables are older than this program: start the new db-writer first"
                 : "its tables are newer than this program");
    return -ENODATA;
}

static int apply(struct store *s,
                 const struct migration *m,
                 int (*run)(struct store *s, const char *sql, char why[STORE_WHY_CHARS]),
                 char why[STORE_WHY_CHARS])
{
    char note[96];
    char *sql = migration_sql(m, s->conf->table);
    int rc = sql == NULL ? -ENOMEM : run(s, sql, why);

    free(sql);
    snprintf(note, sizeof note, "INSERT INTO zaehlwerk_schema (version) VALUES (%d)", m->version);
    if (rc == 0)
        rc = run(s, note, why);
    if (rc == 0)
        log_info("migrated", LOG_S("store", s->ops->name), LOG_I("version", m->version));
    return rc;
}

int store_migrate(struct store *s,
                  int version,
                  int (*run)(struct store *s, const char *sql, char why[STORE_WHY_CHARS]),
                  char why[STORE_WHY_CHARS])
{
    int rc = 0;

    if (version > migration_latest(s->ops->name))
        return conf_wrong(*s->conf->url != '\0' ? "DB_URL" : "DB_NAME",
                          "the database's tables are newer than this program",
                          "a program of the same version or newer");
    for (const struct migration *m; rc == 0 && (m = migration_after(s->ops->name, version)) != NULL;
         version = m->version)
        rc = apply(s, m, run, why);
    return rc;
}
