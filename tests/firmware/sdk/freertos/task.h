#ifndef FREERTOS_TASK_H
#define FREERTOS_TASK_H

#include "freertos/FreeRTOS.h"

TickType_t xTaskGetTickCount(void);

#endif
