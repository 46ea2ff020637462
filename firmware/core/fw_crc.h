/* fw_crc: the check sequence of HDLC frames and of the stored settings. */
#ifndef FW_CRC_H
#define FW_CRC_H

#include <stddef.h>
#include <stdint.h>

/** CRC-16/X-25 (polynomial 1021 reflected, from FFFF, complemented): "123456789" gives 906E. */
uint16_t fw_crc(const uint8_t *octets, size_t len);

#endif
