#include "frame.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "axdr.h"
#include "dlms_time.h"
#include "mbus.h"
#include "obis.h"

enum {
    ADDRESS = 0x0167, /* STSAP 01, DTSAP 67 */
    CI_FIRST = 0x00,  /* fragment 0, more to come */
    CI_ONLY = 0x10,
    CI_LAST = 0x11,
    HEADER_MAX = 20, /* DB .. frame counter, before the ciphertext */
};

/* One register: 1.0.C.D.0.255, its type and unit. */
struct object {
    uint8_t c, d;
    uint8_t field; /* enum field */
    uint8_t type;
    int8_t scaler;
    uint8_t unit; /* Blue Book 4.3.2, table 4: see obis.h */
};

static const struct object netz_noe[] = {
    {1, 8, FIELD_WIN, AXDR_DOUBLE_LONG_UNSIGNED, 0, 30},
    {2, 8, FIELD_WOUT, AXDR_DOUBLE_LONG_UNSIGNED, 0, 30},
    {1, 7, FIELD_PIN, AXDR_DOUBLE_LONG_UNSIGNED, 0, 27},
    {2, 7, FIELD_POUT, AXDR_DOUBLE_LONG_UNSIGNED, 0, 27},
    {32, 7, FIELD_U1, AXDR_LONG_UNSIGNED, -1, 35},
    {52, 7, FIELD_U2, AXDR_LONG_UNSIGNED, -1, 35},
    {72, 7, FIELD_U3, AXDR_LONG_UNSIGNED, -1, 35},
    {31, 7, FIELD_I1, AXDR_LONG_UNSIGNED, -2, 33},
    {51, 7, FIELD_I2, AXDR_LONG_UNSIGNED, -2, 33},
    {71, 7, FIELD_I3, AXDR_LONG_UNSIGNED, -2, 33},
    {13, 7, FIELD_PF, AXDR_LONG_UNSIGNED, -3, 255},
};

