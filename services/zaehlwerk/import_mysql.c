/*
 * import_mysql: the original's database itself, page by page, through libmariadb.
 *
 * Pages follow one another by id (by time where there is none), so that it holds no lock and no
 * long transaction, needs little memory here and there, and does not mind rows that come meanwhile.
 */
#include <errno.h>
#include <mariadb/mysql.h> /* common/store has a mysql.h of its own */
#include <mariadb/mysqld_error.h>
#include <mariadb/errmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import_source.h"

enum {
    PAGE = 5000,
    CONNECT_SECONDS = 10,
    KEY_CHARS = 40,
    QUOTED_CHARS = 2 * NAME_LEN + 3,
    SQL_CHARS = 4096
};

struct mysql_source {
    struct import_source base;
    const struct import_db_conf *conf;
    const struct import_tables *tables;
    MYSQL *connection;
    int table; /* being read; 2: all are */
    struct import_layout layout;
    char key_name[NAME_LEN + 1]; /* the column that orders the rows */
    int key_field;               /* where it is in a row */
    double first, last;          /* keys of the table, when they are numbers */
    MYSQL_RES *page;
    bool some; /* key holds the last row's */
    char key[KEY_CHARS];
    size_t same; /* rows with that key that were seen */
    size_t seen; /* rows of the page */
};

/* Errors */

static const char *advice(unsigned code)
{
    switch (code) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
        return " (IMPORT_DB_USER, IMPORT_DB_PASSWORD, IMPORT_DB_TLS=1; may the user SELECT, from "
               "this machine?)";
    case ER_BAD_DB_ERROR:
        return " (IMPORT_DB_NAME: the original's SMARTMETER_DB_SCHEMA)";
    case ER_NO_SUCH_TABLE:
        return " (IMPORT_DB_TABLE: the original's SMARTMETER_DB_TABLE)";
    case CR_AUTH_PLUGIN_CANNOT_LOAD:
    case ER_NOT_SUPPORTED_AUTH_MODE:
        return " (a user with another plugin will do: CREATE USER ... IDENTIFIED WITH "
               "mysql_native_password)";
    case CR_SSL_CONNECTION_ERROR:
        return " (IMPORT_DB_TLS, IMPORT_DB_CA_FILE)";
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_UNKNOWN_HOST:
        return " (IMPORT_DB_HOST, IMPORT_DB_PORT)";
    default:
        return "";
    }
}

static int fail(struct mysql_source *s, char why[IMPORT_WHY_CHARS])
{
    unsigned code = mysql_errno(s->connection);
    int rc = -EAGAIN;

    if (code == ER_ACCESS_DENIED_ERROR || code == ER_DBACCESS_DENIED_ERROR ||
        code == ER_TABLEACCESS_DENIED_ERROR || code == CR_AUTH_PLUGIN_CANNOT_LOAD ||
        code == ER_NOT_SUPPORTED_AUTH_MODE)
        rc = -EACCES;
    else if (code == ER_BAD_DB_ERROR || code == ER_NO_SUCH_TABLE)
        rc = -EINVAL;
    snprintf(why, IMPORT_WHY_CHARS, "%.140s%s", mysql_error(s->connection), advice(code));
    return rc;
}

/* Connecting */

