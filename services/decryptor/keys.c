#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "hex.h"
#include "key.h"
#include "log.h"
#include "utf8.h"

enum { COLUMNS_MAX = 32, FILE_MAX = 512 * 1024 * 1024, DOUBLES_LOGGED = 20 };
enum column { TITLE, KEY, AUTHENTICATION_KEY, NAME, COLUMNS, IGNORED = COLUMNS };

static const char *const column_names[COLUMNS] = {"system_title", "key", "authentication_key",
                                                  "name"};

/* One line of the file. */
struct entry {
    uint8_t title[SYSTEM_TITLE_OCTETS];
    uint8_t key[KEY_OCTETS];
    uint8_t authentication_key[KEY_OCTETS];
    bool has_authentication_key;
    int line;
    char *name;
};

/* The entries of one version of the file, sorted by title. */
struct table {
    struct entry *entries;
    size_t count, room;
};

struct keys {
    struct decode_keys everybody; /* for meters that the file does not name */
    struct decode_keys found;     /* the last answer */
    const char *path;
    struct stat seen;
    struct table table;
};

static void table_free(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->entries[i].name);
    if (t->entries != NULL)
        explicit_bzero(t->entries, t->count * sizeof *t->entries);
    free(t->entries);
    *t = (struct table){0};
}

static int compare(const void *a, const void *b) /* by title alone: for looking up */
{
    return memcmp(((const struct entry *)a)->title, ((const struct entry *)b)->title,
                  SYSTEM_TITLE_OCTETS);
}

/* Cut a line at its commas in place; blanks around a cell and quotes go. Returns how many. */
static size_t cut(char *line, char *cells[COLUMNS_MAX])
{
    size_t n = 0;
    char *rest = line;

    while (rest != NULL && n < COLUMNS_MAX) {
        char *cell = rest + strspn(rest, " \t");
        size_t len;

        if (*cell == '"') { /* a quoted cell may hold commas */
            char *end = strchr(++cell, '"');

            if (end != NULL) {
                *end = '\0';
                rest = end + 1;
                strsep(&rest, ",");
                cells[n++] = cell;
                continue;
            }
        }
        rest = cell;
        cell = strsep(&rest, ",");
        len = strlen(cell);
        while (len > 0 && strchr(" \t\r\n", cell[len - 1]) != NULL)
            cell[--len] = '\0';
        cells[n++] = cell;
    }
    return n;
}

static bool read_header(char *line, enum column columns[COLUMNS_MAX], size_t *n)
{
    char *cells[COLUMNS_MAX];
    bool has[COLUMNS + 1] = {false};

    if (strncmp(line, "\xEF\xBB\xBF", 3) == 0) /* a spreadsheet's byte order mark */
        line += 3;
    *n = cut(line, cells);
    for (size_t i = 0; i < *n; i++) {
        int c = 0;

        while (c < COLUMNS && strcasecmp(cells[i], column_names[c]) != 0)
            c++;
        columns[i] = (enum column)c;
        has[c] = true;
    }
    return has[TITLE] && has[KEY];
}

/* Returns NULL, or what is wrong with the line; never a part of a key. */
static const char *
read_entry(char *line, const enum column columns[COLUMNS_MAX], size_t n, struct entry *e)
{
    char *cells[COLUMNS_MAX];
    const char *by_column[COLUMNS] = {"", "", "", ""};
    size_t cell_count = cut(line, cells);
    const char *wrong;

    for (size_t i = 0; i < cell_count && i < n; i++)
        if (columns[i] != IGNORED)
            by_column[columns[i]] = cells[i];
    if (hex_decode(by_column[TITLE], e->title, SYSTEM_TITLE_OCTETS) != 0)
        return "system_title: 16 hex digits are wanted";
    wrong = key_parse(by_column[KEY], e->key);
    if (wrong != NULL)
        return wrong;
    e->has_authentication_key = by_column[AUTHENTICATION_KEY][0] != '\0';
    if (e->has_authentication_key) {
        wrong = key_parse(by_column[AUTHENTICATION_KEY], e->authentication_key);
        if (wrong != NULL)
            return wrong;
    }
    e->name = malloc(NAME_CHARS + 1);
    if (e->name != NULL)
        utf8_copy(e->name, NAME_CHARS + 1, by_column[NAME]);
    return e->name == NULL ? "out of memory" : NULL;
}

static int add(struct table *t, const struct entry *e)
{
    if (t->count == t->room) {
        size_t room = t->room == 0 ? 16 : t->room * 2;
        struct entry *entries = reallocarray(NULL, room, sizeof *entries);

        if (entries == NULL)
            return -ENOMEM;
        if (t->count > 0) {
            memcpy(entries, t->entries, t->count * sizeof *entries);
            explicit_bzero(t->entries, t->count * sizeof *entries);
        }
        free(t->entries);
        t->entries = entries;
        t->room = room;
    }
    t->entries[t->count++] = *e;
    return 0;
}

static int read_lines(FILE *f, const char *path, struct table *t)
{
    enum column columns[COLUMNS_MAX];
    char *line = NULL;
    size_t size = 0, n = 0;
    bool header = false;
    int rc = 0;

    for (int number = 1; rc == 0 && getline(&line, &size, f) >= 0; number++) {
        struct entry e = {.name = NULL};
        const char *wrong;

        if (line[strspn(line, " \t\r\n")] == '\0' || line[0] == '#')
            continue;
        if (!header) {
            header = read_header(line, columns, &n);
            rc = header ? 0 : -EINVAL;
            continue;
        }
        e.line = number;
        wrong = read_entry(line, columns, n, &e);
        if (wrong == NULL)
            rc = add(t, &e);
        else
            log_error("keys", LOG_S("file", path), LOG_I("line", number), LOG_S("wrong", wrong));
        explicit_bzero(&e, sizeof e);
    }
    if (line != NULL)
        explicit_bzero(line, size);
    free(line);
    return rc == 0 && !header ? -EINVAL : rc;
}

