#include "conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

enum { FILE_MAX_CHARS = 65536, WORDS_CHARS = 256 };

int conf_wrong(const char *variable, const char *wrong, const char *right)
{
    log_error("config", LOG_S("variable", variable), LOG_S("wrong", wrong), LOG_S("right", right));
    return -EINVAL;
}

/* The contents of a file without the line feeds at its end, or NULL with errno set. */
static char *read_file(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = f == NULL ? NULL : calloc(1, FILE_MAX_CHARS);
    size_t len;

    if (text != NULL) {
        len = fread(text, 1, FILE_MAX_CHARS - 1, f);
        while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
            text[--len] = '\0';
        if (ferror(f)) { /* a folder can be opened but not read */
            free(text);
            text = NULL;
        }
    }
    if (f != NULL)
        fclose(f);
    return text;
}

/* The value as text on the heap; *text stays NULL when it is not set and has no default. */
static int look_up(const struct conf_option *o, char **text)
{
    char file_name[128];
    const char *value = getenv(o->name);
    const char *path;

    snprintf(file_name, sizeof file_name, "%s_FILE", o->name);
    path = getenv(file_name);
    if (value != NULL && *value == '\0')
        value = NULL;
    if (path != NULL && *path == '\0')
        path = NULL;
    if (value != NULL && path != NULL)
        return conf_wrong(file_name, "set beside the variable itself", "set only one of the two");
    if (path != NULL) {
        *text = read_file(path);
        if (*text == NULL)
            return conf_wrong(file_name, strerror(errno), "a readable file");
        if (**text != '\0')
            return 0;
        free(*text); /* empty: as an empty variable */
        *text = NULL;
    }
    if (value == NULL)
        value = o->fallback;
    if (value == NULL)
        return 0;
    *text = strdup(value);
    return *text == NULL ? -ENOMEM : 0;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);

    if (strchr(text, '|') != NULL)
        return false;
    for (const char *p = choices; p != NULL; p = strchr(p, '|')) {
        p += *p == '|';
        if (strncmp(p, text, len) == 0 && (p[len] == '|' || p[len] == '\0'))
            return true;
    }
    return false;
}

static int read_number(const struct conf_option *o, const char *text, int64_t *number)
{
    char right[WORDS_CHARS];
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *number >= o->min && *number <= o->max)
        return 0;
    snprintf(right, sizeof right, "a number from %" PRId64 " to %" PRId64, o->min, o->max);
    return conf_wrong(o->name, text, right);
}

static int read_option(const struct conf_option *o, void *self)
{
    void *member = (char *)self + o->offset;
    char *text = NULL;
    int rc = look_up(o, &text);

    if (rc != 0)
        return rc;
    if (text == NULL)
        return conf_wrong(o->name, "missing", o->help);
    switch (o->kind) {
    case CONF_TEXT:
    case CONF_SECRET:
    case CONF_BIND:
    case CONF_CONNECT:
        break;
    case CONF_CHOICE:
        if (!is_choice(o->choices, text))
            rc = conf_wrong(o->name, text, o->choices);
        break;
    case CONF_NUMBER:
        rc = read_number(o, text, member);
        break;
    case CONF_SWITCH:
        *(bool *)member = strcmp(text, "1") == 0;
        if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
            rc = conf_wrong(o->name, text, "0 or 1");
        break;
    }
    if (rc == 0 && o->kind != CONF_NUMBER && o->kind != CONF_SWITCH)
        *(char **)member = text;
    else
        free(text);
    return rc;
}

int conf_read(const struct conf_option *options, void *self)
{
    int rc = 0;

    for (; options->name != NULL && rc == 0; options++)
        rc = read_option(options, self);
    return rc;
}

void conf_free(const struct conf_option *options, void *self)
{
    for (; options->name != NULL; options++) {
        char **text = (char **)((char *)self + options->offset);

        if (options->kind == CONF_NUMBER || options->kind == CONF_SWITCH || *text == NULL)
            continue;
        if (options->kind == CONF_SECRET)
            explicit_bzero(*text, strlen(*text));
        free(*text);
        *text = NULL;
    }
}

void conf_help(FILE *out, const struct conf_option *options)
{
    for (; options->name != NULL; options++) {
        const char *fallback = options->fallback == NULL      ? "required"
                               : options->fallback[0] == '\0' ? "empty"
                                                              : options->fallback;

        fprintf(out, "  %-30s %s", options->name, options->help);
        if (options->choices != NULL)
            fprintf(out, " (%s)", options->choices);
        fprintf(out, " [%s]\n", fallback);
    }
}

char **conf_list(const char *text)
{
    size_t len = strlen(text);
    char **list = calloc(1, (len / 2 + 2) * sizeof *list + len + 1);
    char *copy = list == NULL ? NULL : (char *)(list + len / 2 + 2);
    size_t n = 0;

    if (list == NULL)
        return NULL;
    memcpy(copy, text, len);
    for (char *save, *word = strtok_r(copy, ", \t\n", &save); word != NULL;
         word = strtok_r(NULL, ", \t\n", &save))
        list[n++] = word;
    return list;
}

bool conf_is_identifier(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= 48 && *text >= 'a' && *text <= 'z' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}
