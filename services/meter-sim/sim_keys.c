#include "sim_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hex.h"

static void write_meter(FILE *out, const struct sim_meter *m)
{
    char title[2 * SYSTEM_TITLE_OCTETS + 1];
    char key[2 * KEY_OCTETS + 1], authentication_key[2 * KEY_OCTETS + 1] = "";

    hex_encode(m->title, SYSTEM_TITLE_OCTETS, title);
    hex_encode(m->key, KEY_OCTETS, key);
    if ((m->security_control & SC_AUTHENTICATED) != 0)
        hex_encode(m->authentication_key, KEY_OCTETS, authentication_key);
    fprintf(out, "%s,%s,%s,%s\n", title, key, authentication_key, m->name);
}

/* Consumes fd. */
static int write_all(int fd, const struct sim *s, uint32_t meters)
{
    FILE *out = fdopen(fd, "w");
    int rc = 0;

    if (out == NULL) {
        rc = -errno;
        close(fd);
        return rc;
    }
    fputs("system_title,key,authentication_key,name\n", out);
    for (uint32_t i = 0; i < meters; i++) {
        struct sim_meter m;

        sim_meter(s, i, &m);
        write_meter(out, &m);
    }
    if (fflush(out) != 0 || fsync(fd) != 0)
        rc = -errno;
    if (fclose(out) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

/* The rename itself must be on disk before telegrams that need these keys are. */
static int sync_folder(const char *path)
{
    char *copy = strdup(path);
    int fd = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0 ? -errno : 0;

    if (fd >= 0)
        close(fd);
    free(copy);
    return rc;
}

int sim_keys_write(const struct sim *s, uint32_t meters, const char *path)
{
    char *beside = NULL;
    int fd, rc;

    if (asprintf(&beside, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    fd = mkostemp(beside, O_CLOEXEC); /* mode 0600 */
    rc = fd < 0 ? -errno : write_all(fd, s, meters);
    if (rc == 0 && rename(beside, path) != 0)
        rc = -errno;
    if (rc == 0)
        rc = sync_folder(path);
    else if (fd >= 0)
        unlink(beside);
    free(beside);
    return rc;
}