static int compare_lines(const void *a, const void *b)
{
    int c = compare(a, b);

    return c != 0 ? c : ((const struct entry *)a)->line - ((const struct entry *)b)->line;
}

/* Sort by title; of lines with the same title the last one counts. */
static void sort(struct table *t, const char *path)
{
    size_t n = 0, doubles = 0;

    qsort(t->entries, t->count, sizeof *t->entries, compare_lines);
    for (size_t i = 0; i < t->count; i++) {
        struct entry *e = &t->entries[i];

        if (i + 1 < t->count && compare(e, e + 1) == 0) {
            if (doubles++ < DOUBLES_LOGGED)
                log_error("keys", LOG_S("file", path), LOG_I("line", e->line),
                          LOG_S("wrong", "the same system_title again further down, which counts"));
            free(e->name);
            continue;
        }
        t->entries[n++] = *e;
    }
    t->count = n;
}

/* Returns 0, -EINVAL for a file without the header line, or the errno of opening it. */
static int read_table(struct keys *k, struct table *t)
{
    int fd = open(k->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
    FILE *f;
    int rc;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &k->seen) != 0 || !S_ISREG(k->seen.st_mode) || k->seen.st_size > FILE_MAX) {
        close(fd);
        return -ENODEV;
    }
    f = fdopen(fd, "r");
    if (f == NULL) {
        close(fd);
        return -ENOMEM;
    }
    rc = read_lines(f, k->path, t);
    if (rc == 0 && ferror(f))
        rc = -EIO;
    fclose(f);
    if (t->count > 0)
        sort(t, k->path);
    if (rc != 0)
        table_free(t);
    return rc;
}

static int complain(int rc)
{
    return conf_wrong("SMARTMETER_KEYS_FILE",
                      rc == -EINVAL   ? "no header line, or no usable line"
                      : rc == -ENODEV ? "no regular file, or larger than 512 MB"
                                      : strerror(-rc),
                      "a CSV file with the header system_title,key,authentication_key,name");
}

static int take_key(const char *variable, const char *text, uint8_t key[KEY_OCTETS], bool *has)
{
    const char *wrong = *text == '\0' ? NULL : key_parse(text, key);

    *has = *text != '\0';
    return wrong == NULL ? 0 : conf_wrong(variable, wrong, "32 hex digits");
}

int keys_open(const char *key, const char *authentication_key, const char *path, struct keys **out)
{
    struct keys *k = calloc(1, sizeof *k);
    int rc;

    if (k == NULL)
        return -ENOMEM;
    *out = k;
    k->path = path;
    rc = take_key("SMARTMETER_KEY", key, k->everybody.key, &k->everybody.has_key);
    if (rc == 0)
        rc = take_key("SMARTMETER_AUTHENTICATION_KEY", authentication_key,
                      k->everybody.authentication_key, &k->everybody.has_authentication_key);
    if (rc == 0 && *path == '\0' && !k->everybody.has_key)
        rc = conf_wrong("SMARTMETER_KEY", "missing, and so is SMARTMETER_KEYS_FILE",
                        "the meter's key from the grid operator, 32 hex digits");
    if (rc == 0 && *path != '\0') {
        rc = read_table(k, &k->table);
        if (rc == 0 && k->table.count == 0 && !k->everybody.has_key)
            rc = -EINVAL;
        if (rc != 0 && rc != -ENOMEM)
            rc = complain(rc);
    }
    return rc;
}

void keys_free(struct keys *k)
{
    if (k == NULL)
        return;
    table_free(&k->table);
    explicit_bzero(k, sizeof *k);
    free(k);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void keys_refresh(struct keys *k)
{
    struct stat now;
    struct table table = {0};
    int rc;

    if (*k->path == '\0' || stat(k->path, &now) != 0 || same_file(&now, &k->seen))
        return;
    rc = read_table(k, &table);
    k->seen = now;
    if (rc == 0 && table.count == 0 && !k->everybody.has_key)
        rc = -EINVAL; /* as in keys_open: with it no meter had a key */
    if (rc != 0) {
        complain(rc);
        return;
    }
    table_free(&k->table);
    k->table = table;
    log_info("keys", LOG_S("file", k->path), LOG_I("meters", table.count));
}

const struct decode_keys *keys_lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    struct keys *k = arg;
    struct entry wanted = {.name = NULL};
    const struct entry *e = NULL;

    memcpy(wanted.title, title, SYSTEM_TITLE_OCTETS);
    if (k->table.count > 0)
        e = bsearch(&wanted, k->table.entries, k->table.count, sizeof wanted, compare);
    if (e == NULL)
        return k->everybody.has_key ? &k->everybody : NULL;
    k->found.has_key = true;
    k->found.has_authentication_key = e->has_authentication_key;
    k->found.name = e->name;
    memcpy(k->found.key, e->key, KEY_OCTETS);
    memcpy(k->found.authentication_key, e->authentication_key, KEY_OCTETS);
    return &k->found;
}

size_t keys_count(const struct keys *k)
{
    return k->table.count;
}
