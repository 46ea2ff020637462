/* Updates of the receiver: a new firmware proves itself or the old one comes back, whenever the
 * power fails. */
#include "tools.h"

#include <stdbool.h>
#include <stdio.h>

#include "esp8266/main/store.h"
#include "esp8266/main/trial.h"
#include "esp_https_ota.h"
#include "esp_ota_ops.h"
#include "esp_system.h"
#include "freertos/timers.h"
#include "nvs.h"
#include "nvs_flash.h"

enum { OLD, NEW, TEN_MINUTES = 600000 };

/* How the power fails in a fetch. */
enum cut { NO_CUT, BEFORE_THE_SWITCH, BEHIND_THE_SWITCH };

struct timer {
    bool runs;
    void (*run)(TimerHandle_t);
};

static struct {
    int running, boot; /* slots */
    bool sound[2];     /* what is in them */
    bool restarted;
    jmp_buf end; /* of what runs */
    enum cut cut;
    esp_err_t fetch;
    unsigned fetches;
    struct timer timer;
} device;

static const esp_partition_t slots[] = {{ESP_PARTITION_SUBTYPE_APP_OTA_0},
                                        {ESP_PARTITION_SUBTYPE_APP_OTA_0 + 1}};

void sdk_abort(void)
{
    abort();
}

void esp_restart(void)
{
    device.restarted = true;
    longjmp(device.end, 1);
}

const esp_partition_t *esp_ota_get_running_partition(void)
{
    return &slots[device.running];
}

const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *from)
{
    assert_null(from);
    return &slots[!device.running];
}

esp_err_t esp_ota_set_boot_partition(const esp_partition_t *slot)
{
    if (!device.sound[slot - slots])
        return ESP_FAIL;
    device.boot = (int)(slot - slots);
    return ESP_OK;
}

esp_err_t esp_https_ota(const esp_http_client_config_t *config)
{
    assert_string_equal(config->url, "https://u");
    assert_string_equal(config->cert_pem, "ca");
    device.fetches++;
    if (device.cut == BEFORE_THE_SWITCH)
        longjmp(device.end, 1);
    if (device.fetch != ESP_OK)
        return device.fetch;
    device.sound[!device.running] = true;
    device.boot = !device.running;
    if (device.cut == BEHIND_THE_SWITCH)
        longjmp(device.end, 1);
    return ESP_OK;
}

TimerHandle_t xTimerCreate(
    const char *name, TickType_t period, BaseType_t again, void *id, void (*run)(TimerHandle_t))
{
    (void)name;
    (void)id;
    assert_int_equal(period, pdMS_TO_TICKS(TEN_MINUTES));
    assert_int_equal(again, pdFALSE);
    device.timer.run = run;
    return &device.timer;
}

BaseType_t xTimerStart(TimerHandle_t timer, TickType_t wait)
{
    (void)wait;
    timer->runs = true;
    return pdPASS;
}

BaseType_t xTimerStop(TimerHandle_t timer, TickType_t wait)
{
    (void)wait;
    timer->runs = false;
    return pdPASS;
}

static int begin(void **state)
{
    (void)state;
    memset(&device, 0, sizeof device);
    device.sound[OLD] = true;
    nvs_power = -1;
    nvs_init_error = ESP_OK;
    nvs_flash_erase();
    store_begin();
    return 0;
}

/* One start; false: it restarts the device at once. */
static bool start(void)
{
    device.running = device.boot;
    device.timer.runs = device.restarted = false;
    if (setjmp(device.end) == 0)
        trial_begin();
    return !device.restarted;
}

/* Ten minutes later; false: the device has restarted. */
static bool wait(void)
{
    if (device.timer.runs && setjmp(device.end) == 0)
        device.timer.run(&device.timer);
    return !device.restarted;
}

static bool fetch(void)
{
    static bool done;

    done = false;
    if (setjmp(device.end) == 0)
        done = trial_fetch("https://u", "ca");
    return done;
}

static void runs_untried(int slot)
{
    assert_true(start());
    assert_int_equal(device.running, slot);
    assert_false(device.timer.runs);
    assert_int_equal(store_number("trial"), 0);
}

static void one_that_reaches_the_broker_stays(void **state)
{
    (void)state;
    assert_true(start());
    assert_true(fetch());
    trial_passed(); /* the old one again, while it sends what came meanwhile */
    assert_int_not_equal(store_number("trial"), 0);
    assert_true(start());
    assert_int_equal(device.running, NEW);
    trial_passed();
    assert_true(wait());
    for (int i = 0; i < 6; i++)
        runs_untried(NEW);
}

/* It boots and that is all: nothing else would ever restart it. */
static void one_that_does_not_is_left(void **state)
{
    (void)state;
    assert_true(start());
    assert_true(fetch());
    for (int i = 0; i < 4; i++) {
        assert_true(start());
        assert_int_equal(device.running, NEW);
        assert_false(wait());
    }
    assert_false(start());
    assert_int_equal(device.boot, OLD);
    runs_untried(OLD);
}

static void passed_at_the_last_start(void **state)
{
    (void)state;
    assert_true(start());
    assert_true(fetch());
    for (int i = 0; i < 3; i++) {
        assert_true(start());
        assert_false(wait());
    }
    assert_true(start());
    trial_passed();
    runs_untried(NEW);
}

/* Whatever was written then, no new firmware runs without being on trial. */
static void cut_off_in_the_fetch(void **state)
{
    assert_true(start());
    device.cut = BEFORE_THE_SWITCH;
    assert_false(fetch());
    runs_untried(OLD);
    begin(state);
    assert_true(start());
    device.cut = BEHIND_THE_SWITCH;
    assert_false(fetch());
    assert_true(start());
    assert_int_equal(device.running, NEW);
    assert_true(device.timer.runs);
}

static void a_failed_fetch_changes_nothing(void **state)
{
    (void)state;
    assert_true(start());
    device.fetch = ESP_FAIL;
    assert_false(fetch());
    assert_int_equal(store_number("trial"), 0);
    runs_untried(OLD);
}

static void what_cannot_be_noted_is_not_fetched(void **state)
{
    (void)state;
    assert_true(start());
    nvs_power = 0;
    assert_false(fetch());
    assert_int_equal(device.fetches, 0);
}

/* Its starts could not be counted either, so it would be tried for ever. */
static void a_start_that_cannot_be_counted(void **state)
{
    (void)state;
    assert_true(start());
    assert_true(fetch());
    nvs_power = 0;
    assert_false(start());
    assert_int_equal(device.boot, OLD);
}

static void nothing_to_go_back_to(void **state)
{
    (void)state;
    assert_true(start());
    assert_true(fetch());
    device.sound[OLD] = false;
    for (int i = 0; i < 4; i++) {
        assert_true(start());
        assert_false(wait());
    }
    runs_untried(NEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_that_reaches_the_broker_stays, begin),
        cmocka_unit_test_setup(one_that_does_not_is_left, begin),
        cmocka_unit_test_setup(passed_at_the_last_start, begin),
        cmocka_unit_test_setup(cut_off_in_the_fetch, begin),
        cmocka_unit_test_setup(a_failed_fetch_changes_nothing, begin),
        cmocka_unit_test_setup(what_cannot_be_noted_is_not_fetched, begin),
        cmocka_unit_test_setup(a_start_that_cannot_be_counted, begin),
        cmocka_unit_test_setup(nothing_to_go_back_to, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
