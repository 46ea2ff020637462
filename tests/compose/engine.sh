#!/bin/bash
# engine.sh build|apart|base|stop FOLDER: a Docker engine of its own for a test, beside whatever
# else runs on the machine: data, socket and pid in FOLDER. Needs root.
#
#   build  an engine that can build images (docker build --network host) and has no network of its own:
#          no bridge and no firewall rule of the machine is touched. Prints its DOCKER_HOST. Debian's
#          engine is installed when there is none
#   apart  the same data, in name spaces of its own for network, mounts and processes: networks, published
#          ports and rules are real, and nobody outside sees them; FOLDER/engine.pid is the process whose
#          name spaces they are (nsenter -t PID -n)
#   base   debian:bookworm-slim in that engine: pulled, or else made by debootstrap and kept in build/
#   stop   ends the engine; FOLDER/data is removed
#
# Where 8 GiB of memory are free, FOLDER/data is a link into it (/dev/shm): a build is a lot of small files.
#
# Status 69: there is no engine and none can be installed or started; the reason is on stderr.
set -euo pipefail

usage() {
    echo "usage: engine.sh build|apart|base|stop FOLDER" >&2
    exit 64
}
[ $# = 2 ] || usage
FOLDER=$(realpath -m "$2")
cd "$(dirname "$0")/../.."
export DOCKER_HOST=unix://$FOLDER/docker.sock PATH=$PATH:/usr/sbin:/sbin

cannot() {
    echo "engine.sh: $*" >&2
    exit 69
}

# Debian's engine, when there is none. A daemon that comes with it is not wanted: only ours runs.
install_engine() {
    local missing=()
    command -v dockerd >/dev/null || missing+=(docker.io)
    command -v iptables >/dev/null || missing+=(iptables)
    command -v debootstrap >/dev/null || missing+=(debootstrap)
    command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 || missing+=(docker-compose)
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || cannot "no dockerd, and no apt-get to install it"
    echo "installing: ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
        { apt-get update -qq &&
            apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; } ||
        cannot "${missing[*]} cannot be installed"
    case " ${missing[*]} " in
    *" docker.io "*) systemctl disable --now docker.service docker.socket containerd.service >/dev/null 2>&1 || true ;;
    esac
}

# launch UNSHARE-OPTIONS -- DOCKERD-OPTIONS: dockerd in a mount name space of its own at least, where an
# engine of the machine lends it no containerd and what it mounts ends with it.
launch() {
    local name=() engine
    while [ "$1" != -- ]; do name+=("$1") && shift; done
    shift
    mkdir -p "$FOLDER" /run/containerd
    [ -e "$FOLDER/data" ] || ! in_memory || ln -s "$(mktemp -d /dev/shm/zw-engine.XXXXXX)" "$FOLDER/data"
    echo '{}' >"$FOLDER/daemon.json" # not the machine's own settings
    # What dockerd takes for its process id counts in its name space alone.
    # shellcheck disable=SC2016
    setsid unshare --mount --propagation private "${name[@]}" bash -c '
        mount -t tmpfs none /run/containerd
        ip link set lo up
        exec "$@"' - dockerd --config-file "$FOLDER/daemon.json" --data-root "$FOLDER/data" \
        --exec-root "$FOLDER/exec" --pidfile "$FOLDER/inner.pid" \
        --host "$DOCKER_HOST" --cgroup-parent "$(cgroup)" "$@" >"$FOLDER/dockerd.log" 2>&1 </dev/null &
    engine=$!
    echo $engine >"$FOLDER/engine.pid"
    for _ in $(seq 300); do
        ! docker version >/dev/null 2>&1 || { echo "DOCKER_HOST=$DOCKER_HOST"; return; }
        kill -0 $engine 2>/dev/null || break
        sleep 0.2
    done
    grep -E 'level=(error|fatal)|failed' "$FOLDER/dockerd.log" | tail -3 >&2 || true
    stop
    cannot "dockerd does not start"
}
in_memory() {
    [ "$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)" -ge 8 ] &&
        [ "$(df --output=avail -BG /dev/shm | tail -n 1 | tr -dc 0-9)" -ge 6 ]
}
cgroup() {
    echo "zw-engine-$(echo "$FOLDER" | cksum | cut -d' ' -f1)"
}

