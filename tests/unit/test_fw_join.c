/*
 * The firmware's assembler: real frames octet by octet, damaged ones, noise, pauses; and on random
 * streams against the server's assembler. Every octet comes out once, but for idle ones.
 */
#include "pieces.h"

#include "fw_join.h"
#include "hdlc.h"

/* What a joiner was given and what it made of it. */
struct line {
    struct fw_join join;
    uint32_t now_ms;
    struct buf whole; /* whole telegrams, joined */
    unsigned wholes, damaged;
    uint32_t in_of[256], out_of[256];
    struct stream server; /* reads each whole telegram again */
};

static void take(void *arg, enum fw_outcome outcome, const uint8_t *octets, size_t len)
{
    struct line *l = arg;

    assert_true(len > 0 && len <= FW_TELEGRAM_MAX);
    for (size_t i = 0; i < len; i++)
        l->out_of[octets[i]]++;
    if (outcome == FW_DAMAGED) {
        l->damaged++;
        return;
    }
    l->wholes++;
    assert_int_equal(buf_add(&l->whole, octets, len), 0);
    if (octets[0] != MBUS_START)
        return;
    stream_feed(&l->server, octets, len);
    assert_int_equal(assembler_pending(l->server.assembler), 0);
}

static void line_open(struct line *l)
{
    memset(l, 0, sizeof *l);
    fw_join_init(&l->join, take, l);
    stream_open(&l->server);
}

static void send(struct line *l, const uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        l->in_of[octets[i]]++;
        l->now_ms += 4;
        fw_join_octet(&l->join, octets[i], l->now_ms);
        assert_true(l->join.taken <= l->join.len && l->join.len <= FW_TELEGRAM_MAX);
    }
}

static void send_hex(struct line *l, const char *hex)
{
    struct octets o = octets_from_hex(hex);

    send(l, o.at, o.len);
    free(o.at);
}

static void pause(struct line *l, uint32_t ms)
{
    l->now_ms += ms;
    fw_join_quiet(&l->join, l->now_ms);
}

static void line_close(struct line *l)
{
    pause(l, FW_FRAME_MS);
    assert_int_equal(l->join.len, 0);
    assert_int_equal(l->join.telegrams, l->wholes);
    for (int octet = 0; octet < 256; octet++) {
        bool idle = memchr("\x00\xFF\r\n\t ", octet, 6) != NULL;

        if (idle ? l->out_of[octet] > l->in_of[octet] : l->out_of[octet] != l->in_of[octet])
            fail_msg("octet %02X: %u in, %u out", octet, l->in_of[octet], l->out_of[octet]);
    }
    if (strstr(l->server.text, "ok ") == NULL && l->server.in > 0)
        fail_msg("the server makes nothing of it: %s", l->server.text);
    stream_close(&l->server);
    buf_free(&l->whole);
}

/* A vector's frames, joined; empty when it has none. */
static struct octets vector_octets(const json_t *vector)
{
    struct octets frames[FRAMES_MAX];
    size_t count = vector_frames(vector, frames);
    struct buf all = {0};
    struct octets o;

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(buf_add(&all, frames[i].at, frames[i].len), 0);
        free(frames[i].at);
    }
    o = octets_copy(all.data, all.len);
    buf_free(&all);
    return o;
}

static struct octets named_vector(const char *id)
{
    json_t *vectors = vectors_load();
    struct octets o = vector_octets(vector_find(vectors, id));

    json_decref(vectors);
    return o;
}

static void check_vector(const json_t *vector)
{
    bool mbus = strcmp(vector_text(vector, "link"), "mbus") == 0;
    bool hdlc = strcmp(vector_text(vector, "link"), "hdlc") == 0;
    size_t frames = json_array_size(json_object_get(vector, "frames"));
    bool broken = strcmp(vector_text(vector, "id"), "ewr-kaifa-ma309m-broken-second-fragment") == 0;
    size_t wholes = broken ? 0
                    : mbus ? 1
                    : hdlc ? frames
                           : 0; /* broken: other SAPs in the second */
    struct octets all = vector_octets(vector);
    struct line l;

    line_open(&l);
    send(&l, all.at, all.len);
    if (l.wholes != wholes || l.join.good != (mbus || hdlc ? frames : 0))
        fail_msg("%s: %u whole, %u good", vector_text(vector, "id"), l.wholes, l.join.good);
    if (wholes > 0) {
        assert_int_equal(l.whole.len, all.len);
        assert_memory_equal(l.whole.data, all.at, all.len);
        assert_int_equal(l.damaged, 0);
        assert_int_equal(l.join.bad, 0);
    }
    line_close(&l);
    free(all.at);
}

static void every_real_frame(void **state)
{
    json_t *vectors = vectors_load();
    const json_t *vector;
    size_t i;

    (void)state;
    json_array_foreach(vectors, i, vector) check_vector(vector);
    assert_int_equal(i, 32);
    json_decref(vectors);
}

