/* From payloads to telegrams: what comes in pieces, damaged, doubled or not at all (Q3 to Q7, Q20).
 */
#include "stream.h"

/* Frames of real meters: A Kaifa (256 + 26), S Sagemcom with L = 01 (263 + 19), V Vorarlberg. */
static struct octets frames[3][FRAMES_MAX];
static const char letters[] = "ASV";

static int load(void **state)
{
    static const char *const ids[] = {"netznoe-kaifa-ma309m-doc", "seed-frame",
                                      "vorarlberg-kaifa-ma309m"};
    json_t *vectors = vectors_load();

    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++)
        assert_int_equal(vector_frames(vector_find(vectors, ids[i]), frames[i]), 2);
    json_decref(vectors);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(frames); i++)
        for (size_t f = 0; f < 2; f++)
            free(frames[i][f].at);
    return 0;
}

/*
 * One word of a script to octets, in an allocation of its own:
 *   A A1 A2  both frames of telegram A, its first, its second; S and V likewise
 *   with behind it: - an octet lost in the middle, + one too many, ! a bit flipped, < first half,
 *   > second half, x CI FF (with a sum that holds), d debug text in the middle
 *   noise, idle, start  octets that are no frame; nothing but idle ones; 68 05 05 68
 */
static struct octets word_octets(const char *word)
{
    struct buf b = {0};
    struct octets o;
    const char *letter = strchr(letters, word[0]);
    size_t half;

    if (strcmp(word, "noise") == 0)
        return octets_from_hex("00 68 16 41 68 FF 12");
    if (strcmp(word, "idle") == 0)
        return octets_from_hex("00 FF 00 20 0D 0A 09");
    if (strcmp(word, "start") == 0)
        return octets_from_hex("68 05 05 68");
    assert_non_null(letter);
    word++;
    for (size_t f = 0; f < 2; f++)
        if (*word != (f == 0 ? '2' : '1'))
            assert_int_equal(
                buf_add(&b, frames[letter - letters][f].at, frames[letter - letters][f].len), 0);
    word += *word == '1' || *word == '2';
    half = b.len / 2;
    if (*word == '-') {
        memmove(b.data + half, b.data + half + 1, b.len - half - 1);
        b.len--;
    } else if (*word == '+' || *word == 'd') {
        const char *more = *word == '+' ? "+" : "(D) (loop)\r\n";
        struct octets tail = octets_copy(b.data + half, b.len - half);

        b.len = half;
        assert_int_equal(buf_add(&b, more, strlen(more)), 0);
        assert_int_equal(buf_add(&b, tail.at, tail.len), 0);
        free(tail.at);
    } else if (*word == '!') {
        b.data[half] ^= 0x20;
    } else if (*word == '<') {
        b.len = half;
    } else if (*word == '>') {
        buf_drop(&b, half);
    } else if (*word == 'x') {
        b.data[b.len - 2] = (uint8_t)(b.data[b.len - 2] + 0xFF - b.data[6]);
        b.data[6] = 0xFF;
    }
    o = octets_copy(b.data, b.len);
    buf_free(&b);
    return o;
}

/* Words apart by blanks: a payload each; joined by commas: one payload. ~ 3 s pass. */
static void run(struct stream *s, const char *script)
{
    char words[256], *rest = words, *word;
    struct buf payload = {0};

    assert_true(strlen(script) < sizeof words);
    strcpy(words, script);
    while ((word = strsep(&rest, " ,")) != NULL) {
        char end = script[word + strlen(word) - words];

        if (strcmp(word, "~") == 0) {
            s->now_ms += 3001;
            assembler_expire(s->assembler, s->now_ms - 3000, stream_take, s);
        } else {
            struct octets o = word_octets(word);

            assert_int_equal(buf_add(&payload, o.at, o.len), 0);
            free(o.at);
        }
        if (end != ',') {
            if (payload.len > 0)
                stream_feed(s, payload.data, payload.len);
            payload.len = 0;
            s->now_ms += 160;
        }
    }
    buf_free(&payload);
}

