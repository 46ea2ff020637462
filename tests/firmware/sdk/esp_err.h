/* The SDK's names that the receiver's own files use, for tests on this machine. */
#ifndef ESP_ERR_H
#define ESP_ERR_H

typedef int esp_err_t;

#define ESP_OK   0
#define ESP_FAIL (-1)

/** How a device that cannot go on restarts: the test says what that means. */
_Noreturn void sdk_abort(void);

#define ESP_ERROR_CHECK(x)                                                                         \
    do {                                                                                           \
        if ((x) != ESP_OK)                                                                         \
            sdk_abort();                                                                           \
    } while (0)

#endif
