#!/bin/sh
# Check the delivery model (proto/delivery.pml) with spin: that it holds, and that each mutation breaks
# it. One line a check; exit status 1 when one is not as expected. MODEL_KEEP=FOLDER keeps the
# counterexamples there; the file `play` in each says how to play it.
set -eu

model=$(cd "$(dirname "$0")/.." && pwd)/proto/delivery.pml
for tool in spin gcc; do
    command -v "$tool" >/dev/null || { echo "not ok - model: $tool is missing (apt-get install spin gcc)"; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
cp "$model" .
began=$(date +%s)
checks=0
bad=0

# Search all states of the model with these switches. safety: assertions and dead ends. live: those too,
# and runs that are fair and in which nothing settles.
search() { # safety|live optimisation switches...
    case $1 in
    safety) compile="$2 -DSAFETY" options= ;;
    live) compile=$2 options='-a -f' ;;
    esac
    [ "$1" = safety ] || set -- "$@" -DLIVE
    shift 2
    rm -f pan ./*.trail
    echo "spin $* -t -p -g delivery.pml" >play
    # shellcheck disable=SC2086
    { spin "$@" -a delivery.pml && gcc $compile -w -o pan pan.c && ./pan $options -m20000 -w22; } >out 2>&1 || true
}

report() { # ok|'not ok' text
    checks=$((checks + 1))
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out)
    seconds=$(sed -n 's/^pan: elapsed time \([0-9.e+-]*\) seconds.*/\1/p' out)
    echo "$1 - $2 (${states:-no} states, ${seconds:-?} s)"
    [ "$1" = ok ] && return
    bad=$((bad + 1))
    sed 's/^/# /' out
}

# All states were seen, and nothing is wrong in any.
holds() { # text safety|live switches...
    text=$1
    kind=$2
    shift 2
    search "$kind" -O1 "$@"
    if grep -q 'errors: 0$' out && ! grep -Eqi 'search depth too small|not completed|out of memory|aborting' out; then
        report ok "$text"
    else
        report 'not ok' "$text"
    fi
}

# There is a counterexample, of this kind.
breaks() { # safety|live 'what pan says' switch switches...
    kind=$1
    finds=$2
    name=${3#-D}
    shift 2
    search "$kind" -O0 "$@"
    if grep -q 'errors: 1$' out && grep -Eq "^pan:1: $finds" out; then
        report ok "$name breaks it: $(sed -n 's/^pan:1: \([a-z]* [a-z]*\).*/\1/p' out)"
    else
        report 'not ok' "$name breaks it"
    fi
    if [ -n "${MODEL_KEEP:-}" ]; then
        mkdir -p "$MODEL_KEEP/$name"
        cp delivery.pml play out ./*.trail "$MODEL_KEEP/$name" || true
    fi
}

# A power cut that finds everything synced is a kill, so CUT has all that is without it, and more.
holds 'everything is committed in the end, once: 2 telegrams, 2 kills or losses' \
    live -DTELEGRAMS=2 -DFAULTS=2
holds 'everything that was synced is committed in the end, once: 2 telegrams, 2 power cuts or losses' \
    live -DTELEGRAMS=2 -DFAULTS=2 -DCUT
holds 'the others are committed when the database refuses one: 2 telegrams, 1 power cut or loss' \
    live -DTELEGRAMS=2 -DFAULTS=1 -DCUT -DREFUSED
holds 'nothing is trimmed before it is committed: 2 telegrams, 2 power cuts or losses' \
    safety -DTELEGRAMS=2 -DFAULTS=2 -DCUT
holds 'nothing is trimmed before it is committed: 3 telegrams, 1 power cut or loss' \
    safety -DTELEGRAMS=3 -DFAULTS=1 -DCUT

breaks safety 'assertion violated .*row' -DMUT_ACK_BEFORE_COMMIT -DFAULTS=1
breaks safety 'assertion violated .*row' -DMUT_ACK_UP_TO -DFAULTS=1
breaks safety 'assertion violated .*row' -DMUT_KEEP_ORIGIN -DFAULTS=1 -DCUT
breaks safety 'assertion violated .*row' -DMUT_PASS_FORWARDED -DFAULTS=0
breaks safety 'assertion violated .*row' -DMUT_PASS_REJECTED -DFAULTS=0 -DREFUSED
breaks live 'acceptance cycle' -DMUT_PUBACK_FIRST -DFAULTS=1
breaks live 'acceptance cycle' -DMUT_NO_RESEND -DFAULTS=1
breaks safety 'assertion violated .rows' -DMUT_NO_KEY -DFAULTS=1
breaks safety 'assertion violated .*<=row' -DMUT_LAST_WINS -DFAULTS=1

echo "1..$checks"
echo "# model: $checks checks, $bad not as expected, $(($(date +%s) - began)) s"
[ "$bad" = 0 ]
