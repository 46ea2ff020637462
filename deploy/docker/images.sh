#!/bin/sh
# images.sh VERSION NAME...: build zaehlwerk/NAME:VERSION of each, with buildx where there is one.
#
#   SOURCE_DATE_EPOCH  the time of all that is built; the last commit's
#   EXTRA_CA_FILE      certificates (PEM) to trust besides Debian's while building; those that this
#                      machine's administrator has added, of which no image gets one
#   BUILD_NETWORK      the network that the build uses (docker build --network)
set -eu
cd "$(dirname "$0")/../.."

version=$1
shift
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
ca=$(if [ -n "${EXTRA_CA_FILE:-}" ]; then cat "$EXTRA_CA_FILE"; else cat /usr/local/share/ca-certificates/*.crt 2>/dev/null || true; fi)
build="docker build"
! docker buildx version >/dev/null 2>&1 || build="docker buildx build --load"

for name in "$@"; do
    $build --file deploy/docker/Dockerfile --target "$name" --tag "zaehlwerk/$name:$version" \
        --build-arg "VERSION=$version" --build-arg "SOURCE_DATE_EPOCH=$epoch" --build-arg "EXTRA_CA=$ca" \
        --network "${BUILD_NETWORK:-default}" --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || true)" \
        --build-arg "CREATED=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)" .
done
for name in "$@"; do
    docker image ls --format '{{.Repository}}:{{.Tag}}  {{.Size}}' "zaehlwerk/$name:$version"
done
