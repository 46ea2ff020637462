#!/bin/sh
# The firmware's core, compiled for the ESP8266's processor and run on an emulated one. Prints TAP and what
# it costs: octets of code and constants, RAM, instructions an octet.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cross=xtensa-lx106-elf
for tool in $cross-gcc qemu-system-xtensa; do
    command -v "$tool" >/dev/null || { echo "not ok - $tool is missing (deploy/native/packages.sh test)"; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"

/usr/bin/python3 - "$root/tests/vectors/field.json" >vectors.inc <<'PYTHON'
import json, sys
for v in json.load(open(sys.argv[1], encoding="utf-8")):
    print('{"%s", "%s", {%s}},' % (v["id"], v["link"], ", ".join('"%s"' % f for f in v["frames"]) or "NULL"))
PYTHON

# As the chip's SDK compiles. Only string.h of the C library is there to link: nothing else may be needed.
flags="-Os -std=gnu11 -mlongcalls -mtext-section-literals -ffunction-sections -fdata-sections -Wall -Wextra -Werror
       -specs=/usr/lib/xtensa-lx106-elf/picolibc.specs -I$root/firmware/core -I$root/common -I$root/common/dlms -I."
core="$root/firmware/core/*.c $root/common/dlms/mbus.c $root/common/hex.c"
mkdir core
# shellcheck disable=SC2086
(cd core && $cross-gcc $flags -c $core)

# No heap, no stdio, no division and no other arithmetic that the chip lacks.
foreign=$($cross-nm -u core/*.o | sed -n 's/^ *U //p' | sort -u | while read -r name; do
    case $name in
    memcpy | memmove | memset | memchr | memcmp | strlen | strcmp | strncmp | strchr | strncpy | strstr) ;;
    *) $cross-nm --defined-only core/*.o | grep -q " [TRDB] $name\$" || echo "$name" ;;
    esac
done)
if [ -z "$foreign" ]; then
    echo "ok - the core needs nothing but string.h"
else
    echo "not ok - the core needs $(echo "$foreign" | tr "\n" " ")"
fi

# shellcheck disable=SC2086
$cross-gcc $flags -nostartfiles -Wl,--gc-sections -T "$root/tests/firmware/chip.ld" "$root/tests/firmware/start.S" \
    "$root/tests/firmware/chip_main.c" core/*.o -o chip.elf
status=0
timeout 120 qemu-system-xtensa -M sim -cpu lx106 -semihosting -nographic -monitor none -serial none -icount shift=10 \
    -kernel chip.elf || status=$?
[ "$status" = 0 ] || echo "not ok - the emulated chip ended with status $status"
echo "1..1"
$cross-size core/*.o | awk 'NR > 1 { text += $1; data += $2; bss += $3 }
    END { print "figures: firmware core of " NR - 1 " files: " text " octets of code and constants, " data + bss " of RAM" }'
[ "$status" = 0 ] && [ -z "$foreign" ]
