#include "note.h"

#include <stdarg.h>
#include <stdio.h>

static void visit(const struct notes *n, struct note note, const char *format, va_list arguments)
{
    char value[NOTE_VALUE_CHARS];

    vsnprintf(value, sizeof value, format, arguments);
    for (char *c = value; *c != '\0'; c++) /* some of it is a meter's text: no control characters */
        if (*c < ' ' || *c > '~')
            *c = '.';
    note.space = n->space;
    note.depth = n->depth;
    note.at = note.octets == NULL ? 0 : (size_t)(note.octets - n->base);
    note.value = value;
    n->visit(n->arg, &note);
}

void note_leaf(const struct notes *n,
               const uint8_t *octets,
               size_t len,
               const char *name,
               const char *format,
               ...)
{
    va_list arguments;

    if (len == 0)
        return;
    va_start(arguments, format);
    visit(n, (struct note){.leaf = true, .octets = octets, .len = len, .name = name}, format,
          arguments);
    va_end(arguments);
}

void note_wrong(const struct notes *n,
                const uint8_t *octets,
                size_t len,
                const char *name,
                const char *format,
                ...)
{
    va_list arguments;

    if (len == 0)
        return;
    va_start(arguments, format);
    visit(n, (struct note){.leaf = true, .wrong = true, .octets = octets, .len = len, .name = name},
          format, arguments);
    va_end(arguments);
}

void note_heading(const struct notes *n,
                  const uint8_t *octets,
                  size_t len,
                  const char *name,
                  const char *format,
                  ...)
{
    va_list arguments;

    va_start(arguments, format);
    visit(n, (struct note){.octets = octets, .len = len, .name = name}, format, arguments);
    va_end(arguments);
}

void note_complaint(const struct notes *n, const char *name, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    visit(n, (struct note){.wrong = true, .name = name}, format, arguments);
    va_end(arguments);
}
