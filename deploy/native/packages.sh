#!/bin/sh
# Install the Debian packages that a purpose needs, when some are missing: run, test or lint;
# image: what deploy/docker/Dockerfile builds with.
set -eu

build="gcc make pkg-config libc6-dev libczmq-dev libzmq3-dev libpaho-mqtt-dev libgcrypt20-dev libpq-dev
       libmsgpack-dev libsqlite3-dev libmicrohttpd-dev libjansson-dev
       libcurl4-gnutls-dev libmariadb-dev libcsv-dev libssl-dev gzip tzdata"
# npm brings the dashboard's charts. Node.js may be there from elsewhere than Debian.
[ "${1:-}" = image ] || command -v npm >/dev/null || build="$build nodejs npm"
case "${1:-}" in
image) packages="$build ca-certificates curl jq openssl" ;;
run) packages="$build mosquitto mosquitto-clients sqlite3 runit util-linux" ;;
test) packages="$build libcmocka-dev mosquitto mosquitto-clients postgresql postgresql-client mariadb-server sqlite3
                runit util-linux python3 python3-zmq python3-msgpack python3-yaml procps iproute2 prometheus spin chromium fonts-dejavu-core mandoc
                systemd-container debootstrap debhelper dpkg-dev lintian
                libmbedtls-dev openssl gcc-xtensa-lx106 picolibc-xtensa-lx106-elf qemu-system-misc" ;;
deb) packages="$build debhelper dpkg-dev" ;;
lint) packages="$build libcmocka-dev clang-format clang-tidy cppcheck shellcheck" ;;
*) echo "usage: packages.sh run|test|lint|deb|image" >&2; exit 64 ;;
esac

missing=
for p in $packages; do
    dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "these packages are needed, as root: apt-get install$missing" >&2; exit 69; }
    sudo=sudo
fi

# What a package would start by itself is not wanted: the broker and the database of this project
# run from its own folder. Services that were there before stay as they are.
enabled() { systemctl is-enabled "$1" 2>/dev/null || true; }
fresh= # units that came with the packages
for unit in mosquitto postgresql mariadb prometheus; do
    [ -n "$(enabled $unit)" ] || fresh="$fresh $unit"
done

echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
if ! $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1; then
    $sudo apt-get update -qq
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

for unit in $fresh; do
    if [ -n "$(enabled "$unit")" ]; then
        $sudo systemctl disable --now "$unit" >/dev/null 2>&1 || true
    fi
done
