#ifndef FREERTOS_TIMERS_H
#define FREERTOS_TIMERS_H

#include "freertos/FreeRTOS.h"

typedef struct timer *TimerHandle_t;

TimerHandle_t xTimerCreate(
    const char *name, TickType_t period, BaseType_t again, void *id, void (*run)(TimerHandle_t));
BaseType_t xTimerStart(TimerHandle_t timer, TickType_t wait);
BaseType_t xTimerStop(TimerHandle_t timer, TickType_t wait);

#endif
