#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "payload.h"

void input_complain(
    const char *command, enum verdict v, const char *detail, const char *meter, size_t octets)
{
    fprintf(stderr, "zaehlwerk %s: %s: %s%s%s%s (meter %s, %zu octets)\n", command, verdict_name(v),
            verdict_advice(v), *detail != '\0' ? " [" : "", detail, *detail != '\0' ? "]" : "",
            *meter != '\0' ? meter : "unknown", octets);
}

static int read_all(FILE *in, struct buf *out)
{
    uint8_t chunk[16384];
    size_t n;

    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
        if (buf_add(out, chunk, n) != 0)
            return EX_OSERR;
    return ferror(in) ? EX_NOINPUT : EX_OK;
}

/* The payload as it is. */
static int read_payload(const char *command, const char *path, struct buf *text)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    int status;

    if (in == NULL) {
        fprintf(stderr, "zaehlwerk %s: %s: cannot be opened\n", command, path);
        return EX_NOINPUT;
    }
    status = read_all(in, text);
    if (status != EX_OK)
        fprintf(stderr, "zaehlwerk %s: cannot read the input\n", command);
    if (in != stdin)
        fclose(in);
    return status;
}

int input_octets(const char *command, const char *path, struct buf *octets)
{
    struct buf text = {0};
    enum payload_form form;
    const char *detail = "";
    int status = read_payload(command, path, &text), rc = 0;

    if (status == EX_OK)
        rc = payload_octets(text.data, text.len, octets, &form, &detail);
    if (rc == -ENOMEM) {
        fprintf(stderr, "zaehlwerk %s: out of memory\n", command);
        status = EX_OSERR;
    } else if (status == EX_OK && (rc != 0 || octets->len == 0)) {
        input_complain(command, VERDICT_NOT_A_FRAME, rc != 0 ? detail : "the input is empty", "",
                       text.len);
        status = EX_DATAERR;
    }
    buf_free(&text);
    return status;
}

int input_telegrams(const struct buf *octets, assembler_emit *emit, void *arg)
{
    struct assembler *assembler = assembler_new();
    int rc = assembler == NULL ? -ENOMEM
                               : assembler_feed(assembler, octets->data, octets->len,
                                                (struct arrival){0}, emit, arg);

    if (rc == 0)
        assembler_flush(assembler, emit, arg);
    assembler_free(assembler);
    return rc;
}
