/* One tick is a millisecond here; 10 on the device. */
#ifndef FREERTOS_H
#define FREERTOS_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t TickType_t;
typedef int BaseType_t;

#define pdFALSE            0
#define pdTRUE             1
#define pdPASS             1
#define portTICK_PERIOD_MS 1
#define portMAX_DELAY      UINT32_MAX
#define pdMS_TO_TICKS(ms)  ((TickType_t)(ms))

#endif
