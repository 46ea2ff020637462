#!/bin/sh
# make test: build with sanitizers and warnings as errors, then all unit and integration tests.
# tests/run.sh WORD... runs only those whose name holds a word (tests/e2e/run.py). Ends with the line
# "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1

# For test_deb, as root: the disk of its machine takes minutes, once, so beside the build.
case ${*:-test_deb} in *test_deb*)
    if [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then
        mkdir -p build
        tests/e2e/machine.sh build/machine >build/machine.log 2>&1 &
    fi
    ;;
esac

if ! make -s -j"${E2E_JOBS:-2}" SAN=1 WERROR=1 all tests; then
    echo "the build failed; no test was run"
    echo "0 passed, 1 failed"
    exit 1
fi
# Debian's own interpreter: python3-zmq and python3-msgpack belong to it.
exec /usr/bin/python3 -B tests/e2e/run.py "$@"