build() {
    [ "$(id -u)" = 0 ] || cannot "needs root"
    install_engine
    launch -- --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
}

apart() {
    [ "$(id -u)" = 0 ] || cannot "needs root"
    install_engine
    end
    touch "$FOLDER/apart"
    launch --net --pid --fork --mount-proc --kill-child --
    nsenter -t "$(cat "$FOLDER/engine.pid")" -n true || cannot "no network name space can be made here"
}

# End what launch has started. What runs in a process name space ends with its first process.
end() {
    local pid
    pid=$(cat "$FOLDER/engine.pid" 2>/dev/null || true)
    if [ -n "$pid" ] && grep -qaF "$FOLDER/data" "/proc/$pid/cmdline" 2>/dev/null; then
        if [ -f "$FOLDER/apart" ]; then kill -KILL "$pid"; else kill "$pid"; fi
        for _ in $(seq 150); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.2
        done
    fi
    rm -f "$FOLDER/engine.pid" "$FOLDER/inner.pid" "$FOLDER/apart"
    find /sys/fs/cgroup -depth -type d -path "*/$(cgroup)*" -exec rmdir {} + 2>/dev/null || true
}

# What debian:bookworm-slim leaves out, so that the sizes of images made from a stand-in are honest.
slim() {
    local root=$1
    find "$root/usr/share/doc" -depth ! -name copyright -type f -delete
    find "$root/usr/share/doc" -depth -type l -delete
    find "$root/usr/share/doc" -depth -type d -empty -delete
    rm -rf "$root"/usr/share/{man,info,locale,groff,lintian,linda}/* "$root"/var/cache/{apt,ldconfig}/* \
        "$root"/var/lib/apt/lists/* "$root"/var/log/*
    printf 'path-exclude %s\n' '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/info/*' '/usr/share/locale/*' \
        '/usr/share/groff/*' '/usr/share/lintian/*' >"$root/etc/dpkg/dpkg.cfg.d/docker"
    printf 'path-include %s\n' '/usr/share/doc/*/copyright' >>"$root/etc/dpkg/dpkg.cfg.d/docker"
    echo 'Acquire::Languages "none";' >"$root/etc/apt/apt.conf.d/docker-no-languages"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}

base() {
    local kept=build/debian-bookworm-slim.tar
    ! docker image inspect debian:bookworm-slim >/dev/null 2>&1 || return 0
    ! timeout 60 docker pull -q debian:bookworm-slim >/dev/null 2>&1 || return 0
    echo "debian:bookworm-slim cannot be pulled: made by debootstrap" >&2
    mkdir -p build
    { # one at a time, and another one after a week
        flock 9
        [ -n "$(find $kept -mtime -7 2>/dev/null)" ] || make_base $kept
    } 9>$kept.lock
    docker import -c 'CMD ["bash"]' $kept debian:bookworm-slim >/dev/null
}
make_base() { # TAR
    local root=$FOLDER/data/base
    tests/debian.sh build/debian >"$FOLDER/debootstrap.log" 2>&1 ||
        cannot "debootstrap failed: $(tail -n 1 "$FOLDER/debootstrap.log")"
    rm -rf "$root"
    cp -a build/debian "$root"
    slim "$root"
    tar -C "$root" --numeric-owner -cf "$1.new" .
    mv "$1.new" "$1"
    rm -rf "$root"
}

stop() {
    end
    rm -rf "$(realpath "$FOLDER/data")" "$FOLDER/data" "$FOLDER/exec"
}

case $1 in
build | apart | base | stop) "$1" ;;
*) usage ;;
esac
