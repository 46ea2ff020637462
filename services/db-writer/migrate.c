/* migrate: the numbered SQL files of migrations/, which the Makefile puts into the program. */
#include <stdlib.h>
#include <string.h>

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