static void ten_telegrams_in_a_burst(void **state)
{
    struct octets a = named_vector("netznoe-sagemcom-t210d-olddoc-mbus");
    struct octets b = named_vector("vorarlberg-kaifa-ma309m");
    struct line l;

    (void)state;
    line_open(&l);
    for (int i = 0; i < 5; i++) {
        send(&l, a.at, a.len);
        send(&l, b.at, b.len);
    }
    assert_int_equal(l.wholes, 10);
    assert_int_equal(l.server.good, 10);
    assert_int_equal(l.damaged, 0);
    line_close(&l);
    free(a.at);
    free(b.at);
}

/* A damaged telegram, then a good one: whatever comes out whole is the good one's octets. */
static void damaged_then_good(const struct octets *good, const uint8_t *octets, size_t len)
{
    struct line l;

    line_open(&l);
    send(&l, octets, len);
    send(&l, good->at, good->len);
    assert_in_range(l.wholes, 1, 2); /* two where only an octet between the frames was doubled */
    for (unsigned i = 0; i < l.wholes; i++)
        assert_memory_equal(l.whole.data + i * good->len, good->at, good->len);
    assert_int_equal(l.whole.len, l.wholes * good->len);
    assert_int_equal(l.join.len, 0);
    line_close(&l);
}

static void one_octet_lost_doubled_or_flipped(void **state)
{
    static const char *const ids[] = {"netznoe-sagemcom-t210d-olddoc-mbus",
                                      "netznoe-kaifa-ma309m-doc"};

    (void)state;
    for (size_t k = 0; k < COUNT(ids); k++) {
        struct octets good = named_vector(ids[k]);
        uint8_t bad[FW_TELEGRAM_MAX];

        for (size_t at = 0; at < good.len; at++) {
            memcpy(bad, good.at, at);
            memcpy(bad + at, good.at + at + 1, good.len - at - 1);
            damaged_then_good(&good, bad, good.len - 1);
            memcpy(bad, good.at, at + 1);
            memcpy(bad + at + 1, good.at + at, good.len - at);
            damaged_then_good(&good, bad, good.len + 1);
            memcpy(bad, good.at, good.len);
            bad[at] ^= (uint8_t)(1 << (at & 7));
            damaged_then_good(&good, bad, good.len);
        }
        free(good.at);
    }
}

static void begins_in_mid_stream(void **state)
{
    struct octets good = named_vector("netznoe-kaifa-ma309m-doc");

    (void)state;
    for (size_t at = 1; at < good.len; at++)
        damaged_then_good(&good, good.at + at, good.len - at);
    free(good.at);
}

/* Cut anywhere by pauses that end nothing (the caller was late), or by such as end a frame. */
static void pauses(void **state)
{
    struct octets good = named_vector("netznoe-kaifa-ma309m-doc");

    (void)state;
    for (size_t at = 1; at < good.len; at++) {
        struct line l;

        line_open(&l);
        send(&l, good.at, at);
        l.now_ms += 10 * FW_FRAME_MS; /* nobody looked meanwhile */
        send(&l, good.at + at, good.len - at);
        assert_int_equal(l.wholes, 1);
        send(&l, good.at, at);
        pause(&l, FW_OCTET_MS - 1);
        send(&l, good.at + at, good.len - at);
        assert_int_equal(l.wholes, 2);
        send(&l, good.at, at);
        pause(&l, 160); /* as between fragments, */
        send(&l, good.at + at, good.len - at);
        assert_int_equal(l.wholes, at == 256 ? 3 : 2); /* so it ends a frame that is incomplete */
        line_close(&l);
    }
    free(good.at);
}

static const struct row {
    const char *why, *before; /* the pieces around a pause: what they hold is told by letters */
    uint32_t pause_ms;
    const char *behind;
    unsigned wholes, damaged, bad;
} rows[] = {
    {"both fragments", "12", 0, "", 1, 0, 0},
    {"160 ms between the fragments", "1", 160, "2", 1, 0, 0},
    {"the second one too late", "1", FW_FRAME_MS, "2", 0, 2, 2},
    {"the second one lost", "1", 5000, "12", 1, 1, 1},
    {"the second one lost, without a pause", "112", 0, "", 1, 1, 1},
    {"the first one lost", "2", 5000, "12", 1, 1, 1},
    {"the first one lost, without a pause", "212", 0, "", 1, 1, 1},
    {"the second one twice", "122", 0, "", 1, 1, 1},
    {"text before", "t12", 0, "", 1, 1, 0},
    {"text between the fragments", "1t2", 0, "", 1, 1, 0},
    {"text behind", "12t", FW_OCTET_MS, "", 1, 1, 0},
    {"text in the first one", "{t}2", FW_FRAME_MS, "12", 1, 2, 2},
    {"text in the first one, without a pause", "{t}212", 0, "", 1, 2, 2},
    {"much text between the fragments", "1tttt2", 0, "12", 1, 2, 2},
    {"idle octets everywhere", "i1i2i", 0, "i1i2i", 2, 0, 0},
    {"idle octets alone", "iiii", 5000, "i", 0, 0, 0},
    {"a frame's start, then a good one", "s12", 0, "", 1, 1, 1},
    {"a frame's start, a pause, a good one", "s", FW_OCTET_MS, "12", 1, 1, 1},
    {"a frame's start between the fragments", "1s2", 0, "12", 1, 2, 2},
    {"of two telegrams, the inner fragments lost", "1", 5000, "2", 0, 2, 2},
    {"the second one's head lost, the next first one's too", "1>", 0, "<2", 0, 2, 2},
    {"other SAPs in the second", "1x", 0, "12", 1, 2, 2},
};

