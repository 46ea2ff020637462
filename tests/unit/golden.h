/* golden: the records of proto/vectors/, and any JSON as the msgpack map it stands for. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <jansson.h>
#include <msgpack.h>

#include "tools.h"

#include <stdio.h>

#include "buf.h"
#include "record.h"

static const char *const goldens[] = {
    "telegram",
    "telegram-checksum",
    "reading-three-phase",
    "reading-single-phase",
    "reading-without-time",
    "reading-plain",
    "reading-replayed",
    "debounced",
    "reject",
    "ack",
};

/** NAME.hex as octets; the caller frees them. */
static inline struct octets golden_octets(const char *name)
{
    char path[128], digits[8192] = "";
    FILE *f;
    int c;
    size_t n = 0;

    snprintf(path, sizeof path, "proto/vectors/%s.hex", name);
    f = fopen(path, "r");
    if (f == NULL)
        fail_msg("%s", path);
    while ((c = fgetc(f)) != EOF && n < sizeof digits - 1)
        if (c != '\n')
            digits[n++] = (char)c;
    fclose(f);
    return octets_from_hex(digits);
}

/** NAME.json; the caller drops it. */
static inline json_t *golden_json(const char *name)
{
    char path[128];
    json_error_t error;
    json_t *json;

    snprintf(path, sizeof path, "proto/vectors/%s.json", name);
    json = json_load_file(path, 0, &error);
    if (json == NULL)
        fail_msg("%s: %s (line %d)", path, error.text, error.line);
    return json;
}

/** Keys whose text stands for binary. */
static inline bool is_binary(const char *key)
{
    return strcmp(key, "origin") == 0 || strcmp(key, "apdu") == 0 || strcmp(key, "octets") == 0 ||
           strcmp(key, "replays") == 0;
}

static inline int golden_write(void *out, const char *octets, size_t len)
{
    return buf_add(out, octets, len);
}

/**
 * A JSON value as msgpack. {"bin": "00FF"} stands for binary anywhere, and text does under a binary
 * key; {"str": "..."} for text even there.
 */
static inline void golden_pack(msgpack_packer *p, const char *under, const json_t *v)
{
    const json_t *bin = json_object_get(v, "bin"), *str = json_object_get(v, "str");
    const char *key;
    json_t *item;
    size_t i;

    if (str != NULL)
        v = str;
    if (bin != NULL || (str == NULL && json_is_string(v) && is_binary(under))) {
        struct octets o = octets_from_hex(json_string_value(bin != NULL ? bin : v));

        msgpack_pack_bin_with_body(p, o.at, o.len);
        free(o.at);
    } else if (json_is_string(v)) {
        msgpack_pack_str_with_body(p, json_string_value(v), json_string_length(v));
    } else if (json_is_integer(v)) {
        msgpack_pack_int64(p, json_integer_value(v));
    } else if (json_is_real(v)) {
        msgpack_pack_double(p, json_real_value(v));
    } else if (json_is_boolean(v)) {
        json_is_true(v) ? msgpack_pack_true(p) : msgpack_pack_false(p);
    } else if (json_is_null(v)) {
        msgpack_pack_nil(p);
    } else if (json_is_array(v)) {
        msgpack_pack_array(p, json_array_size(v));
        json_array_foreach(v, i, item) golden_pack(p, "", item);
    } else {
        msgpack_pack_map(p, json_object_size(v));
        json_object_foreach((json_t *)(uintptr_t)v, key, item)
        {
            msgpack_pack_str_with_body(p, key, strlen(key));
            golden_pack(p, key, item);
        }
    }
}

static inline void golden_add(struct buf *out, const json_t *record)
{
    msgpack_packer p;

    msgpack_packer_init(&p, out, golden_write);
    golden_pack(&p, "", record);
}

/** The reverse, of any msgpack that JSON can hold: binary becomes hex. */
static inline json_t *golden_dump(const msgpack_object *o)
{
    json_t *json;

    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        return json_null();
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(o->via.i64);
    case MSGPACK_OBJECT_STR:
        return json_stringn(o->via.str.ptr, o->via.str.size);
    case MSGPACK_OBJECT_BIN: {
        char *hex = hex_text((const uint8_t *)o->via.bin.ptr, o->via.bin.size);

        json = json_string(hex);
        free(hex);
        return json;
    }
    case MSGPACK_OBJECT_ARRAY:
        json = json_array();
        for (uint32_t i = 0; i < o->via.array.size; i++)
            json_array_append_new(json, golden_dump(&o->via.array.ptr[i]));
        return json;
    case MSGPACK_OBJECT_MAP:
        json = json_object();
        for (uint32_t i = 0; i < o->via.map.size; i++) {
            const msgpack_object_kv *kv = &o->via.map.ptr[i];

            json_object_setn_new(json, kv->key.via.str.ptr, kv->key.via.str.size,
                                 golden_dump(&kv->val));
        }
        return json;
    default:
        fail_msg("type %d", o->type);
        return NULL;
    }
}

#endif
