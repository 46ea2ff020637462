#!/bin/sh
# machine.sh FOLDER: a Debian 12 with systemd, a broker and the libraries of the package in FOLDER, once;
# and PostgreSQL's packages, fetched and not installed. As root, with a Debian mirror.
set -eu

to=$1
mkdir -p "$(dirname "$to")"
exec 9>"$to.lock"
flock 9
[ ! -d "$to" ] || exit 0
base=$(dirname "$to")/debian
"$(dirname "$0")/../debian.sh" "$base"
rm -rf "$to.new"
cp -a "$base" "$to.new"
# What debootstrap leaves to the installer; and nothing is started in a folder (policy-rc.d(8)).
echo '127.0.0.1 localhost' >"$to.new/etc/hosts"
printf '#!/bin/sh\nexit 101\n' >"$to.new/usr/sbin/policy-rc.d"
chmod 755 "$to.new/usr/sbin/policy-rc.d"
# What PostgreSQL needs is there; itself, and the broker's package, only for a test to install.
chroot "$to.new" env DEBIAN_FRONTEND=noninteractive sh -ec '
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends systemd-sysv dbus mosquitto mosquitto-clients sqlite3 curl tzdata libczmq4 \
        libpaho-mqtt1.3 libmsgpackc2 libmicrohttpd12 libcurl3-gnutls libpq5 libjansson4 libmariadb3 libcsv3 libssl3 \
        postgresql-client-15 libllvm14 libxslt1.1 locales ssl-cert netbase perl ucf
    apt-get clean
    apt-get install -y -qq --no-install-recommends --download-only postgresql
    cd /var/cache/apt/archives && apt-get download -qq mosquitto'
rm "$to.new/usr/sbin/policy-rc.d"
mv "$to.new" "$to"
