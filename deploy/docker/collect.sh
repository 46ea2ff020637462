#!/bin/bash
# collect.sh BASE OUT BINARY...: what the image of each program holds beyond its base.
#
#   BASE  dpkg's database as debian:bookworm-slim has it, a copy of /var/lib/dpkg
#   OUT   gets a tree for / of each program, OUT/NAME: its binary, the Debian packages that it links
#         and those that they depend on, as far as the base has none in the same version, and
#         dpkg's database that knows them. What all programs with ZeroMQ have lies in OUT/streams.
#
# Packages are copied as they lie installed here, so that no image needs apt, a network or an
# emulator. All times become SOURCE_DATE_EPOCH.
set -euo pipefail

BASE=$1 OUT=$2
shift 2
INFO=/var/lib/dpkg/info
declare -A base here needs owner # versions; what a package depends on; whose a library is
while read -r package version; do base[$package]=$version; done < <(dpkg-query --admindir="$BASE" -W -f '${Package} ${Version}\n')
while IFS=$'\t' read -r package version depends; do
    here[$package]=$version
    needs[$package]=$depends
done < <(dpkg-query -W -f '${Package}\t${Version}\t${Pre-Depends},${Depends}\n' | sed 's/([^)]*)//g; s/:any//g; s/[,| ]\{1,\}/ /g')
while IFS=: read -r list path; do
    list=${list##*/}
    list=${list%.list}
    owner[${path##*/}]=${list%:*}
done < <(cd "$INFO" && grep -H '/lib[^/]*\.so\.[0-9.]*$' -- *.list | sed 's/:\([a-z0-9]*\)\.list:/.list:/')

# linked BINARY: the packages of its libraries, and of what it opens by itself.
linked() {
    local library libraries
    libraries=$(ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | xargs -n1 realpath)
    for library in $libraries; do
        echo "${owner[${library##*/}]:?no package has $library}"
    done
    ! grep -qE '/lib(ssl|curl)' <<<"$libraries" || echo ca-certificates
    ! grep -qa TIMEZONE "$1" || echo tzdata
}

has_streams() {
    ldd "$1" | grep libczmq >/dev/null # not -q: ldd would meet a closed pipe
}

# closure: with all that they depend on, as far as the base has none in the same version.
closure() {
    local todo package depends
    declare -A seen=()
    mapfile -t todo
    while [ ${#todo[@]} -gt 0 ]; do
        package=${todo[0]}
        todo=("${todo[@]:1}")
        [ -z "${seen[$package]:-}" ] || continue
        [ "${here[$package]:-}" != "${base[$package]:-}" ] || continue # or nowhere: a virtual one
        seen[$package]=1
        read -ra depends <<<"${needs[$package]:-}"
        todo+=("${depends[@]}")
    done
    printf '%s\n' "${!seen[@]}" | sed '/^$/d' | LC_ALL=C sort
}

# copy TREE: the files of the packages on stdin, and dpkg's notes about them. The base's /lib and
# /bin are links into /usr: copied as folders they would take their place.
copy() {
    local package note notes=() lists=() made=()
    mkdir -p "$1$INFO"
    while read -r package; do
        for note in "$INFO/$package".[a-z]* "$INFO/$package":*; do
            [ -f "$note" ] || continue
            notes+=("$note")
            case $note in *.list) lists+=("$note") ;; esac
        done
        # Made by its installation: the one file, and links by hash, that libraries look into.
        [ "$package" != ca-certificates ] || made=(/etc/ssl/certs /etc/ca-certificates.conf)
    done
    [ ${#notes[@]} -gt 0 ] || return 0
    cp -p "${notes[@]}" "$1$INFO/"
    { cat "${lists[@]}" && { [ ${#made[@]} = 0 ] || find "${made[@]}"; }; } |
        sed -E 's#^/(bin|sbin|lib|lib64)/#/usr/\1/#; s#^/##' | LC_ALL=C sort -u | while read -r path; do
        case $path in '' | . | bin | sbin | lib | lib64) continue ;; esac
        [ ! -e "/$path" ] && [ ! -L "/$path" ] || printf '%s\n' "$path"
    done | tar -C / --no-recursion -cT - | tar -C "$1" -x
}

# status PACKAGES: dpkg's database of the base with these added.
status() {
    awk -v RS= -v ORS='\n\n' -v names="$1" '
        BEGIN { n = split(names, list, "\n"); for (i = 1; i <= n; i++) added[list[i]] = 1 }
        { match($0, /(^|\n)Package: [^\n]*/); name = substr($0, RSTART, RLENGTH); sub(/.*: /, "", name) }
        (FILENAME == ARGV[1]) != (name in added)' "$BASE/status" /var/lib/dpkg/status
}

declare -A packages
shared=
for binary in "$@"; do
    name=${binary##*/}
    packages[$name]=$(linked "$binary" | closure)
    has_streams "$binary" || continue
    shared=$(if [ -z "$shared" ]; then echo "${packages[$name]}"; else
        LC_ALL=C comm -12 <(echo "$shared") <(echo "${packages[$name]}")
    fi)
done
copy "$OUT/streams" <<<"$shared"
for binary in "$@"; do
    name=${binary##*/}
    own=${packages[$name]}
    ! has_streams "$binary" || own=$(LC_ALL=C comm -13 <(echo "$shared") <(echo "$own"))
    copy "$OUT/$name" < <([ -z "$own" ] || echo "$own")
    status "${packages[$name]}" >"$OUT/$name/var/lib/dpkg/status"
    install -D -s -m 755 "$binary" "$OUT/$name/usr/bin/$name"
    install -D -m 644 LICENSE "$OUT/$name/usr/share/doc/zaehlwerk/copyright"
done
find "$OUT" -exec touch -hd "@${SOURCE_DATE_EPOCH:-0}" {} +