static const struct object tirol[] = {
    {32, 7, FIELD_U1, AXDR_LONG_UNSIGNED, -1, 35},
    {31, 7, FIELD_I1, AXDR_LONG_UNSIGNED, -2, 33},
    {1, 7, FIELD_PIN, AXDR_DOUBLE_LONG_UNSIGNED, 0, 27},
    {2, 7, FIELD_POUT, AXDR_DOUBLE_LONG_UNSIGNED, 0, 27},
    {1, 8, FIELD_WIN, AXDR_DOUBLE_LONG_UNSIGNED, 0, 30},
    {2, 8, FIELD_WOUT, AXDR_DOUBLE_LONG_UNSIGNED, 0, 30},
    {3, 8, FIELD_RIN, AXDR_DOUBLE_LONG_UNSIGNED, 0, 32},
    {4, 8, FIELD_ROUT, AXDR_DOUBLE_LONG_UNSIGNED, 0, 32},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Octets on the way out. Sizes are known beforehand, so room that does not suffice is a bug. */
struct writer {
    uint8_t octets[FRAME_TELEGRAM_MAX];
    size_t len;
};

static void put(struct writer *w, const void *octets, size_t len)
{
    assert(len <= sizeof w->octets - w->len);
    memcpy(w->octets + w->len, octets, len);
    w->len += len;
}

static void put_u8(struct writer *w, unsigned octet)
{
    put(w, &(uint8_t){(uint8_t)octet}, 1);
}

static void put_be(struct writer *w, uint32_t number, int octets)
{
    while (octets-- > 0)
        put_u8(w, number >> (8 * octets));
}

/* BER: one octet below 80, else 81 or 82 and one or two octets. */
static void put_length(struct writer *w, size_t len)
{
    if (len >= 0x80)
        put_u8(w, len > 0xFF ? 0x82 : 0x81);
    put_be(w, (uint32_t)len, len > 0xFF ? 2 : 1);
}

static void put_octet_string(struct writer *w, const void *octets, size_t len)
{
    put_u8(w, AXDR_OCTET_STRING);
    put_length(w, len);
    put(w, octets, len);
}

static void put_structure(struct writer *w, size_t elements)
{
    put_u8(w, AXDR_STRUCTURE);
    put_u8(w, (unsigned)elements);
}

static void put_clock(struct writer *w, const struct sim_reading *r)
{
    uint8_t clock[DLMS_TIME_OCTETS];

    dlms_time_write(r->time, r->deviation, r->clock_status, clock);
    put_octet_string(w, clock, sizeof clock);
}

/* OBIS code, value, structure of scaler and unit. */
static void put_object(struct writer *w, const struct object *o, uint8_t type, uint32_t value)
{
    const uint8_t code[OBIS_OCTETS] = {1, 0, o->c, o->d, 0, 0xFF};

    put_octet_string(w, code, sizeof code);
    put_u8(w, type);
    put_be(w, value, type == AXDR_DOUBLE_LONG_UNSIGNED ? 4 : 2);
    put_structure(w, 2);
    put_u8(w, AXDR_INTEGER);
    put_u8(w, (uint8_t)o->scaler);
    put_u8(w, AXDR_ENUM);
    put_u8(w, o->unit);
}

/* 0F | long-invoke-id-and-priority | date-time; the body follows. */
static void put_header(struct writer *w, const struct sim_reading *r)
{
    uint8_t clock[DLMS_TIME_OCTETS];

    dlms_time_write(r->time, r->deviation, r->clock_status, clock);
    put_u8(w, APDU_DATA_NOTIFICATION);
    put_be(w, r->invoke_id, 4);
    put_u8(w, sizeof clock);
    put(w, clock, sizeof clock);
}

static bool has_object(enum sim_model model, const struct object *o)
{
    return sim_three_phase(model) || (o->field != FIELD_U2 && o->field != FIELD_U3 &&
                                      o->field != FIELD_I2 && o->field != FIELD_I3);
}

/* One flat structure: clock, then code, value, scaler and unit side by side, then the number. */
static void put_netz_noe(struct writer *w, const struct sim_meter *m, const struct sim_reading *r)
{
    size_t objects = 0;

    for (size_t i = 0; i < COUNT(netz_noe); i++)
        objects += has_object(m->model, &netz_noe[i]);
    put_structure(w, 1 + 3 * objects + 1);
    put_clock(w, r);
    for (size_t i = 0; i < COUNT(netz_noe); i++) {
        const struct object *o = &netz_noe[i];
        bool is_signed = o->field == FIELD_PF && m->model == SIM_T210D_A;

        if (has_object(m->model, o))
            put_object(w, o, is_signed ? AXDR_LONG : o->type, r->values[o->field]);
    }
    put_octet_string(w, m->number, strlen(m->number));
}

static void put_text_object(struct writer *w, const uint8_t code[OBIS_OCTETS], const char *text)
{
    put_structure(w, 2);
    put_octet_string(w, code, OBIS_OCTETS);
    put_octet_string(w, text, strlen(text));
}

/* A structure of structures: clock's code and clock bare, number, device name, then the registers.
 */
static void put_tirol(struct writer *w, const struct sim_meter *m, const struct sim_reading *r)
{
    static const uint8_t clock[OBIS_OCTETS] = {0, 0, 1, 0, 0, 0xFF};
    static const uint8_t number[OBIS_OCTETS] = {0, 0, 96, 1, 0, 0xFF};
    static const uint8_t device[OBIS_OCTETS] = {0, 0, 42, 0, 0, 0xFF};

    put_structure(w, 4 + COUNT(tirol));
    put_octet_string(w, clock, sizeof clock);
    put_clock(w, r);
    put_text_object(w, number, m->number);
    put_text_object(w, device, m->device);
    for (size_t i = 0; i < COUNT(tirol); i++) {
        put_structure(w, 3);
        put_object(w, &tirol[i], tirol[i].type, r->values[tirol[i].field]);
    }
}

/* DB | 08 title | length | security control | counter | ciphertext | [tag], from w's plaintext. */
static int encrypt(struct gcm *gcm,
                   const struct sim_meter *m,
                   const struct sim_reading *r,
                   struct writer *plain,
                   struct writer *out)
{
    const struct apdu apdu = {
        .ciphered = true,
        .title = m->title,
        .security_control = m->security_control,
        .counter = r->counter,
    };
    bool tagged = (m->security_control & SC_AUTHENTICATED) != 0;
    uint8_t tag[TAG_OCTETS];
    int rc = gcm_encrypt(gcm, &apdu, m->key, tagged ? m->authentication_key : NULL, plain->octets,
                         plain->len, tagged ? tag : NULL);

    if (rc != 0)
        return rc;
    put_u8(out, APDU_GENERAL_GLO_CIPHERING);
    put_u8(out, SYSTEM_TITLE_OCTETS);
    put(out, m->title, SYSTEM_TITLE_OCTETS);
    put_length(out, 1 + 4 + plain->len + (tagged ? TAG_OCTETS : 0));
    put_u8(out, m->security_control);
    put_be(out, r->counter, 4);
    put(out, plain->octets, plain->len);
    if (tagged)
        put(out, tag, sizeof tag);
    return 0;
}

static void add_frame(struct frame_telegram *t, uint8_t ci, const uint8_t *data, size_t len)
{
    size_t size = mbus_write(t->octets + t->len, sizeof t->octets - t->len, ci, ADDRESS, data, len);

    assert(size > 0 && t->count < FRAME_COUNT_MAX);
    t->lens[t->count++] = size;
    t->len += size;
}

/* Firmware A fills its first frame beyond what the length octet can say: 257 goes out as 01. */
static void split(struct frame_telegram *t, enum sim_model model, const uint8_t *apdu, size_t len)
{
    size_t room = model == SIM_T210D_A ? 252 : 245;

    t->len = t->count = 0;
    if (len <= room) {
        add_frame(t, CI_ONLY, apdu, len);
        return;
    }
    add_frame(t, CI_FIRST, apdu, room);
    add_frame(t, CI_LAST, apdu + room, len - room);
}

int frame_encode(struct gcm *gcm,
                 const struct sim_meter *meter,
                 const struct sim_reading *reading,
                 struct frame_telegram *out)
{
    struct writer plain = {.len = 0};
    struct writer apdu = {.len = 0};
    int rc;

    put_header(&plain, reading);
    if (meter->model == SIM_MA110M)
        put_tirol(&plain, meter, reading);
    else
        put_netz_noe(&plain, meter, reading);
    rc = encrypt(gcm, meter, reading, &plain, &apdu);
    if (rc == 0)
        split(out, meter->model, apdu.octets, apdu.len);
    return rc;
}