static void use_tls(struct mysql_source *s)
{
    const struct import_db_conf *c = s->conf;
    my_bool yes = 1;

    if (!c->tls)
        return;
    mysql_optionsv(s->connection, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_optionsv(s->connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    mysql_optionsv(s->connection, MYSQL_OPT_SSL_CA,
                   *c->ca_file != '\0' ? c->ca_file : "/etc/ssl/certs/ca-certificates.crt");
}

static int run(struct mysql_source *s, const char *sql, char why[IMPORT_WHY_CHARS])
{
    return mysql_query(s->connection, sql) == 0 ? 0 : fail(s, why);
}

/* TIMESTAMP columns come in the session's zone: let that be UTC. */
static int open_connection(struct mysql_source *s, char why[IMPORT_WHY_CHARS])
{
    const struct import_db_conf *c = s->conf;
    const bool socket = c->host[0] == '/';
    unsigned seconds = CONNECT_SECONDS,
             protocol = socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;

    s->connection = mysql_init(NULL);
    if (s->connection == NULL) {
        snprintf(why, IMPORT_WHY_CHARS, "out of memory");
        return -EAGAIN;
    }
    mysql_optionsv(s->connection, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(s->connection, MYSQL_OPT_PROTOCOL, &protocol); /* localhost, too: its port */
    mysql_optionsv(s->connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    use_tls(s);
    if (mysql_real_connect(s->connection, socket ? NULL : c->host, c->user, c->password, c->name,
                           (unsigned)c->port, socket ? c->host : NULL, 0) == NULL)
        return fail(s, why);
    return run(s, "SET time_zone = '+00:00'", why);
}

/* Tables */

/* The name in backquotes; a backquote in it is doubled. */
static void print_name(const char *name, char quoted[QUOTED_CHARS])
{
    size_t n = 0;

    quoted[n++] = '`';
    for (; *name != '\0' && n < 2 * NAME_LEN; name++) {
        if (*name == '`')
            quoted[n++] = '`';
        quoted[n++] = *name;
    }
    quoted[n++] = '`';
    quoted[n] = '\0';
}

/* A query's result, all of it here; NULL with why and *rc. */
static MYSQL_RES *ask(struct mysql_source *s, const char *sql, int *rc, char why[IMPORT_WHY_CHARS])
{
    MYSQL_RES *result;

    *rc = run(s, sql, why);
    if (*rc != 0)
        return NULL;
    result = mysql_store_result(s->connection);
    if (result == NULL)
        *rc = fail(s, why);
    return result;
}

/* Which of its columns are ours, and by which its rows are in order. */
static int lay_out(struct mysql_source *s, MYSQL_RES *result, char why[IMPORT_WHY_CHARS])
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    int id = -1, time = -1;

    s->layout = (struct import_layout){0};
    for (unsigned i = 0; i < mysql_num_fields(result); i++) {
        int rc = import_layout_add(&s->layout, fields[i].name);
        int column = rc == 0 ? s->layout.of[i] : -1;

        if (rc != 0) {
            snprintf(why, IMPORT_WHY_CHARS, "table %s: %s", s->tables->name[s->table],
                     rc == -EEXIST ? "two columns of one meaning" : "too many columns");
            return -EINVAL;
        }
        id = column == IMPORT_ID ? (int)i : id;
        time = column == IMPORT_TIME ? (int)i : time;
    }
    if (!s->layout.has_time || !s->layout.has_win) {
        snprintf(why, IMPORT_WHY_CHARS, "table %s has no column %s", s->tables->name[s->table],
                 s->layout.has_time ? "WIn" : "timestamp");
        return -EINVAL;
    }
    s->layout.utc = fields[time].type == MYSQL_TYPE_TIMESTAMP;
    s->key_field = id >= 0 ? id : time;
    snprintf(s->key_name, sizeof s->key_name, "%s", fields[s->key_field].name);
    return 0;
}

static int find_ends(struct mysql_source *s, char why[IMPORT_WHY_CHARS])
{
    char key[QUOTED_CHARS], table[QUOTED_CHARS], sql[SQL_CHARS];
    MYSQL_RES *result;
    MYSQL_ROW row;
    int rc;

    print_name(s->key_name, key);
    print_name(s->tables->name[s->table], table);
    snprintf(sql, sizeof sql, "SELECT min(%s), max(%s) FROM %s", key, key, table);
    result = ask(s, sql, &rc, why);
    if (result == NULL)
        return rc;
    row = mysql_fetch_row(result);
    s->first = row != NULL && row[0] != NULL ? strtod(row[0], NULL) : 0;
    s->last = row != NULL && row[1] != NULL ? strtod(row[1], NULL) : 0;
    mysql_free_result(result);
    return 0;
}

/* 1 when the table is there; 0 when it is one that need not be; or as next. */
static int open_table(struct mysql_source *s, char why[IMPORT_WHY_CHARS])
{
    char table[QUOTED_CHARS], sql[SQL_CHARS];
    MYSQL_RES *result;
    int rc;

    print_name(s->tables->name[s->table], table);
    snprintf(sql, sizeof sql, "SELECT * FROM %s LIMIT 0", table);
    result = ask(s, sql, &rc, why);
    if (result == NULL) /* without debounced rows there is still a history */
        return s->table == ROWS_DEBOUNCED && s->tables->wanted[ROWS_HISTORY] &&
                       mysql_errno(s->connection) == ER_NO_SUCH_TABLE
                   ? 0
                   : rc;
    rc = lay_out(s, result, why);
    mysql_free_result(result);
    if (rc == 0)
        rc = find_ends(s, why);
    s->some = false;
    s->same = s->seen = 0;
    return rc == 0 ? 1 : rc;
}

/* Pages */

/* The next page begins at the last row's key, behind the rows with it that were seen. */
static int open_page(struct mysql_source *s, char why[IMPORT_WHY_CHARS])
{
    char key[QUOTED_CHARS], table[QUOTED_CHARS], value[2 * KEY_CHARS + 1];
    char after[QUOTED_CHARS + 2 * KEY_CHARS + 20] = "", sql[SQL_CHARS];
    int rc;

    print_name(s->key_name, key);
    print_name(s->tables->name[s->table], table);
    if (s->some) {
        mysql_real_escape_string(s->connection, value, s->key, strlen(s->key));
        snprintf(after, sizeof after, " WHERE %s >= '%s'", key, value);
    }
    snprintf(sql, sizeof sql, "SELECT * FROM %s%s ORDER BY %s LIMIT %d OFFSET %zu", table, after,
             key, PAGE, s->same);
    s->page = ask(s, sql, &rc, why);
    s->seen = 0;
    return rc;
}

static void note_key(struct mysql_source *s, const char *key)
{
    if (key == NULL) { /* without a key: they come first, and stay in front of the next page */
        s->same++;
        return;
    }
    if (s->some && strcmp(key, s->key) == 0) {
        s->same++;
        return;
    }
    snprintf(s->key, sizeof s->key, "%s", key);
    s->some = true;
    s->same = 1;
}

/* The next row of the page, or NULL at its end. */
static MYSQL_ROW next_in_page(struct mysql_source *s)
{
    MYSQL_ROW row = s->page == NULL ? NULL : mysql_fetch_row(s->page);

    if (row == NULL)
        return NULL;
    s->seen++;
    note_key(s, row[s->key_field]);
    return row;
}

static void hand_over(const struct mysql_source *s, MYSQL_ROW fields, struct import_row *row)
{
    *row = (struct import_row){.table = (enum rows_table)s->table, .utc = s->layout.utc};
    for (size_t i = 0; i < s->layout.count; i++)
        if (s->layout.of[i] >= 0)
            row->text[s->layout.of[i]] = fields[i];
    if (row->text[IMPORT_ID] != NULL)
        row->where = strtoull(row->text[IMPORT_ID], NULL, 10);
}

/* The next wanted table that is there: 1; 0 when there is none; or as next. */
static int next_table(struct mysql_source *s, char why[IMPORT_WHY_CHARS])
{
    int rc = 0;

    while (rc == 0 && ++s->table < 2)
        if (s->tables->wanted[s->table])
            rc = open_table(s, why);
    return rc;
}

/* 1, with the next page, of the next table when this one is over; or as next. */
static int next_page(struct mysql_source *s, char why[IMPORT_WHY_CHARS])
{
    bool over = s->page != NULL && s->seen < PAGE;
    int rc;

    mysql_free_result(s->page);
    s->page = NULL;
    rc = over ? next_table(s, why) : 1;
    if (rc == 1)
        rc = open_page(s, why);
    else
        return rc;
    return rc == 0 ? 1 : rc;
}

static int
mysql_source_next(struct import_source *base, struct import_row *row, char why[IMPORT_WHY_CHARS])
{
    struct mysql_source *s = (struct mysql_source *)base;
    int rc = 1;

    if (s->connection == NULL) {
        rc = open_connection(s, why);
        if (rc == 0)
            rc = next_table(s, why);
    }
    while (rc == 1) {
        MYSQL_ROW fields = next_in_page(s);

        if (fields != NULL) {
            hand_over(s, fields, row);
            return 1;
        }
        rc = next_page(s, why);
    }
    return rc;
}

static double mysql_source_share(const struct import_source *base)
{
    const struct mysql_source *s = (const struct mysql_source *)base;
    double key = s->some ? strtod(s->key, NULL) : s->first;
    double share = s->last > s->first ? (key - s->first) / (s->last - s->first) : -1;
    int tables = s->tables->wanted[0] + s->tables->wanted[1];

    if (tables == 2 && share >= 0) /* history has most of the rows */
        share = s->table == ROWS_HISTORY ? 0.95 * share : 0.95 + 0.05 * share;
    return share > 1 ? 1 : share;
}

static void mysql_source_close(struct import_source *base)
{
    struct mysql_source *s = (struct mysql_source *)base;

    mysql_free_result(s->page);
    if (s->connection != NULL)
        mysql_close(s->connection);
    mysql_library_end();
    free(s);
}

struct import_source *import_mysql_new(const struct import_db_conf *conf,
                                       const struct import_tables *tables)
{
    static const struct import_source_ops ops = {mysql_source_next, mysql_source_share,
                                                 mysql_source_close};
    struct mysql_source *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    *s = (struct mysql_source){.base = {&ops, "id"}, .conf = conf, .tables = tables, .table = -1};
    return &s->base;
}
