/*
 * import_dump: what mysqldump, mariadb-dump and phpMyAdmin write, in constant memory.
 *
 * Only CREATE TABLE (for the order of the columns, and for TIMESTAMP, which a dump holds in UTC)
 * and INSERT or REPLACE of the wanted tables are looked into; all else is passed over, with its
 * quotes and comments.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "import_cells.h"

enum { WORD_CHARS = 96, NOTE_CHARS = 256 };

struct dump {
    struct import_source base;
    struct import_file *file;
    const struct import_tables *tables;
    bool utc;                     /* its session's zone is UTC, as mysqldump's is */
    struct import_layout made[2]; /* by CREATE TABLE */
    bool stamp[2];                /* the column of time is of type TIMESTAMP */
    int table;                    /* whose VALUES are being read, or -1 */
    struct import_layout layout;  /* of that INSERT */
    struct import_cells cells;
};

static int end_of_file(struct dump *d, char why[IMPORT_WHY_CHARS])
{
    if (d->file->err != 0) {
        snprintf(why, IMPORT_WHY_CHARS, "%s", strerror(-d->file->err));
        return d->file->err == -EINTR ? -EINTR : -EAGAIN;
    }
    snprintf(why, IMPORT_WHY_CHARS, "line %llu: the file ends in the middle of a statement",
             (unsigned long long)d->file->line);
    return -EINVAL;
}

static int not_understood(struct dump *d, const char *what, char why[IMPORT_WHY_CHARS])
{
    if (import_file_peek(d->file) < 0)
        return end_of_file(d, why);
    snprintf(why, IMPORT_WHY_CHARS, "line %llu: %s expected", (unsigned long long)d->file->line,
             what);
    return -EINVAL;
}

/* Octets */

/* SET TIME_ZONE, as a statement or in a comment for MySQL alone. */
static void heed_zone(struct dump *d, const char *note)
{
    if (strcasestr(note, "TIME_ZONE") != NULL && strstr(note, "+00:00") != NULL)
        d->utc = true;
}

static void skip_line(struct dump *d)
{
    for (int c = 0; c >= 0 && c != '\n';)
        c = import_file_get(d->file);
}

/* Behind the opening octets of a comment. */
static void skip_comment(struct dump *d)
{
    char note[NOTE_CHARS];
    size_t n = 0;

    for (int before = 0, c = import_file_get(d->file); c >= 0;
         before = c, c = import_file_get(d->file)) {
        if (before == '*' && c == '/')
            break;
        if (n + 1 < sizeof note)
            note[n++] = (char)c;
    }
    note[n] = '\0';
    if (note[0] == '!')
        heed_zone(d, note);
}

/* Blanks and comments; the next octet that is neither, or -1. `/` and `-` stand in no VALUES else.
 */
static int skip_blanks(struct dump *d)
{
    for (;;) {
        int c = import_file_peek(d->file);

        if (c == '#') {
            skip_line(d);
        } else if (c == '/' || isspace(c)) {
            (void)import_file_get(d->file);
            if (c == '/' && import_file_peek(d->file) == '*') {
                (void)import_file_get(d->file);
                skip_comment(d);
            }
        } else {
            return c;
        }
    }
}

/* An octet behind a backslash. */
static int unescape(int c)
{
    static const char from[] = "0nrtbZ", to[] = "\0\n\r\t\b\032";
    const char *at = c == 0 ? NULL : strchr(from, c);

    return at == NULL ? c : to[at - from];
}

/* From the opening quote to behind the closing one; its octets go to `take`. False at the end. */
static bool
read_quoted(struct dump *d, void (*take)(struct import_cells *, char), struct import_cells *to)
{
    int quote = import_file_get(d->file);

    for (;;) {
        int c = import_file_get(d->file);

        if (c < 0)
            return false;
        if (c == quote) {
            if (import_file_peek(d->file) != quote)
                return true;
            (void)import_file_get(d->file); /* doubled: it stands for itself */
        } else if (c == '\\' && quote != '`') {
            c = import_file_get(d->file);
            if (c < 0)
                return false;
            c = unescape(c);
        }
        if (take != NULL)
            take(to, (char)c);
    }
}

static bool is_quote(int c)
{
    return c == '\'' || c == '"' || c == '`';
}

/* To behind the semicolon. */
static bool skip_statement(struct dump *d)
{
    for (int c = skip_blanks(d); c >= 0; c = skip_blanks(d)) {
        if (is_quote(c)) {
            if (!read_quoted(d, NULL, NULL))
                return false;
        } else if (import_file_get(d->file) == ';') {
            return true;
        }
    }
    return false;
}

/* Words and names */

