#include "record.h"

#include <errno.h>
#include <gcrypt.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

enum { RANGES_MAX = 65536 };
#define NUMBER_MAX (INT64_C(1) << 53) /* of counters and times: what every language can hold */

/* How a member stands in the map. */
enum form {
    ORIGIN,  /* bin, 16 octets */
    DIGEST,  /* bin, 32 octets; left out when it is all zero */
    U64,     /* uint */
    U32,     /* uint */
    I64,     /* int */
    SECONDS, /* int */
    U8,      /* uint */
    TEXT,    /* str into a char array */
    VERDICT, /* str: the verdict's name */
    BIN,     /* bin, a struct view */
    TIME,    /* int or nil: reading.time, reading.has_time */
    VALUES,  /* map: field name -> [mantissa, scaler] */
    RANGES,  /* array of [first, last, index] */
};

struct member {
    const char *key;
    enum form form;
    bool optional; /* came with a later program: all zero when it is missing */
    size_t offset;
    size_t size; /* TEXT: the array's size */
};

#define MEMBER(key, form, m)                                                                       \
    {                                                                                              \
        key, form, false, offsetof(struct record, m), sizeof(((struct record *)0)->m)              \
    }
#define OPTIONAL(key, form, m)                                                                     \
    {                                                                                              \
        key, form, true, offsetof(struct record, m), sizeof(((struct record *)0)->m)               \
    }

#define DELIVERY                                                                                   \
    MEMBER("origin", ORIGIN, origin), MEMBER("seq", U64, seq), MEMBER("index", U32, index),        \
        MEMBER("attempt", U32, attempt), MEMBER("arrival", I64, arrival_ms),                       \
        MEMBER("streams", TEXT, streams), MEMBER("topic", TEXT, topic),                            \
        OPTIONAL("replays", DIGEST, replays)

#define READING                                                                                    \
    MEMBER("meter", TEXT, reading.meter), MEMBER("counter", I64, reading.counter),                 \
        MEMBER("time", TIME, reading.time), MEMBER("clock_status", U8, reading.clock_status),      \
        MEMBER("number", TEXT, reading.number), MEMBER("name", TEXT, reading.name),                \
        OPTIONAL("suspect", TEXT, reading.suspect), MEMBER("values", VALUES, reading.values)

#define END                                                                                        \
    {                                                                                              \
        NULL, U64, false, 0, 0                                                                     \
    }

static const struct member telegram[] = {
    DELIVERY,
    MEMBER("verdict", VERDICT, verdict),
    MEMBER("detail", TEXT, detail),
    MEMBER("apdu", BIN, apdu),
    MEMBER("octets", BIN, octets),
    OPTIONAL("clock", U8, clock),
    END,
};
static const struct member reading[] = {DELIVERY, READING, END};
static const struct member debounced[] = {DELIVERY, READING, MEMBER("window", SECONDS, window),
                                          END};
static const struct member reject[] = {
    DELIVERY,
    MEMBER("meter", TEXT, reading.meter),
    MEMBER("counter", I64, reading.counter),
    MEMBER("verdict", VERDICT, verdict),
    MEMBER("detail", TEXT, detail),
    MEMBER("octets", BIN, octets),
    END,
};
static const struct member ack[] = {
    MEMBER("origin", ORIGIN, origin),
    MEMBER("stream", TEXT, stream),
    OPTIONAL("reject", U8, reject),
    {"ranges", RANGES, false, offsetof(struct record, ranges), 0},
    END,
};

static const struct {
    const char *name;
    const struct member *members;
} types[RECORD_TYPES] = {
    [RECORD_TELEGRAM] = {"telegram", telegram},
    [RECORD_READING] = {"reading", reading},
    [RECORD_DEBOUNCED] = {"debounced", debounced},
    [RECORD_REJECT] = {"reject", reject},
    [RECORD_ACK] = {"ack", ack},
};

