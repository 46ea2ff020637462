/* The receiver's settings in flash: a certificate as long as may be, cuts at every step, erasing.
 */
#include "tools.h"

#include <stdio.h>

#include "esp8266/main/store.h"
#include "fw_portal.h"
#include "nvs.h"
#include "nvs_flash.h"

void sdk_abort(void)
{
    mock_assert(0, "the device restarts", __FILE__, __LINE__);
    abort();
}

static struct fw_settings settings(const char *broker)
{
    struct fw_settings s;

    fw_settings_defaults(&s, "n");
    strcpy(s.ssid, "home");
    snprintf(s.broker, sizeof s.broker, "%s", broker);
    return s;
}

/* A text of so many characters, all different at each end. */
static char *certificate(size_t len, char first)
{
    char *ca = malloc(len + 1);

    assert_non_null(ca);
    for (size_t i = 0; i < len; i++)
        ca[i] = (char)('a' + (i * 7 + i / 26 + (size_t)first) % 26);
    ca[len] = '\0';
    return ca;
}

static int begin(void **state)
{
    (void)state;
    nvs_power = -1;
    nvs_init_error = ESP_OK;
    nvs_flash_erase();
    nvs_erasures = 0;
    store_begin();
    return 0;
}

static void check(const char *broker, const char *ca)
{
    struct fw_settings s;
    char *have = store_read_ca();

    fw_settings_defaults(&s, "n");
    assert_true(store_read(&s));
    assert_string_equal(s.broker, broker);
    assert_int_equal(have == NULL, ca == NULL);
    if (ca != NULL)
        assert_string_equal(have, ca);
    free(have);
    assert_int_equal(nvs_open_handles, 0);
}

static void nothing_yet(void **state)
{
    struct fw_settings s;

    (void)state;
    assert_false(store_read(&s));
    assert_null(store_read_ca());
    assert_int_equal(store_number("x"), 0);
}

static void certificates_of_every_length(void **state)
{
    static const size_t lens[] = {1, 1983, 1984, 1985, 3000, FW_CA_MAX};
    struct fw_settings s = settings("b");

    (void)state;
    for (size_t i = 0; i < COUNT(lens); i++) {
        char *ca = certificate(lens[i], (char)i);

        assert_true(store_write(&s, ca));
        check("b", ca);
        free(ca);
    }
}

static void without_a_new_one_the_certificate_stays(void **state)
{
    char *ca = certificate(FW_CA_MAX, 'x');
    struct fw_settings s = settings("one");

    (void)state;
    assert_true(store_write(&s, NULL));
    check("one", NULL);
    assert_true(store_write(&s, ca));
    for (int i = 0; i < 5; i++) {
        char broker[8];

        snprintf(broker, sizeof broker, "b%d", i);
        s = settings(broker);
        assert_true(store_write(&s, NULL));
        check(broker, ca);
    }
    free(ca);
}

static void a_shorter_certificate_leaves_nothing_of_a_longer_one(void **state)
{
    char *longest = certificate(FW_CA_MAX, 'x');
    struct fw_settings s = settings("b");

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(store_write(&s, longest));
        assert_true(store_write(&s, "short"));
        check("b", "short");
    }
    assert_int_equal(nvs_keys(), 3); /* the number, settings, one part */
    free(longest);
}

static void too_long(void **state)
{
    char *ca = certificate(2 * 1984 + 1, 'x');
    struct fw_settings s = settings("one");

    (void)state;
    assert_true(store_write(&s, "first"));
    s = settings("two");
    assert_false(store_write(&s, ca));
    check("one", "first");
    free(ca);
}

/* Cut off before each of its changes: the old pair or the new one, and the next save works. */
static void a_cut_at_every_step(void **state)
{
    char *old = certificate(FW_CA_MAX, 'a'), *new = certificate(FW_CA_MAX - 1, 'q');
    unsigned was_old = 0, was_new = 0;

    for (int power = 0; was_new < 4; power++) {
        struct fw_settings s = settings("old"), now;
        char *ca;

        begin(state);
        assert_true(store_write(&s, old));
        s = settings("new");
        nvs_power = power;
        (void)store_write(&s, new);
        nvs_power = -1;
        store_begin(); /* the next start */
        assert_true(store_read(&now));
        ca = store_read_ca();
        if (strcmp(now.broker, "old") == 0)
            was_old++;
        else
            was_new++;
        assert_string_equal(ca, strcmp(now.broker, "old") == 0 ? old : new);
        free(ca);
        assert_true(store_write(&s, new));
        check("new", new);
        assert_in_range(power, 0, 20);
    }
    assert_int_equal(was_old, 4); /* two parts, the settings, the number */
    free(old);
    free(new);
}

static void numbers_stay(void **state)
{
    struct fw_settings s = settings("b");

    (void)state;
    assert_true(store_set_number("line_mode", 3));
    assert_true(store_write(&s, "ca"));
    assert_true(store_set_number("trial", 17));
    assert_int_equal(store_number("line_mode"), 3);
    assert_int_equal(store_number("trial"), 17);
    nvs_power = 0;
    assert_false(store_set_number("trial", 18));
    assert_int_equal(store_number("trial"), 17);
    check("b", "ca");
}

static void what_is_erased_is_gone(void **state)
{
    struct fw_settings s = settings("b");

    (void)state;
    assert_true(store_write(&s, "ca"));
    assert_true(store_set_number("trial", 17));
    store_erase();
    assert_int_equal(nvs_erasures, 1); /* the flash itself: NVS only marks what it erases */
    store_begin();
    nothing_yet(NULL);
}

/* Only the error that the SDK says to erase for; any other may be over at the next start. */
static void which_errors_erase(void **state)
{
    struct fw_settings s = settings("b");

    (void)state;
    assert_true(store_write(&s, "ca"));
    nvs_init_error = ESP_FAIL;
    expect_assert_failure(store_begin());
    assert_int_equal(nvs_erasures, 0);
    nvs_init_error = ESP_OK;
    store_begin();
    check("b", "ca");
    nvs_init_error = ESP_ERR_NVS_NO_FREE_PAGES;
    store_begin();
    assert_int_equal(nvs_erasures, 1);
    assert_false(store_read(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_yet, begin),
        cmocka_unit_test_setup(certificates_of_every_length, begin),
        cmocka_unit_test_setup(without_a_new_one_the_certificate_stays, begin),
        cmocka_unit_test_setup(a_shorter_certificate_leaves_nothing_of_a_longer_one, begin),
        cmocka_unit_test_setup(too_long, begin),
        cmocka_unit_test_setup(a_cut_at_every_step, begin),
        cmocka_unit_test_setup(numbers_stay, begin),
        cmocka_unit_test_setup(what_is_erased_is_gone, begin),
        cmocka_unit_test_setup(which_errors_erase, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