/* A bare or quoted name; "" when there is none. *quoted may be NULL. */
static void read_name(struct dump *d, char name[WORD_CHARS], bool *quoted)
{
    struct import_cells one = {0};
    int c = skip_blanks(d);
    size_t n = 0;

    name[0] = '\0';
    if (quoted != NULL)
        *quoted = is_quote(c);
    if (is_quote(c)) {
        import_cells_next(&one);
        (void)read_quoted(d, import_cells_add, &one);
        snprintf(name, WORD_CHARS, "%s", one.text[0]);
        return;
    }
    for (; c >= 0 && (isalnum(c) || c == '_' || c == '$'); c = import_file_peek(d->file)) {
        if (n + 1 < WORD_CHARS)
            name[n++] = (char)c;
        (void)import_file_get(d->file);
    }
    name[n] = '\0';
}

/* `table` or `database`.`table`: the wanted table, or -1. */
static int read_table(struct dump *d)
{
    char name[WORD_CHARS];

    read_name(d, name, NULL);
    while (skip_blanks(d) == '.') {
        (void)import_file_get(d->file);
        read_name(d, name, NULL);
    }
    return import_table_from_name(d->tables, name);
}

/* CREATE TABLE */

static bool is_key(const char *word)
{
    static const char *const words[] = {"PRIMARY", "UNIQUE",   "KEY",     "INDEX", "CONSTRAINT",
                                        "FOREIGN", "FULLTEXT", "SPATIAL", "CHECK", "PERIOD"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(word, words[i]) == 0)
            return true;
    return false;
}

/* The rest of a definition: up to the comma, or the closing parenthesis of them all. */
static int skip_definition(struct dump *d)
{
    int depth = 0;

    for (int c = skip_blanks(d); c >= 0; c = skip_blanks(d)) {
        if (is_quote(c)) {
            if (!read_quoted(d, NULL, NULL))
                return -1;
            continue;
        }
        if (depth == 0 && (c == ',' || c == ')'))
            return import_file_get(d->file);
        depth += (c == '(') - (c == ')');
        (void)import_file_get(d->file);
    }
    return -1;
}

/* Behind the opening parenthesis. */
static int read_definitions(struct dump *d, int table, char why[IMPORT_WHY_CHARS])
{
    struct import_layout *l = &d->made[table];
    int c = ',';

    *l = (struct import_layout){0};
    while (c == ',') {
        char name[WORD_CHARS], type[WORD_CHARS];
        bool quoted;

        read_name(d, name, &quoted);
        if (quoted || (name[0] != '\0' && !is_key(name))) {
            read_name(d, type, NULL);
            if (import_layout_add(l, name) != 0)
                return not_understood(d, "another column", why);
            if (l->of[l->count - 1] == IMPORT_TIME)
                d->stamp[table] = strcasecmp(type, "timestamp") == 0;
        }
        c = skip_definition(d);
    }
    if (c != ')')
        return end_of_file(d, why);
    return 0;
}

static int read_create(struct dump *d, char why[IMPORT_WHY_CHARS])
{
    char word[WORD_CHARS];
    int table, rc;

    read_name(d, word, NULL);
    if (strcasecmp(word, "TABLE") != 0)
        return 0;
    if (skip_blanks(d) == 'I') /* IF NOT EXISTS; a bare name that begins so is no table of ours */
        for (int i = 0; i < 3; i++)
            read_name(d, word, NULL);
    table = read_table(d);
    if (table < 0 || skip_blanks(d) != '(')
        return 0;
    (void)import_file_get(d->file);
    rc = read_definitions(d, table, why);
    return rc;
}

/* INSERT */

/* (a, b, c) before VALUES. */
static int read_columns(struct dump *d, char why[IMPORT_WHY_CHARS])
{
    char name[WORD_CHARS];
    int c = ',';

    d->layout = (struct import_layout){0};
    (void)import_file_get(d->file);
    while (c == ',') {
        read_name(d, name, NULL);
        if (name[0] == '\0' || import_layout_add(&d->layout, name) != 0)
            return not_understood(d, "the name of another column", why);
        c = skip_blanks(d);
        (void)import_file_get(d->file);
    }
    return c == ')' ? 0 : not_understood(d, "a comma", why);
}

static int check_columns(const struct dump *d, int table, char why[IMPORT_WHY_CHARS])
{
    if (d->layout.count == 0 || (d->layout.has_time && d->layout.has_win))
        return 0;
    snprintf(why, IMPORT_WHY_CHARS, "line %llu: table %s has no column %s",
             (unsigned long long)d->file->line, d->tables->name[table],
             d->layout.has_time ? "WIn" : "timestamp");
    return -EINVAL;
}

