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
#include "conf.h"
#include "link_key.h"
#include "log.h"

struct keygen {
    char *key;
};

static const char usage_text[] =
    "usage: zaehlwerk keygen [--output FILE | --public]\n"
    "\n"
    "Prints a fresh STREAM_KEY, 40 characters: one for all services of an installation, which "
    "then\n"
    "encrypt their streams and talk to nobody without it. Some of its characters mean something "
    "to\n"
    "a shell, so hand it on as a file: STREAM_KEY_FILE.\n"
    "\n"
    "  --output FILE   write it to this new file, which only its owner can read\n"
    "  --public        print the public half of STREAM_KEY instead, for a consumer in a language\n"
    "                  that cannot derive it\n"
    "\n"
    "Exit status 73 when the file is there already or cannot be made, 74 when it cannot be "
    "written,\n"
    "78 when STREAM_KEY is wrong. Settings:\n\n";

/* clang-format off */
static const struct conf_option options[] = {
    CONF_SECRET_OPTION("STREAM_KEY", struct keygen, key, "", "with --public: the key"),
    CONF_END,
};
/* clang-format on */

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

static int print_public(void)
{
    struct keygen self = {0};
    char public[LINK_KEY_CHARS + 1];
    int status = EX_CONFIG;

    log_open("zaehlwerk keygen", LOG_LEVEL_WARN, false);
    if (conf_read(options, &self) == 0 && link_key_check(self.key) == 0) {
        if (link_key_public(self.key, public) != 0)
            (void)conf_wrong("STREAM_KEY", "missing", "the key whose public half is wanted");
        else
            status = puts(public) < 0 || fflush(stdout) != 0 ? EX_IOERR : EX_OK;
    }
    conf_free(options, &self);
    return status;
}

int command_keygen(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"output", required_argument, NULL, 'o'},
        {"public", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *output = NULL;
    bool public = false;
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage_text, stdout);
            conf_help(stdout, options);
            return EX_OK;
        }
        if (c != 'o' && c != 'p')
            return usage("no such option");
        if (c == 'o')
            output = optarg;
        else
        public = true;
    }
    if (optind < argc || (public && output != NULL))
        return usage("no arguments but options, and one of the two");
    return public ? print_public() : make(output);
}