static const struct row {
    const char *why, *script, *outcomes;
} rows[] = {
    {"a telegram in one payload", "A", "ok "},
    {"a telegram in two", "A1 A2", "ok "},
    {"L = 01", "S", "ok "},
    {"each frame in two payloads", "A1< A1> A2< A2>", "ok "},
    {"one payload from the middle to the middle", "A1< A1>,A2< A2>", "ok "},
    {"two telegrams in a payload", "A,S", "ok ok "},
    {"ten telegrams in a payload (2820 octets, Q4)", "A,S,A,S,A,S,A,S,A,S",
     "ok ok ok ok ok ok ok ok ok ok "},
    {"idle octets between frames", "idle,A1,idle,A2,idle idle,S", "ok ok "},
    {"idle octets alone", "idle idle", ""},

    {"noise before", "noise,A", "not-a-frame ok "},
    {"noise behind", "A,noise", "ok not-a-frame "},
    {"noise between two telegrams", "A,noise,S", "ok not-a-frame ok "},
    {"noise between two fragments", "A1,noise,A2", "not-a-frame ok "},
    {"noise in a payload of its own", "A1 noise A2", "not-a-frame ok "},
    {"noise alone", "noise", "not-a-frame "},
    {"four octets that look like a start, before a telegram", "start,A", "truncated ok "},

    {"begins in the middle of a second fragment (Q4)", "A2>,A,S", "not-a-frame ok ok "},
    {"begins in the middle of a first fragment", "A1>,A2,S", "not-a-frame sequence ok "},
    {"second fragment alone (Q7)", "A2", "sequence "},
    {"second fragment alone, then a telegram", "A2 S", "sequence ok "},
    {"first fragment alone, then silence", "A1 ~", "truncated "},
    {"first fragment alone, then a telegram", "A1 S1 S2", "truncated ok "},
    {"first fragment alone, then the end", "A1", "truncated "},
    {"two firsts of one telegram", "A1 A1 A2", "truncated ok "},
    {"second fragment twice", "A1 A2 A2", "ok sequence "},
    {"second fragment after 3 s", "A1 ~ A2", "truncated sequence "},
    {"the second of another meter fits no less: the header's length tells", "A1 V2", "ok "},

    {"octet lost in the first (Q5)", "A1- A2", "lost-octets "},
    {"octet lost in the second", "A1 A2-", "lost-octets "},
    {"octet lost in the second, then a telegram", "A1 A2- S", "lost-octets ok "},
    {"octet too many in the first", "A1+ A2", "lost-octets "},
    {"octet too many in the second", "A1 A2+ S", "lost-octets ok "},
    {"debug text in the first (Q5)", "A1d A2 S", "lost-octets ok "},
    {"debug text in the second", "A1 A2d S", "lost-octets ok "},
    {"a bit flipped in the first", "A1! A2 S", "checksum ok "},
    {"a bit flipped in the second", "A1 A2! S", "checksum ok "},
    {"a bit flipped with L = 01", "S1! S2 A", "checksum ok "},
    {"a bit flipped in both: the first cause", "A1! A2- S", "checksum ok "},
    {"half a first fragment, then a telegram", "A1< S", "truncated ok "},
    {"half a first fragment, then its second", "A1< A2 S", "truncated ok "},
    {"half a first fragment, then silence", "A1< ~", "truncated "},
    {"half a second fragment, then a telegram", "A1 A2< S", "truncated ok "},
    {"half a second fragment, then silence", "A1 A2< ~", "truncated "},
    {"CI FF (Q20)", "A1x A2 S", "sequence ok "},
    {"CI FF in the second", "A1 A2x S", "sequence ok "},
    {"first fragment alone, then a damaged telegram", "A1 S1! S2", "truncated checksum "},
    {"a damaged second is its telegram's last", "A1 A2! S2 A", "checksum sequence ok "},
    {"damaged telegrams one after another", "A1! A2 S1- S2 V1 A V2< S",
     "checksum lost-octets truncated ok truncated ok "},
};

static void scripts(void **state)
{
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stream s;

        stream_open(&s);
        run(&s, rows[i].script);
        assembler_flush(s.assembler, stream_take, &s);
        if (strcmp(s.text, rows[i].outcomes) != 0) {
            print_error("%s: %s(%s)\n", rows[i].why, s.text, s.detail);
            bad++;
        }
        stream_close(&s);
    }
    assert_int_equal(bad, 0);
}