/* Behind INSERT or REPLACE, up to the first row. d->table stays -1 when it is none of ours. */
static int read_insert(struct dump *d, char why[IMPORT_WHY_CHARS])
{
    char word[WORD_CHARS];
    int table, rc;

    do { /* LOW_PRIORITY, IGNORE ... */
        read_name(d, word, NULL);
        if (word[0] == '\0')
            return 0;
    } while (strcasecmp(word, "INTO") != 0);
    table = read_table(d);
    if (table < 0)
        return 0;
    d->layout = d->made[table];
    rc = skip_blanks(d) == '(' ? read_columns(d, why) : 0;
    read_name(d, word, NULL);
    if (rc == 0 && strcasecmp(word, "VALUES") != 0 && strcasecmp(word, "VALUE") != 0)
        rc = not_understood(d, "VALUES", why);
    if (rc == 0)
        rc = check_columns(d, table, why);
    d->layout.utc = d->utc && d->stamp[table];
    if (rc == 0)
        d->table = table;
    return rc;
}

/* Anything that is no text in quotes: a number, NULL, an expression. */
static bool read_bare(struct dump *d)
{
    struct import_cells *cells = &d->cells;
    size_t i = cells->count - 1;
    int depth = 0;

    for (int c = skip_blanks(d); c >= 0; c = skip_blanks(d)) {
        if (depth == 0 && (c == ',' || c == ')')) {
            if (i < IMPORT_FIELDS_MAX && strcasecmp(cells->text[i], "NULL") == 0)
                import_cells_null(cells);
            return true;
        }
        if (is_quote(c)) { /* _binary '...' is what stands in the quotes */
            cells->count--;
            import_cells_next(cells);
            if (!read_quoted(d, import_cells_add, cells))
                return false;
            continue;
        }
        depth += (c == '(') - (c == ')');
        import_cells_add(cells, (char)import_file_get(d->file));
    }
    return false;
}

/* One (..., ...). 1, or as next. */
static int read_tuple(struct dump *d, struct import_row *row, char why[IMPORT_WHY_CHARS])
{
    int c;

    row->table = (enum rows_table)d->table;
    row->where = d->file->line;
    (void)import_file_get(d->file);
    d->cells.count = 0;
    do {
        import_cells_next(&d->cells);
        if (!read_bare(d))
            return end_of_file(d, why);
        c = import_file_get(d->file);
    } while (c == ',');
    if (d->layout.count == 0 && import_layout_guess(&d->layout, d->cells.count) != 0)
        return not_understood(d, "a CREATE TABLE, or the columns' names in the INSERT, was", why);
    import_cells_row(&d->cells, &d->layout, row);
    return 1;
}

/* One row of VALUES, or 0 when they are over. */
static int read_values(struct dump *d, struct import_row *row, char why[IMPORT_WHY_CHARS])
{
    int c = skip_blanks(d);

    if (c == ',') {
        (void)import_file_get(d->file);
        c = skip_blanks(d);
    }
    if (c == '(')
        return read_tuple(d, row, why);
    d->table = -1;
    return skip_statement(d) ? 0 : end_of_file(d, why);
}

/* Statements */

static void read_set(struct dump *d)
{
    char note[NOTE_CHARS];
    size_t n = 0;

    for (int c = import_file_peek(d->file); c >= 0 && c != ';' && n + 1 < sizeof note;
         c = import_file_peek(d->file))
        note[n++] = (char)import_file_get(d->file);
    note[n] = '\0';
    heed_zone(d, note);
}

/* One statement, or the head of an INSERT of ours. 1 when there was one, 0 at the end, or as next.
 */
static int read_statement(struct dump *d, char why[IMPORT_WHY_CHARS])
{
    char word[WORD_CHARS];
    int c = skip_blanks(d), rc = 0;

    if (c == '-') { /* "-- ", which skip_blanks leaves: in VALUES it is a sign */
        skip_line(d);
        return 1;
    }
    if (c < 0)
        return d->file->err == 0 ? 0 : end_of_file(d, why);
    read_name(d, word, NULL);
    if (strcasecmp(word, "CREATE") == 0)
        rc = read_create(d, why);
    else if (strcasecmp(word, "SET") == 0)
        read_set(d);
    else if (strcasecmp(word, "INSERT") == 0 || strcasecmp(word, "REPLACE") == 0)
        rc = read_insert(d, why);
    if (rc != 0)
        return rc;
    return d->table >= 0 || skip_statement(d) ? 1 : end_of_file(d, why);
}

static int dump_next(struct import_source *base, struct import_row *row, char why[IMPORT_WHY_CHARS])
{
    struct dump *d = (struct dump *)base;

    for (;;) {
        int rc = d->table >= 0 ? read_values(d, row, why) : 0;

        if (rc != 0)
            return rc;
        rc = read_statement(d, why);
        if (rc != 1)
            return rc;
    }
}

static double dump_share(const struct import_source *base)
{
    return import_file_share(((const struct dump *)base)->file);
}

static void dump_close(struct import_source *base)
{
    import_file_close(((struct dump *)base)->file);
    free(base);
}

struct import_source *import_dump_new(struct import_file *file, const struct import_tables *tables)
{
    static const struct import_source_ops ops = {dump_next, dump_share, dump_close};
    struct dump *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    *d = (struct dump){.base = {&ops, "line"}, .file = file, .tables = tables, .table = -1};
    return &d->base;
}