static void send_letter(struct line *l, char letter)
{
    struct octets good = named_vector("netznoe-kaifa-ma309m-doc");
    uint8_t frame[MBUS_FRAME_MAX];
    size_t size;

    switch (letter) {
    case '1':
        send(l, good.at, 256);
        break;
    case '2':
        send(l, good.at + 256, 26);
        break;
    case 't':
        send(l, (const uint8_t *)"(D) (loop)", 10);
        break;
    case '{': /* a first fragment around something */
        send(l, good.at, 100);
        break;
    case '}':
        send(l, good.at + 100, 156);
        break;
    case 'i':
        send_hex(l, "00 FF 0D 0A 20 09");
        break;
    case 's':
        send_hex(l, "68 FA FA 68 53 FF 00 01 67 DB");
        break;
    case '>': /* without its first octet */
        send(l, good.at + 257, 25);
        break;
    case '<':
        send(l, good.at + 1, 255);
        break;
    default:
        size = mbus_write(frame, sizeof frame, 0x11, 0x0168, good.at + 256 + 9, 15);
        send(l, frame, size);
        break;
    }
    free(good.at);
}

static void fragments_and_what_is_between(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        struct line l;

        line_open(&l);
        for (const char *p = r->before; *p != '\0'; p++)
            send_letter(&l, *p);
        pause(&l, r->pause_ms);
        for (const char *p = r->behind; *p != '\0'; p++)
            send_letter(&l, *p);
        pause(&l, FW_FRAME_MS);
        if (l.wholes != r->wholes || l.damaged != r->damaged || l.join.bad != r->bad)
            fail_msg("%s: %u whole, %u damaged, %u bad", r->why, l.wholes, l.damaged, l.join.bad);
        line_close(&l);
    }
}

/* Nothing ends, and the buffer has an end. */
static void bounded(void **state)
{
    struct octets good = named_vector("netznoe-kaifa-ma309m-doc");
    struct buf endless = {0};
    uint8_t apdu[6000];
    struct line l;

    (void)state;
    memset(apdu, 0x42, sizeof apdu);
    fragments(apdu, sizeof apdu, 200, &endless); /* longer than FW_TELEGRAM_MAX */
    line_open(&l);
    send(&l, endless.data, endless.len);
    assert_int_equal(l.wholes, 0);
    for (int i = 0; i < 5000; i++)
        send(&l, (const uint8_t *)"h", 1); /* 68: each may begin a frame */
    for (int i = 0; i < 500; i++)
        send_hex(&l, "68FFFF68");
    for (int i = 0; i < 5000; i++)
        send(&l, (const uint8_t *)"\x16", 1);
    send(&l, good.at, good.len);
    assert_int_equal(l.wholes, 1);
    line_close(&l);
    buf_free(&endless);
    free(good.at);
}

static void feed_randomly(struct line *l, const struct buf *all)
{
    for (size_t at = 0, len; at < all->len; at += len) {
        len = 1 + dice(700);
        if (len > all->len - at)
            len = all->len - at;
        send(l, all->data + at, len);
        if (dice(2) == 0)
            pause(l, dice(FW_OCTET_MS - 1));
    }
}

static void run_case(const struct pieces *p)
{
    struct line l;

    line_open(&l);
    feed_randomly(&l, &p->all);
    if (p->fit)
        pieces_check(p, &l.whole, false);
    line_close(&l);
}

static void random_streams(void **state)
{
    (void)state;
    pieces_run(run_case);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_real_frame),
        cmocka_unit_test(ten_telegrams_in_a_burst),
        cmocka_unit_test(one_octet_lost_doubled_or_flipped),
        cmocka_unit_test(begins_in_mid_stream),
        cmocka_unit_test(pauses),
        cmocka_unit_test(fragments_and_what_is_between),
        cmocka_unit_test(bounded),
        cmocka_unit_test(random_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
