#include "meter.h"

#include <stdlib.h>

#include "driver/uart.h"
#include "esp8266/uart_register.h"
#include "esp_log.h"
#include "freertos/queue.h"
#include "freertos/task.h"

#include "fw_join.h"
#include "fw_line.h"
#include "store.h"
#include "usb_log.h"
#include "watch.h"

/* The FIFO has 128 octets, 0.5 s at 2400 baud; it is emptied at 16, or after 10 octets' silence. */
enum {
    RX_OCTETS = 1024,
    QUEUE = 16,
    FIFO_FULL = 16,
    FIFO_TIMEOUT = 10,
    POLL_MS = 40,
    DAMAGED_MS = 60000,
    STACK = 2048,
    PRIORITY = 10, /* above Wi-Fi's users: a handshake may take seconds */
};
static const char key_mode[] = "line_mode"; /* the proven one, plus 1: 0 is none */

struct meter {
    const struct fw_settings *settings;
    struct unsent *unsent;
    struct board *board;
    QueueHandle_t events;
    struct fw_line line;
    uint32_t overruns;
    uint32_t seen_good;  /* of join.good: frames that the line was told of */
    uint32_t damaged_ms; /* when a damaged telegram was sent last */
    bool damaged_once;
    struct fw_join join;
    uint8_t octets[128];
};

static uint32_t now_ms(void)
{
    return xTaskGetTickCount() * portTICK_PERIOD_MS;
}

/* Damaged ones at most once a minute: they tell the server why, and must not crowd out others. */
static void on_outcome(void *arg, enum fw_outcome outcome, const uint8_t *octets, size_t len)
{
    struct meter *m = arg;

    if (outcome == FW_WHOLE) {
        board_flash(m->board);
    } else {
        if (!m->settings->damaged || (m->damaged_once && now_ms() - m->damaged_ms < DAMAGED_MS))
            return;
        m->damaged_once = true;
        m->damaged_ms = now_ms();
    }
    if (!unsent_add(m->unsent, octets, len, outcome == FW_WHOLE))
        ESP_LOGW("meter", "no room for a telegram of %u octets", (unsigned)len);
}

/* Not by uart_param_config, which would take GPIO1 back from the log. */
static void set_line(struct meter *m)
{
    const struct fw_line_mode *mode = &fw_line_modes[m->line.mode];

    ESP_LOGI("meter", "listening at %s", mode->name);
    uart_set_baudrate(UART_NUM_0, mode->baud);
    uart_set_parity(UART_NUM_0, mode->even ? UART_PARITY_EVEN : UART_PARITY_DISABLE);
    uart_flush_input(UART_NUM_0);
    xQueueReset(m->events);
}

static void take_octets(struct meter *m)
{
    int n;

    while ((n = uart_read_bytes(UART_NUM_0, m->octets, sizeof m->octets, 0)) > 0) {
        fw_line_octets(&m->line, (uint32_t)n, now_ms());
        for (int i = 0; i < n; i++)
            fw_join_octet(&m->join, m->octets[i], now_ms());
    }
}

static void take_event(struct meter *m, const uart_event_t *event)
{
    if (event->type == UART_DATA) {
        take_octets(m);
    } else if (event->type == UART_PARITY_ERR) {
        fw_line_parity_error(&m->line);
    } else if (event->type == UART_FRAME_ERR) {
        fw_line_framing_error(&m->line);
    } else {
        m->overruns++;
        uart_flush_input(UART_NUM_0);
        xQueueReset(m->events);
    }
}

/* What came in decides how to go on listening. */
static void mind_line(struct meter *m)
{
    while (m->seen_good != m->join.good) {
        m->seen_good++;
        if (fw_line_sound(&m->line) && store_number(key_mode) != m->line.mode + 1)
            store_set_number(key_mode, (uint8_t)(m->line.mode + 1));
    }
    if (fw_line_step(&m->line, now_ms()))
        set_line(m);
}

static void task(void *arg)
{
    struct meter *m = arg;
    uart_event_t event;

    set_line(m);
    for (;;) {
        if (xQueueReceive(m->events, &event, pdMS_TO_TICKS(POLL_MS)) == pdTRUE) {
            take_event(m, &event);
        } else {
            take_octets(m);
            fw_join_quiet(&m->join, now_ms());
        }
        mind_line(m);
        watch_step(WATCH_METER);
    }
}

static void open_uart(struct meter *m)
{
    uart_config_t c = {.baud_rate = 2400,
                       .data_bits = UART_DATA_8_BITS,
                       .parity = UART_PARITY_EVEN,
                       .stop_bits = UART_STOP_BITS_1,
                       .flow_ctrl = UART_HW_FLOWCTRL_DISABLE};
    uart_intr_config_t fifo = {.intr_enable_mask =
                                   UART_RXFIFO_FULL_INT_ENA_M | UART_RXFIFO_TOUT_INT_ENA_M |
                                   UART_FRM_ERR_INT_ENA_M | UART_PARITY_ERR_INT_ENA_M |
                                   UART_RXFIFO_OVF_INT_ENA_M,
                               .rx_timeout_thresh = FIFO_TIMEOUT,
                               .rxfifo_full_thresh = FIFO_FULL};

    ESP_ERROR_CHECK(uart_param_config(UART_NUM_0, &c));
    ESP_ERROR_CHECK(uart_driver_install(UART_NUM_0, RX_OCTETS, 0, QUEUE, &m->events, 0));
    if (m->settings->swap_pins) {
        ESP_ERROR_CHECK(uart_enable_swap());
        usb_log_begin();
    }
    ESP_ERROR_CHECK(uart_intr_config(UART_NUM_0, &fifo));
}

struct meter *meter_begin(const struct fw_settings *s, struct unsent *unsent, struct board *board)
{
    struct meter *m = calloc(1, sizeof *m);
    uint8_t proven = store_number(key_mode);

    if (m == NULL)
        abort();
    m->settings = s;
    m->unsent = unsent;
    m->board = board;
    fw_join_init(&m->join, on_outcome, m);
    fw_line_init(&m->line, s->line_mode != FW_LINE_AUTO ? s->line_mode : (uint8_t)(proven - 1),
                 s->line_mode != FW_LINE_AUTO);
    open_uart(m);
    if (xTaskCreate(task, "meter", STACK, m, PRIORITY, NULL) != pdPASS)
        abort();
    return m;
}

void meter_status(const struct meter *m, struct fw_status *s)
{
    s->line = fw_line_modes[m->line.mode].name;
    s->frames_good = m->join.good;
    s->frames_bad = m->join.bad;
    s->noise = m->join.noise;
    s->telegrams = m->join.telegrams;
    s->parity_errors = m->line.parity_errors;
    s->framing_errors = m->line.framing_errors;
    s->overruns = m->overruns;
}
