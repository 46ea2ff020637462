/* board: the LED that tells how it goes, and the button. */
#ifndef BOARD_H
#define BOARD_H

enum board_light {
    BOARD_SETUP,   /* half a second on, half off: the set-up network is open */
    BOARD_SEARCH,  /* fast: no Wi-Fi */
    BOARD_NO_MQTT, /* two flashes: Wi-Fi, but no broker */
    BOARD_RUNNING, /* dark, and a flash with each telegram */
};

struct board;

/**
 * Watch the button at GPIO0 (D3) and drive the LED at GPIO2 (D4). Held for 5 s, the button calls
 * reset from the timer's task.
 */
struct board *board_begin(void (*reset)(void));

/** What the LED shows from now on; any task. */
void board_show(struct board *b, enum board_light light);

/** One flash; any task. */
void board_flash(struct board *b);

#endif
