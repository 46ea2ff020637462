#include "slots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "journal.h"
#include "mqtt.h"

enum { FILTERS_MAX_CHARS = 1024 * 1024 };

static size_t count(char *const *list)
{
    size_t n = 0;

    while (list[n] != NULL)
        n++;
    return n;
}

/* The digits at the end of a text: "7", or those after the last '-' of a host name. */
int slots_fixed(const struct slots_conf *c)
{
    const char *dash = strrchr(c->fixed, '-');
    const char *digits = dash == NULL ? c->fixed : dash + 1;
    char *end;
    long n;

    if (*c->fixed == '\0')
        return -1;
    if (dash == c->fixed || strspn(digits, "0123456789") != strlen(digits))
        return -EINVAL;
    n = strtol(digits, &end, 10);
    return end == digits || n >= c->count || n >= SLOTS_MAX ? -EINVAL : (int)n;
}

/* Two slots' filters that may match the same topic would bring it twice. */
static int check_disjoint(const struct slots_conf *c, char *const *filters)
{
    char wrong[1100];

    for (size_t a = 0; filters[a] != NULL; a++)
        for (size_t b = a + 1; filters[b] != NULL; b++) {
            if ((b - a) % (size_t)c->count == 0 || !mqtt_filter_matches(filters[a], filters[b]))
                continue;
            snprintf(wrong, sizeof wrong, "%.500s and %.500s overlap", filters[a], filters[b]);
            return conf_wrong("SMARTMETER_RAWDATA_MQTT_TOPIC", wrong,
                              "filters that have no topic in common, to be dealt out over "
                              "INGEST_SLOTS");
        }
    return 0;
}

int slots_check(const struct slots_conf *c, char *const *filters)
{
    char wrong[100];

    if (slots_fixed(c) == -EINVAL) {
        snprintf(wrong, sizeof wrong,
                 "a number below INGEST_SLOTS (%d), or a host name that ends "
                 "in -NUMBER",
                 (int)c->count);
        return conf_wrong("INGEST_SLOT", c->fixed, wrong);
    }
    if (c->shared || c->count <= 1)
        return 0;
    if ((size_t)c->count > count(filters)) {
        snprintf(wrong, sizeof wrong, "%d slots for %zu topic filters", (int)c->count,
                 count(filters));
        return conf_wrong("INGEST_SLOTS", wrong,
                          "no more slots than SMARTMETER_RAWDATA_MQTT_TOPIC has filters, or "
                          "INGEST_SHARED=1");
    }
    return check_disjoint(c, filters);
}

/* A folder, on disk with its entry in the one above it. */
static int make_folder(const char *path)
{
    char above[SLOT_FOLDER_CHARS + 4];
    int fd;

    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? 0 : -errno;
    snprintf(above, sizeof above, "%s/..", path);
    fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    return 0;
}

