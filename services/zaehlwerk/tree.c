#include "tree.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "hex.h"

enum { SHOWN = 8, HEX_CHARS = 3 * SHOWN + 3 };

/* "DB 08 4B .." */
static void format_octets(const struct note *note, char text[HEX_CHARS])
{
    size_t shown = note->len < SHOWN ? note->len : SHOWN, at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < shown; i++)
        at +=
            (size_t)snprintf(text + at, HEX_CHARS - at, i == 0 ? "%02X" : " %02X", note->octets[i]);
    if (shown < note->len)
        snprintf(text + at, HEX_CHARS - at, "..");
}

void tree_show(void *arg, const struct note *note)
{
    FILE *out = arg;
    const char *colon = *note->value == '\0' || *note->value == '=' ? " " : ": ";
    char octets[HEX_CHARS];

    fprintf(out, "%s%*s", note->wrong ? "! " : "  ", (int)(2 * note->depth), "");
    if (note->leaf) {
        format_octets(note, octets);
        fprintf(out, "%04zX  %-26s ", note->at, octets);
    }
    fprintf(out, "%s%s%s\n", note->name, *note->value == '\0' ? "" : colon, note->value);
}

void tree_show_json(void *arg, const struct note *note)
{
    static const char *const spaces[] = {
        [NOTE_INPUT] = "input", [NOTE_APDU] = "apdu", [NOTE_PLAIN] = "plaintext"};
    char *hex = malloc(2 * note->len + 1);
    json_t *o;

    if (hex == NULL)
        return;
    hex_encode(note->octets, note->len, hex);
    o = json_pack("{ss sI sI ss si sb sb ss ss}", "space", spaces[note->space], "at",
                  (json_int_t)note->at, "length", (json_int_t)note->len, "octets", hex, "depth",
                  (int)note->depth, "leaf", note->leaf, "wrong", note->wrong, "name", note->name,
                  "value", note->value);
    json_dumpf(o, arg, JSON_COMPACT);
    fputc('\n', arg);
    json_decref(o);
    free(hex);
}