static int write_buf(void *out, const char *octets, size_t len)
{
    return buf_add(out, octets, len);
}

static int pack_text(msgpack_packer *p, const char *text)
{
    return msgpack_pack_str_with_body(p, text, strlen(text));
}

static int pack_values(msgpack_packer *p, const struct quantity *values)
{
    size_t n = 0;
    int rc;

    for (int f = 0; f < FIELD_COUNT; f++)
        n += values[f].present;
    rc = msgpack_pack_map(p, n);
    for (int f = 0; f < FIELD_COUNT; f++) {
        if (!values[f].present)
            continue;
        rc |= pack_text(p, field_name(f));
        rc |= msgpack_pack_array(p, 2);
        rc |= msgpack_pack_int64(p, values[f].mantissa);
        rc |= msgpack_pack_int8(p, values[f].scaler);
    }
    return rc;
}

static int pack_ranges(msgpack_packer *p, const struct record *r)
{
    int rc = msgpack_pack_array(p, r->range_count);

    for (size_t i = 0; i < r->range_count; i++) {
        rc |= msgpack_pack_array(p, 3);
        rc |= msgpack_pack_uint64(p, r->ranges[i].first);
        rc |= msgpack_pack_uint64(p, r->ranges[i].last);
        rc |= msgpack_pack_uint32(p, r->ranges[i].index);
    }
    return rc;
}

static int pack_member(msgpack_packer *p, const struct record *r, const struct member *m)
{
    const void *at = (const char *)r + m->offset;
    const struct view *view = at;

    switch (m->form) {
    case ORIGIN:
        return msgpack_pack_bin_with_body(p, at, ORIGIN_OCTETS);
    case DIGEST:
        return msgpack_pack_bin_with_body(p, at, DIGEST_OCTETS);
    case U64:
        return msgpack_pack_uint64(p, *(const uint64_t *)at);
    case U32:
        return msgpack_pack_uint32(p, *(const uint32_t *)at);
    case I64:
    case SECONDS:
        return msgpack_pack_int64(p, *(const int64_t *)at);
    case U8:
        return msgpack_pack_uint8(p, *(const uint8_t *)at);
    case TEXT:
        return pack_text(p, at);
    case VERDICT:
        return pack_text(p, verdict_name(r->verdict));
    case BIN:
        return msgpack_pack_bin_with_body(p, view->at, view->len);
    case TIME:
        return r->reading.has_time ? msgpack_pack_int64(p, r->reading.time) : msgpack_pack_nil(p);
    case VALUES:
        return pack_values(p, r->reading.values);
    case RANGES:
        return pack_ranges(p, r);
    }
    return -1;
}

static bool is_left_out(const struct record *r, const struct member *m)
{
    return m->form == DIGEST && !record_is_replay(r);
}

int record_pack(const struct record *r, struct buf *out)
{
    size_t before = out->len, n = 2;
    msgpack_packer p;
    int rc;

    for (const struct member *m = types[r->type].members; m->key != NULL; m++)
        n += !is_left_out(r, m);
    msgpack_packer_init(&p, out, write_buf);
    rc = msgpack_pack_map(&p, n);
    rc |= pack_text(&p, "v");
    rc |= msgpack_pack_uint8(&p, RECORD_VERSION);
    rc |= pack_text(&p, "type");
    rc |= pack_text(&p, types[r->type].name);
    for (const struct member *m = types[r->type].members; m->key != NULL; m++) {
        if (is_left_out(r, m))
            continue;
        rc |= pack_text(&p, m->key);
        rc |= pack_member(&p, r, m);
    }
    if (rc == 0)
        return 0;
    out->len = before;
    return -ENOMEM;
}

static bool is_text(const msgpack_object *o, const char *text)
{
    return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(text) &&
           memcmp(o->via.str.ptr, text, o->via.str.size) == 0;
}

