#!/bin/sh
# make test: build with sanitizers and warnings as errors, then all unit and integration tests.
# tests/run.sh WORD... runs only those whose name holds a word (tests/e2e/run.py). Ends with the line
# "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit 1

if ! make -s -j"${E2E_JOBS:-2}" SAN=1 WERROR=1 all tests; then
    echo "the build failed; no test was run"
    echo "0 passed, 1 failed"
    exit 1
fi
# Debian's own interpreter: python3-zmq and python3-msgpack belong to it.
exec /usr/bin/python3 -B tests/e2e/run.py "$@"
