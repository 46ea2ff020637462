#include "usb_log.h"

#include "driver/gpio.h"
#include "esp8266/gpio_struct.h"
#include "esp_attr.h"
#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "sdkconfig.h"

enum { BAUD = 115200, BITS = 10 }; /* start, 8 data, stop */

static inline uint32_t cycles(void)
{
    uint32_t n;

    __asm__ volatile("rsr %0, ccount" : "=a"(n));
    return n;
}

/* In RAM: a cache miss would stretch a bit. An octet takes 87 us, less than one of the meter's. */
static int IRAM_ATTR put(int c)
{
    const uint32_t per_bit = CONFIG_ESP8266_DEFAULT_CPU_FREQ_MHZ * 1000000U / BAUD;
    uint32_t bits = 1U << 9 | (uint32_t)(c & 0xFF) << 1, next;

    portENTER_CRITICAL();
    next = cycles();
    for (int i = 0; i < BITS; i++) {
        if ((bits & 1) != 0)
            GPIO.out_w1ts = BIT(1);
        else
            GPIO.out_w1tc = BIT(1);
        bits >>= 1;
        next += per_bit;
        while ((int32_t)(next - cycles()) > 0)
            ;
    }
    portEXIT_CRITICAL();
    return c;
}

void usb_log_begin(void)
{
    gpio_config_t pin = {.pin_bit_mask = BIT(1), .mode = GPIO_MODE_OUTPUT};

    gpio_set_level(GPIO_NUM_1, 1);
    gpio_config(&pin);
    esp_log_set_putchar(put);
}
