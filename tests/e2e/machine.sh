#!/bin/sh
# machine.sh FOLDER: a Debian 12 with systemd, a broker and the libraries of the package in FOLDER, once;
# and PostgreSQL's packages, fetched and not installed. As root, with a Debian mirror.
set -eu

to=$1
mkdir -p "$(dirname "$to")"
exec 9>"$to.lock"
flock 9
[ ! -d "$to" ] || exit 0
rm -rf "$to.new"
debootstrap --variant=minbase --include=systemd-sysv,dbus,mosquitto,mosquitto-clients,sqlite3,curl,tzdata,libczmq4,libpaho-mqtt1.3,libmsgpackc2,libmicrohttpd12,libcurl3-gnutls,libpq5,libjansson4 \
    bookworm "$to.new" http://deb.debian.org/debian
chroot "$to.new" sh -ec 'apt-get update -qq
    apt-get install -y -qq --no-install-recommends --download-only postgresql'
# debootstrap leaves it to the installer.
echo '127.0.0.1 localhost' >"$to.new/etc/hosts"
# The broker's package for the tests that install it.
chroot "$to.new" sh -ec 'cd /var/cache/apt/archives && apt-get download -qq mosquitto'
mv "$to.new" "$to"
