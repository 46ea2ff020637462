#ifndef FREERTOS_TASK_H
#define FREERTOS_TASK_H

#include "freertos/FreeRTOS.h"

typedef struct task *TaskHandle_t;

TickType_t xTaskGetTickCount(void);
BaseType_t xTaskCreate(void (*run)(void *arg),
                       const char *name,
                       uint32_t stack,
                       void *arg,
                       uint32_t priority,
                       TaskHandle_t *task);

#endif
