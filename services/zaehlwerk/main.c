/* zaehlwerk: the command line. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *does;
} commands[] = {
    {"decode", command_decode, "decrypt frames with a key and print the readings"},
    {"anonymise", command_anonymise, "make telegrams for a bug report: throwaway key and names"},
    {"check", command_check, "say whether the settings are sound and broker and database answer"},
    {"tail", command_tail, "print one line for each reading, live"},
    {"retire", command_retire, "close the slot of an mqtt-ingest for good"},
    {"export", command_export, "print readings and quarter hours as CSV or JSON"},
    {"import", command_import,
     "bring over the rows of the original program, from MariaDB or a file"},
    {"rejects", command_rejects, "list what could not become a reading"},
    {"replay", command_replay, "send rejects through again"},
    {"keygen", command_keygen, "make a key for the streams between the services"},
};

static int help(FILE *out, int status)
{
    fprintf(out, "usage: zaehlwerk COMMAND [OPTIONS]   (COMMAND --help tells more)\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].does);
    return status;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    if (strcmp(name, "--version") == 0) {
        puts("zaehlwerk " ZW_VERSION);
        return EX_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(stdout, EX_OK);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return help(stderr, EX_USAGE);
}
