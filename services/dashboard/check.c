#include "check.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "advice.h"
#include "assembler.h"
#include "decode.h"
#include "key.h"
#include "payload.h"
#include "reading_json.h"

enum { MOST_OUTCOMES = 100 };

/* One check under way. */
struct check {
    struct gcm *gcm;
    struct decode_keys keys;
    json_t *readings, *problems;
    enum verdict worst; /* the first problem */
};

static void wipe_and_free(void *memory)
{
    if (memory != NULL)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

void check_prepare(void)
{
    json_set_alloc_funcs(malloc, wipe_and_free);
}

static void add_problem(struct check *c, enum verdict v, const char *detail)
{
    if (c->worst == VERDICT_OK)
        c->worst = v;
    if (json_array_size(c->problems) < MOST_OUTCOMES)
        json_array_append_new(c->problems, json_pack("{s:s, s:s, s:o}", "verdict", verdict_name(v),
                                                     "detail", detail, "advice", advice_json(v)));
}

static void add_reading(struct check *c, const struct reading *reading)
{
    const struct record r = {.type = RECORD_READING, .reading = *reading};
    struct told told;

    if (told_from_record(&told, &r) != 0) {
        add_problem(c, VERDICT_IMPLAUSIBLE, "a value is larger than any meter's");
        return;
    }
    if (json_array_size(c->readings) < MOST_OUTCOMES)
        json_array_append_new(c->readings, reading_json(&told));
}

static const struct decode_keys *lookup(void *arg, const uint8_t title[SYSTEM_TITLE_OCTETS])
{
    (void)title;
    return arg;
}

static void take(void *arg, const struct telegram_octets *t)
{
    struct check *c = arg;
    struct reading reading = {0};
    const char *detail = t->detail;
    enum verdict v = t->verdict;

    if (v == VERDICT_OK)
        v = decode_apdu(c->gcm, t->apdu, t->apdu_len, lookup, &c->keys, &reading, &detail);
    if (v == VERDICT_OK)
        add_reading(c, &reading);
    else
        add_problem(c, v, detail);
}

/* Returns 0 or a negative errno. */
static int decode(struct check *c, const char *frame, size_t len)
{
    struct assembler *assembler = assembler_new();
    struct buf octets = {0};
    enum payload_form form;
    const char *detail = "";
    int rc = assembler == NULL ? -1 : 0;

    if (rc == 0 && payload_octets((const uint8_t *)frame, len, &octets, &form, &detail) != 0) {
        add_problem(c, VERDICT_NOT_A_FRAME, detail);
    } else if (rc == 0) {
        rc = assembler_feed(assembler, octets.data, octets.len, (struct arrival){0}, take, c);
        assembler_flush(assembler, take, c);
    }
    if (json_array_size(c->readings) == 0 && json_array_size(c->problems) == 0)
        add_problem(c, VERDICT_NOT_A_FRAME, "there is nothing in it");
    assembler_free(assembler);
    buf_free(&octets);
    return rc;
}

static void run(struct check *c, const json_t *frame, struct answer *a)
{
    c->gcm = gcm_new();
    c->readings = json_array();
    c->problems = json_array();
    if (c->gcm == NULL || decode(c, json_string_value(frame), json_string_length(frame)) != 0)
        a->status = 500;
    else
        answer_json(a, 200,
                    json_pack("{s:s, s:o, s:O, s:O}", "verdict", verdict_name(c->worst), "advice",
                              advice_json(c->worst), "readings", c->readings, "problems",
                              c->problems));
    json_decref(c->readings);
    json_decref(c->problems);
    gcm_free(c->gcm);
}

/* An absent or empty key is none. False when it is one that cannot be: answered. */
static bool
read_key(const json_t *body, const char *name, uint8_t key[KEY_OCTETS], bool *has, struct answer *a)
{
    const json_t *member = json_object_get(body, name);
    const char *text = json_string_value(member);
    const char *wrong;

    *has = false;
    if (member == NULL || json_is_null(member) || (text != NULL && *text == '\0'))
        return true;
    wrong = text == NULL ? "not a string" : key_parse(text, key);
    *has = wrong == NULL;
    if (wrong != NULL)
        answer_error(a, 400, name, wrong);
    return wrong == NULL;
}

void check_frame(const struct request *r, struct answer *a)
{
    struct check c = {.worst = VERDICT_OK};
    json_t *body = json_loadb((const char *)r->body, r->body_len,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    const json_t *frame = json_object_get(body, "frame");

    if (!json_is_string(frame))
        answer_error(a, 400, "body",
                     "{\"frame\": \"68...\", \"key\": \"32 hex digits\"} is wanted.");
    else if (read_key(body, "key", c.keys.key, &c.keys.has_key, a) &&
             read_key(body, "authentication_key", c.keys.authentication_key,
                      &c.keys.has_authentication_key, a))
        run(&c, frame, a);
    json_decref(body);
    explicit_bzero(&c, sizeof c);
}
