/* zaehlwerk keygen: a fresh key for the streams of an installation. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "commands.h"
#include "link_key.h"

static const char usage_text[] =
    "usage: zaehlwerk keygen [--output FILE]\n"
    "\n"
    "Prints a fresh STREAM_KEY, 40 characters: one for all services of an installation, which "
    "then\n"
    "encrypt their streams and talk to nobody without it. Some of its characters mean something "
    "to\n"
    "a shell, so hand it on as a file: STREAM_KEY_FILE.\n"
    "\n"
    "  --output FILE   write it to this new file, which only its owner can read\n"
    "\n"
    "Exit status 73 when the file is there already or cannot be made, 74 when it cannot be "
    "written.\n";

static int usage(const char *complaint)
{
    fprintf(stderr, "zaehlwerk keygen: %s (--help tells more)\n", complaint);
    return EX_USAGE;
}

static int failed(const char *path, int status)
{
    fprintf(stderr, "zaehlwerk keygen: %s: %s\n", path, strerror(errno));
    return status;
}

/* A file that is there may be the key of a running installation: it stays as it is. */
static int write_file(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    int status = EX_OK;

    if (fd < 0)
        return failed(path, EX_CANTCREAT);
    if (write(fd, text, len) != (ssize_t)len || fsync(fd) != 0)
        status = failed(path, EX_IOERR);
    if (close(fd) != 0 && status == EX_OK)
        status = failed(path, EX_IOERR);
    if (status != EX_OK)
        unlink(path);
    return status;
}

static int make(const char *output)
{
    char text[LINK_KEY_CHARS + 2]; /* the line feed takes the place of the NUL */
    int status = EX_OK;

    if (link_key_make(text) != 0) {
        fprintf(stderr, "zaehlwerk keygen: this libzmq was built without CURVE\n");
        return EX_UNAVAILABLE;
    }
    text[LINK_KEY_CHARS] = '\n';
    if (output != NULL)
        status = write_file(output, text, LINK_KEY_CHARS + 1);
    else if (write(STDOUT_FILENO, text, LINK_KEY_CHARS + 1) != LINK_KEY_CHARS + 1)
        status = failed("stdout", EX_IOERR);
    explicit_bzero(text, sizeof text);
    return status;
}

int command_keygen(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *output = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage_text, stdout);
            return EX_OK;
        }
        if (c != 'o')
            return usage("no such option");
        output = optarg;
    }
    return optind < argc ? usage("no arguments but options") : make(output);
}
