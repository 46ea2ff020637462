#include "fw_crc.h"

uint16_t fw_crc(const uint8_t *octets, size_t len)
{
    static const uint16_t nibbles[16] = {0x0000, 0x1081, 0x2102, 0x3183, 0x4204, 0x5285,
                                         0x6306, 0x7387, 0x8408, 0x9489, 0xA50A, 0xB58B,
                                         0xC60C, 0xD68D, 0xE70E, 0xF78F};
    uint16_t crc = 0xFFFF;

    for (size_t i = 0; i < len; i++) {
        crc = (uint16_t)(crc >> 4 ^ nibbles[(crc ^ octets[i]) & 0x0F]);
        crc = (uint16_t)(crc >> 4 ^ nibbles[(crc ^ octets[i] >> 4) & 0x0F]);
    }
    return (uint16_t)~crc;
}
