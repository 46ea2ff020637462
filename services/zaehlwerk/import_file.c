#include "import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct import_file *import_file_open(const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    struct import_file *f = calloc(1, sizeof *f);
    struct stat st;

    if (f == NULL)
        return NULL;
    *f = (struct import_file){.owned = !standard, .line = 1};
    f->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        int err = f->fd < 0 ? errno : EISDIR;

        f->owned = f->owned && f->fd >= 0;
        import_file_close(f);
        errno = err;
        return NULL;
    }
    f->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    return f;
}

/* What is left of the block stays in front, so that a look at the beginning may read on. */
bool import_file_fill(struct import_file *f)
{
    ssize_t n;

    if (f->err != 0)
        return false;
    memmove(f->block, f->block + f->at, f->len - f->at);
    f->len -= f->at;
    f->at = 0;
    n = read(f->fd, f->block + f->len, sizeof f->block - f->len);
    if (n < 0)
        f->err = -errno;
    if (n <= 0)
        return false;
    f->len += (size_t)n;
    f->done += (uint64_t)n;
    return true;
}

/* A pipe may bring its first octets one by one. */
static void read_beginning(struct import_file *f, size_t n)
{
    while (f->len - f->at < n && import_file_fill(f))
        ;
}

static bool begins(const struct import_file *f, const char *text)
{
    return f->len - f->at >= strlen(text) && memcmp(f->block + f->at, text, strlen(text)) == 0;
}

/* A byte order mark and blanks at the beginning say nothing. */
static void skip_beginning(struct import_file *f)
{
    read_beginning(f, 4096);
    if (begins(f, "\xEF\xBB\xBF"))
        f->at += 3;
    while (f->at < f->len && strchr(" \t\r\n", f->block[f->at]) != NULL && f->block[f->at] != '\0')
        (void)import_file_get(f);
}

const char *import_file_complaint(struct import_file *f)
{
    skip_beginning(f);
    if (f->err != 0)
        return strerror(-f->err);
    if (f->at == f->len)
        return "there is nothing in it";
    if (begins(f, "\x1F\x8B"))
        return "it is compressed: zcat FILE | zaehlwerk import -";
    if (begins(f, "\xFD"
                  "7zXZ") ||
        begins(f, "\x28\xB5\x2F\xFD") || begins(f, "BZh") || begins(f, "PK\x03\x04"))
        return "it is compressed: unpack it and give it to `zaehlwerk import -`";
    if (begins(f, "\xFF\xFE") || begins(f, "\xFE\xFF"))
        return "it is UTF-16: iconv -f UTF-16 -t UTF-8 FILE | zaehlwerk import -";
    if (begins(f, "<"))
        return "XML is not read: make a dump without --xml, or CSV";
    return NULL;
}

bool import_file_is_sql(struct import_file *f)
{
    static const char *const words[] = {"--",    "/*",   "#",     "CREATE ", "INSERT ", "REPLACE ",
                                        "DROP ", "SET ", "LOCK ", "USE ",    "START ",  "BEGIN"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (f->len - f->at >= strlen(words[i]) &&
            strncasecmp((const char *)f->block + f->at, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

double import_file_share(const struct import_file *f)
{
    return f->size == 0 ? -1 : (double)(f->done - (f->len - f->at)) / (double)f->size;
}

void import_file_close(struct import_file *f)
{
    if (f == NULL)
        return;
    if (f->owned)
        close(f->fd);
    free(f);
}