static bool get_uint(const msgpack_object *o, uint64_t max, uint64_t *value)
{
    if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > max)
        return false;
    *value = o->via.u64;
    return true;
}

static bool within(int64_t value, int64_t limit)
{
    return value >= -limit && value <= limit;
}

static bool get_int(const msgpack_object *o, int64_t *value)
{
    uint64_t u;

    if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        *value = o->via.i64;
        return true;
    }
    if (!get_uint(o, INT64_MAX, &u))
        return false;
    *value = (int64_t)u;
    return true;
}

/* Valid UTF-8 that fits; a row of anything else would break every reader of the table. */
static bool get_text(const msgpack_object *o, char *text, size_t size)
{
    if (o->type != MSGPACK_OBJECT_STR || o->via.str.size >= size ||
        !utf8_is_text((const uint8_t *)o->via.str.ptr, o->via.str.size))
        return false;
    memcpy(text, o->via.str.ptr, o->via.str.size);
    text[o->via.str.size] = '\0';
    return true;
}

static bool get_values(const msgpack_object *o, struct quantity *values)
{
    if (o->type != MSGPACK_OBJECT_MAP)
        return false;
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        const msgpack_object *key = &o->via.map.ptr[i].key, *pair = &o->via.map.ptr[i].val;
        int64_t mantissa, scaler;
        int f;

        if (key->type != MSGPACK_OBJECT_STR || pair->type != MSGPACK_OBJECT_ARRAY ||
            pair->via.array.size != 2 || !get_int(&pair->via.array.ptr[0], &mantissa) ||
            !get_int(&pair->via.array.ptr[1], &scaler) || scaler < -18 || scaler > 18)
            return false;
        f = field_from_name(key->via.str.ptr, key->via.str.size);
        if (f >= 0)
            values[f] =
                (struct quantity){.present = true, .mantissa = mantissa, .scaler = (int8_t)scaler};
    }
    return true;
}

static bool get_ranges(const msgpack_object *o, msgpack_zone *zone, struct record *r)
{
    struct ack_range *ranges;

    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size > RANGES_MAX)
        return false;
    ranges = msgpack_zone_malloc(zone, (o->via.array.size + 1) * sizeof *ranges);
    if (ranges == NULL)
        return false;
    for (uint32_t i = 0; i < o->via.array.size; i++) {
        const msgpack_object *range = &o->via.array.ptr[i];
        const msgpack_object *v = range->via.array.ptr;
        uint64_t index;

        if (range->type != MSGPACK_OBJECT_ARRAY || range->via.array.size != 3 ||
            !get_uint(&v[0], UINT64_MAX, &ranges[i].first) ||
            !get_uint(&v[1], UINT64_MAX, &ranges[i].last) || !get_uint(&v[2], UINT32_MAX, &index) ||
            ranges[i].first > ranges[i].last)
            return false;
        ranges[i].index = (uint32_t)index;
    }
    r->ranges = ranges;
    r->range_count = o->via.array.size;
    return true;
}

