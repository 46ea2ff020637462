#!/bin/sh
# Install the Debian packages that a purpose needs, when some are missing: run, test, lint, deb, image (what
# deploy/docker/Dockerfile builds with); or packages.sh only NAME...: just these. A broker or database that
# comes with them is not started, now or at boot: those of this project run from its own folder. One that
# was there before stays as it is.
set -eu

build="gcc make pkg-config libc6-dev libczmq-dev libzmq3-dev libpaho-mqtt-dev libgcrypt20-dev libpq-dev
       libmsgpack-dev libsqlite3-dev libmicrohttpd-dev libjansson-dev
       libcurl4-gnutls-dev libmariadb-dev libcsv-dev libssl-dev gzip tzdata"
# npm brings the dashboard's charts. Node.js may be there from elsewhere than Debian.
[ "${1:-}" = image ] || command -v npm >/dev/null || build="$build nodejs npm"
case "${1:-}" in
image) packages="$build ca-certificates" ;;
run) packages="$build mosquitto mosquitto-clients sqlite3 runit util-linux" ;;
test) packages="$build libcmocka-dev mosquitto mosquitto-clients postgresql postgresql-client mariadb-server sqlite3
                runit util-linux python3 python3-zmq python3-msgpack python3-psycopg2 python3-yaml procps iproute2 prometheus spin chromium fonts-dejavu-core mandoc
                systemd-container debootstrap debhelper dpkg-dev lintian
                libmbedtls-dev openssl gcc-xtensa-lx106 picolibc-xtensa-lx106-elf qemu-system-misc" ;;
deb) packages="$build debhelper dpkg-dev" ;;
lint) packages="$build libcmocka-dev clang-format clang-tidy cppcheck shellcheck" ;;
only) shift && packages=$* ;;
*) echo "usage: packages.sh run|test|lint|deb|image|only NAME..." >&2; exit 64 ;;
esac

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
missing=
for p in $packages; do
    installed "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "these packages are needed, as root: apt-get install$missing" >&2; exit 69; }
    sudo=sudo
fi

fresh= # what may come with the packages: its unit's name
installed mosquitto || fresh="$fresh mosquitto"
installed postgresql-common || fresh="$fresh postgresql"
installed mariadb-server || fresh="$fresh mariadb"
installed prometheus || fresh="$fresh prometheus"

# While apt runs: none of them is started (policy-rc.d(8), unless the machine has one), and no cluster
# of databases is made, which PostgreSQL's own unit would start at each boot.
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/zaehlwerk.conf
ours=
# shellcheck disable=SC2086 # a word each
restore() { [ -z "$ours" ] || $sudo rm -f $ours; }
trap restore EXIT
trap 'exit 130' INT TERM HUP
if [ ! -e $policy ]; then
    ours=$policy
    # shellcheck disable=SC2016 # the script's own $1
    printf '#!/bin/sh\ncase "$1" in mosquitto* | postgresql* | mariadb* | mysql* | prometheus*) exit 101 ;; esac\n' | $sudo tee $policy >/dev/null
    $sudo chmod 755 $policy
fi
case $missing in *' postgresql'*)
    ours="$ours $cluster"
    $sudo mkdir -p "${cluster%/*}"
    echo 'create_main_cluster = false' | $sudo tee $cluster >/dev/null
    ;;
esac

echo "installing:$missing"
apt() { # the packages; quiet, but for what goes wrong
    # shellcheck disable=SC2086
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}
if ! apt >/dev/null 2>&1; then
    $sudo apt-get update -qq
    apt >/dev/null
fi

for unit in $fresh; do
    if installed "$unit" || installed "$unit-common"; then
        $sudo systemctl disable "$unit" >/dev/null 2>&1 || true
    fi
done