static int try_lock(int fd, int kind)
{
    if (flock(fd, kind | LOCK_NB) == 0)
        return 0;
    return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

/* Who serves a slot has it alone. Who only looks shares it, for milliseconds: that is waited for.
 */
static int take_lock(int fd)
{
    enum { TRIES = 100, PAUSE_MS = 20 };
    int rc = try_lock(fd, LOCK_EX);

    for (int i = 0; rc == -EBUSY && i < TRIES && try_lock(fd, LOCK_SH) == 0; i++) {
        (void)flock(fd, LOCK_UN);
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
        rc = try_lock(fd, LOCK_EX);
    }
    return rc;
}

/*
 * Lock a slot's folder. -EBUSY when somebody has it. A file that was removed while we waited for
 * its lock locks nothing: then it is as if taken, and the next attempt makes a new one.
 */
static int lock_folder(struct slot *s, bool make)
{
    char path[SLOT_FOLDER_CHARS + 8];
    struct stat ours, there;
    int rc = make ? make_folder(s->folder) : 0;

    if (rc != 0)
        return rc;
    snprintf(path, sizeof path, "%s/lock", s->folder);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return -errno;
    rc = make ? take_lock(s->lock) : try_lock(s->lock, LOCK_SH);
    if (rc == 0 &&
        (fstat(s->lock, &ours) != 0 || stat(path, &there) != 0 || ours.st_ino != there.st_ino))
        rc = -EBUSY;
    if (rc != 0)
        close(s->lock);
    s->held = rc == 0;
    return rc;
}

static int name_folder(struct slot *s, const struct slots_conf *c, int number)
{
    int n = snprintf(s->folder, sizeof s->folder, "%s/slot-%d", c->folder, number);

    s->number = number;
    return n < 0 || (size_t)n >= sizeof s->folder ? -ENAMETOOLONG : 0;
}

int slot_take(struct slot *s, const struct slots_conf *c, int number, char why[SLOT_WHY_CHARS])
{
    int first = number >= 0 ? number : 0;
    int last = number >= 0 ? number : (int)c->count - 1;
    int rc = make_folder(c->folder);

    for (int n = first; rc == 0 && n <= last; n++) {
        rc = name_folder(s, c, n);
        if (rc == 0)
            rc = lock_folder(s, true);
        if (rc == 0)
            return 0;
        if (rc == -EBUSY && n < last)
            rc = 0;
    }
    snprintf(why, SLOT_WHY_CHARS, "%s", strerror(-rc));
    return rc;
}

void slot_release(struct slot *s)
{
    if (s->held)
        close(s->lock);
    s->held = false;
}

int slot_remove(struct slot *s)
{
    static const char *const files[] = {"journal",  "journal-wal", "journal-shm", "journal-reserve",
                                        SLOT_MAYBE, SLOT_SURELY,   "new",         "lock"};
    int rc = 0;

    for (size_t i = 0; i < sizeof files / sizeof files[0] && rc == 0; i++) {
        char path[SLOT_FOLDER_CHARS + 16];

        snprintf(path, sizeof path, "%s/%s", s->folder, files[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            rc = -errno;
    }
    if (rc == 0 && rmdir(s->folder) != 0)
        rc = -errno;
    slot_release(s);
    return rc;
}

char *slot_path(const struct slot *s, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/%s", s->folder, name) < 0 ? NULL : path;
}

char *slot_client_id(const char *base, int number)
{
    char *id = NULL;

    if (number == 0)
        return strdup(base);
    return asprintf(&id, "%s-%d", base, number) < 0 ? NULL : id;
}

char **slot_filters(const struct slots_conf *c, int number, char *const *filters)
{
    size_t n = count(filters), size = (n + 1) * sizeof(char *), used = 0;
    char **own, *text;

    for (size_t i = 0; i < n; i++)
        size += strlen(SLOT_SHARE) + strlen(filters[i]) + 1;
    own = calloc(1, size);
    if (own == NULL)
        return NULL;
    text = (char *)(own + n + 1);
    for (size_t i = 0; i < n; i++) {
        if (!c->shared && i % (size_t)c->count != (size_t)number)
            continue;
        own[used++] = text;
        text += sprintf(text, "%s%s", c->shared ? SLOT_SHARE : "", filters[i]) + 1;
    }
    return own;
}

char **slot_read_note(const struct slots_conf *c, int number, const char *note)
{
    struct slot s = {0};
    char *path = name_folder(&s, c, number) == 0 ? slot_path(&s, note) : NULL;
    FILE *f = path == NULL ? NULL : fopen(path, "re");
    char *text = calloc(1, FILTERS_MAX_CHARS);
    char **list = NULL;

    if (f != NULL && text != NULL)
        text[fread(text, 1, FILTERS_MAX_CHARS - 1, f)] = '\0';
    if (text != NULL)
        list = conf_list(text);
    if (f != NULL)
        fclose(f);
    free(text);
    free(path);
    return list;
}

int slot_write_note(const struct slot *s, const char *note, char *const *a, char *const *b)
{
    char *path = slot_path(s, note), *beside = slot_path(s, "new");
    FILE *f = path == NULL || beside == NULL ? NULL : fopen(beside, "we");
    int rc = f == NULL ? -errno : 0;

    for (; f != NULL && *a != NULL; a++)
        fprintf(f, "%s\n", *a);
    for (; f != NULL && *b != NULL; b++)
        fprintf(f, "%s\n", *b);
    if (f != NULL && (fflush(f) != 0 || fsync(fileno(f)) != 0))
        rc = -errno;
    if (f != NULL)
        fclose(f);
    if (rc == 0 && rename(beside, path) != 0)
        rc = -errno;
    free(path);
    free(beside);
    return rc;
}

enum slot_view slot_look(const struct slots_conf *c, int number, int64_t *entries)
{
    struct slot s = {0};
    char *path;
    int rc = name_folder(&s, c, number);

    *entries = 0;
    if (rc == 0)
        rc = lock_folder(&s, false);
    if (rc == -EBUSY)
        return SLOT_SERVED;
    if (rc == -ENOENT) /* no folder: nobody was ever there */
        return SLOT_EMPTY;
    path = rc == 0 ? slot_path(&s, "journal") : NULL;
    *entries = path == NULL ? -1 : journal_peek(path);
    free(path);
    slot_release(&s);
    return *entries == 0 ? SLOT_EMPTY : SLOT_ORPHAN;
}

void slots_list(const struct slots_conf *c, bool seen[SLOTS_MAX])
{
    DIR *d = opendir(c->folder);

    memset(seen, 0, SLOTS_MAX * sizeof *seen);
    if (d == NULL)
        return;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        char *end;
        long n;

        if (strncmp(e->d_name, "slot-", 5) != 0)
            continue;
        n = strtol(e->d_name + 5, &end, 10);
        if (end != e->d_name + 5 && *end == '\0' && n >= 0 && n < SLOTS_MAX)
            seen[n] = true;
    }
    closedir(d);
}