/* The APDU is the frames' data and nothing else. */
static void check_apdu(const struct stream *s, size_t telegram)
{
    size_t at = 0;

    for (size_t f = 0; f < 2; f++) {
        const struct octets *frame = &frames[telegram][f];

        assert_true(at + frame->len - MBUS_OVERHEAD <= s->apdus.len);
        assert_memory_equal(s->apdus.data + at, frame->at + 9, frame->len - MBUS_OVERHEAD);
        at += frame->len - MBUS_OVERHEAD;
    }
    assert_int_equal(at, s->apdus.len);
}

static void cut_at_every_point(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT(frames); t++) {
        char word[2] = {letters[t], '\0'};
        struct octets o = word_octets(word);

        for (size_t cut = 0; cut <= o.len; cut++) {
            struct stream s;

            stream_open(&s);
            stream_feed(&s, o.at, cut);
            assert_int_equal(s.good, cut == o.len);
            stream_feed(&s, o.at + cut, o.len - cut);
            assert_string_equal(s.text, "ok ");
            check_apdu(&s, t);
            stream_close(&s);
        }
        free(o.at);
    }
}

/* A telegram is out as soon as its last octet is in. */
static void octet_by_octet(void **state)
{
    struct octets o = word_octets("S");
    struct stream s;

    (void)state;
    stream_open(&s);
    for (int n = 0; n < 3; n++) {
        for (size_t i = 0; i < o.len; i++) {
            assert_int_equal(s.good, n);
            stream_feed(&s, o.at + i, 1);
        }
        assert_int_equal(assembler_pending(s.assembler), 0);
    }
    assert_string_equal(s.text, "ok ok ok ");
    free(o.at);
    stream_close(&s);
}

/* One octet lost anywhere: one or two outcomes, none a telegram; the next telegram is whole. */
static void check_lost(size_t telegram, size_t lost)
{
    char word[2] = {letters[telegram], '\0'};
    struct octets o = word_octets(word), next = word_octets("A");
    struct stream s;
    unsigned outcomes = 0;

    stream_open(&s);
    stream_feed(&s, o.at, lost);
    stream_feed(&s, o.at + lost + 1, o.len - lost - 1);
    if (s.good != 0)
        fail_msg("octet %zu of %s: %s", lost, word, s.text);
    stream_feed(&s, next.at, next.len);
    assert_int_equal(assembler_pending(s.assembler), 0);
    for (const char *p = s.text; *p != '\0'; p++)
        outcomes += *p == ' ';
    if (s.good != 1 || outcomes < 2 || outcomes > 3 ||
        strcmp(s.text + strlen(s.text) - 3, "ok ") != 0)
        fail_msg("octet %zu of %s: %s", lost, word, s.text);
    free(o.at);
    free(next.at);
    stream_close(&s);
}

static void an_octet_lost_anywhere(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT(frames); t++)
        for (size_t lost = 0; lost < frames[t][0].len + frames[t][1].len; lost++)
            check_lost(t, lost);
}

/* One bit flipped anywhere: never a telegram, and the next is whole. */
static void check_flipped(struct octets *o, size_t bit)
{
    struct octets next = word_octets("S");
    struct stream s;

    o->at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    stream_open(&s);
    stream_feed(&s, o->at, o->len);
    stream_feed(&s, next.at, next.len);
    if (s.good != 1 || strcmp(s.text + strlen(s.text) - 3, "ok ") != 0)
        fail_msg("bit %zu: %s", bit, s.text);
    /* the control octet to the sum: the frame is as long as it says */
    if (bit / 8 % 256 >= 4 && bit / 8 != 255 && bit / 8 % 256 != 6 && bit / 8 < 256 + 25)
        assert_non_null(strstr(s.text, "checksum "));
    o->at[bit / 8] ^= (uint8_t)(1 << bit % 8);
    free(next.at);
    stream_close(&s);
}

static void a_bit_flipped_anywhere(void **state)
{
    struct octets o = word_octets("A");

    (void)state;
    for (size_t bit = 0; bit < 8 * o.len; bit++)
        check_flipped(&o, bit);
    free(o.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts),
        cmocka_unit_test(cut_at_every_point),
        cmocka_unit_test(octet_by_octet),
        cmocka_unit_test(an_octet_lost_anywhere),
        cmocka_unit_test(a_bit_flipped_anywhere),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
