#!/bin/sh
# install.sh install|uninstall BUILD: `make install` and `make uninstall`. What is put somewhere stands
# here once; uninstall takes away just that, and the folders that are Zählwerk's own.
# From the environment: DESTDIR, PREFIX, UNITDIR (systemd's units; empty: PREFIX/lib/systemd/system).
set -eu
cd "$(dirname "$0")/../.."

action=$1
build=$2
# shellcheck disable=SC2153 # from the environment
prefix=${DESTDIR:-}$PREFIX
units=${DESTDIR:-}${UNITDIR:-$PREFIX/lib/systemd/system}
doc=$prefix/share/doc/zaehlwerk
own="$prefix/libexec/zaehlwerk $units/zaehlwerk-.service.d $doc"

# put MODE FILE TARGET
put() {
    case $action in
    install) install -D -m "$1" "$2" "$3" ;;
    uninstall) rm -f "$3" ;;
    esac
}
# put_unit FILE TARGET: with the programs' folder put in
put_unit() {
    put 644 "$1" "$2"
    [ "$action" != install ] || sed -i "s|@libexecdir@|$PREFIX/libexec/zaehlwerk|" "$2"
}

put 755 "$build/bin/zaehlwerk" "$prefix/bin/zaehlwerk"
put 755 deploy/native/zaehlwerk-admin "$prefix/sbin/zaehlwerk-admin"
put 644 deploy/man/zaehlwerk.1 "$prefix/share/man/man1/zaehlwerk.1"
put 644 deploy/man/zaehlwerk-admin.8 "$prefix/share/man/man8/zaehlwerk-admin.8"
put 644 deploy/completion/zaehlwerk "$prefix/share/bash-completion/completions/zaehlwerk"
for main in services/*/main.c; do
    name=$(basename "$(dirname "$main")")
    [ "$name" != zaehlwerk ] || continue
    put 755 "$build/bin/$name" "$prefix/libexec/zaehlwerk/$name"
    put 644 "$build/man/zaehlwerk-$name.8" "$prefix/share/man/man8/zaehlwerk-$name.8"
    unit=zaehlwerk-$name.service
    [ ! -f "deploy/systemd/$unit" ] || put_unit "deploy/systemd/$unit" "$units/$unit"
done
put 644 deploy/systemd/zaehlwerk.target "$units/zaehlwerk.target"
put 644 deploy/systemd/zaehlwerk-.service.d/common.conf "$units/zaehlwerk-.service.d/common.conf"
put 644 deploy/systemd/zaehlwerk.sysusers "$prefix/lib/sysusers.d/zaehlwerk.conf"
put 644 deploy/systemd/zaehlwerk.tmpfiles "$prefix/lib/tmpfiles.d/zaehlwerk.conf"

for file in LICENSE server.env.example ./*.md services/*/README.md proto/README.md deploy/*/README.md \
    deploy/examples/* deploy/mosquitto/* deploy/postgresql/*; do
    [ ! -f "$file" ] || put 644 "$file" "$doc/${file#./}"
done
if [ "$action" = install ]; then # a link to what is not installed becomes plain words
    (cd "$doc" && find . -name '*.md' -exec perl -pi -e '
        my ($folder) = $ARGV =~ m!^(.*/)!;
        s!\[([^\]]+)\]\(([^)#:\s]+)(#[^)]*)?\)!-e "$folder$2" ? $& : $1!ge' {} +)
else
    for folder in $own; do
        [ ! -d "$folder" ] || find "$folder" -depth -type d -empty -delete
    done
fi
