#include "gate.h"

#include <stdlib.h>
#include <string.h>

enum { EARLY_MS = 500 }; /* a reading that comes a little early is not left out for that */

bool gate_is_open(const struct gate *g,
                  const struct gate_rule *rule,
                  const char *text,
                  size_t len,
                  int64_t now_ms)
{
    int64_t since = now_ms - g->at_ms + EARLY_MS;

    if (!g->passed)
        return true;
    if (since < rule->min_ms)
        return false;
    if (!rule->on_change || since >= rule->repeat_ms || g->text == NULL)
        return true;
    return strlen(g->text) != len || memcmp(g->text, text, len) != 0;
}

void gate_pass(
    struct gate *g, const struct gate_rule *rule, const char *text, size_t len, int64_t now_ms)
{
    g->passed = true;
    g->at_ms = now_ms;
    if (!rule->on_change)
        return;
    free(g->text);
    g->text = strndup(text, len);
}

void gate_free(struct gate *g)
{
    free(g->text);
    *g = (struct gate){0};
}