static bool
get_member(const msgpack_object *o, struct record *r, const struct member *m, msgpack_zone *zone)
{
    void *at = (char *)r + m->offset;
    uint64_t u = 0;
    bool ok = false;
    char name[32];

    switch (m->form) {
    case ORIGIN:
        ok = o->type == MSGPACK_OBJECT_BIN && o->via.bin.size == ORIGIN_OCTETS;
        if (ok)
            memcpy(at, o->via.bin.ptr, ORIGIN_OCTETS);
        return ok;
    case DIGEST:
        ok = o->type == MSGPACK_OBJECT_BIN && o->via.bin.size == DIGEST_OCTETS;
        if (ok)
            memcpy(at, o->via.bin.ptr, DIGEST_OCTETS);
        return ok;
    case U64:
        return get_uint(o, UINT64_MAX, at);
    case U32:
        ok = get_uint(o, UINT32_MAX, &u);
        *(uint32_t *)at = (uint32_t)u;
        return ok;
    case U8:
        ok = get_uint(o, UINT8_MAX, &u);
        *(uint8_t *)at = (uint8_t)u;
        return ok;
    case I64:
        return get_int(o, at) && within(*(int64_t *)at, NUMBER_MAX);
    case SECONDS:
        return get_int(o, at) && within(*(int64_t *)at, NUMBER_MAX / 1000);
    case TEXT:
        return get_text(o, at, m->size);
    case VERDICT: {
        int v = get_text(o, name, sizeof name) ? verdict_from_name(name) : -1;

        r->verdict = v < 0 ? VERDICT_UNKNOWN_LAYOUT : (enum verdict)v;
        return v >= 0;
    }
    case BIN:
        *(struct view *)at = (struct view){(const uint8_t *)o->via.bin.ptr, o->via.bin.size};
        return o->type == MSGPACK_OBJECT_BIN;
    case TIME:
        r->reading.has_time = o->type != MSGPACK_OBJECT_NIL;
        return o->type == MSGPACK_OBJECT_NIL ||
               (get_int(o, at) && within(*(int64_t *)at, NUMBER_MAX / 1000));
    case VALUES:
        return get_values(o, at);
    case RANGES:
        return get_ranges(o, zone, r);
    }
    return false;
}

static const msgpack_object *find(const msgpack_object *map, const char *key)
{
    for (uint32_t i = 0; i < map->via.map.size; i++)
        if (is_text(&map->via.map.ptr[i].key, key))
            return &map->via.map.ptr[i].val;
    return NULL;
}

static int from_map(const msgpack_object *map, struct record *r, msgpack_zone *zone)
{
    const msgpack_object *version, *type;
    uint64_t v;
    int t = 0;

    if (map->type != MSGPACK_OBJECT_MAP)
        return -EPROTO;
    version = find(map, "v");
    type = find(map, "type");
    if (version == NULL || type == NULL || !get_uint(version, UINT32_MAX, &v))
        return -EPROTO;
    while (t < RECORD_TYPES && !is_text(type, types[t].name))
        t++;
    if (v != RECORD_VERSION || t == RECORD_TYPES)
        return -ENOTSUP;

    memset(r, 0, sizeof *r);
    r->type = (enum record_type)t;
    for (const struct member *m = types[t].members; m->key != NULL; m++) {
        const msgpack_object *value = find(map, m->key);

        if (value == NULL ? !m->optional : !get_member(value, r, m, zone))
            return -EPROTO;
    }
    return 0;
}

int record_unpack(
    const uint8_t *octets, size_t len, size_t *at, struct record *r, struct record_memory *memory)
{
    msgpack_unpacked *u = memory->unpacked;
    msgpack_unpack_return rc;

    if (u == NULL) {
        u = memory->unpacked = malloc(sizeof *u);
        if (u == NULL)
            return -ENOMEM;
        msgpack_unpacked_init(u);
    }
    rc = msgpack_unpack_next(u, (const char *)octets, len, at);
    /* Not to be tried again when it says "no memory": it says so of deep nests and absurd counts.
     */
    if (rc != MSGPACK_UNPACK_SUCCESS && rc != MSGPACK_UNPACK_EXTRA_BYTES) {
        *at = len;
        return -EPROTO;
    }
    return from_map(&u->data, r, u->zone);
}

void record_memory_free(struct record_memory *memory)
{
    if (memory->unpacked != NULL)
        msgpack_unpacked_destroy(memory->unpacked);
    free(memory->unpacked);
    memory->unpacked = NULL;
}

void record_digest(const void *octets, size_t len, uint8_t digest[DIGEST_OCTETS])
{
    gcry_md_hash_buffer(GCRY_MD_SHA256, digest, octets, len);
}

bool record_is_replay(const struct record *r)
{
    static const uint8_t none[DIGEST_OCTETS];

    return memcmp(r->replays, none, sizeof none) != 0;
}
