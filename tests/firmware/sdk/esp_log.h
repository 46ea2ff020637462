#ifndef ESP_LOG_H
#define ESP_LOG_H

#include <stdio.h>

#define ESP_LOGE(tag, ...) ((void)snprintf(NULL, 0, __VA_ARGS__), (void)(tag))
#define ESP_LOGW           ESP_LOGE
#define ESP_LOGI           ESP_LOGE

#endif
