/* usb_log: log lines on the USB serial while the UART listens to the meter. */
#ifndef USB_LOG_H
#define USB_LOG_H

/**
 * From now on log lines leave by GPIO1 at 115200 8N1, bit by bit: the UART itself runs at the
 * meter's rate, on other pins.
 */
void usb_log_begin(void);

#endif
