#!/bin/sh
# assets.sh FOLDER FILE...: the dashboard's files for the program: FOLDER/assets.S with their octets,
# plain and compressed, and FOLDER/assets.inc with a line each: number, name, type, ETag.
set -eu

folder=$1
shift
mkdir -p "$folder/assets"
n=0
{
    printf '.section .rodata\n'
    for f in "$@"; do printf '%s\t%s\n' "${f##*/}" "$f"; done | LC_ALL=C sort | while IFS="$(printf '\t')" read -r name path; do
        case $name in
        *.html) type="text/html; charset=utf-8" ;;
        *.js) type="text/javascript; charset=utf-8" ;;
        *.css) type="text/css; charset=utf-8" ;;
        *.svg) type="image/svg+xml" ;;
        *.png) type="image/png" ;;
        *.ico) type="image/x-icon" ;;
        *.json | *.webmanifest) type="application/json" ;;
        *.txt) type="text/plain; charset=utf-8" ;;
        *) echo "assets.sh: $path: no content type for it" >&2; exit 1 ;;
        esac
        gzip -9nc "$path" >"$folder/assets/$name.gz"
        digest=$(sha256sum "$path" | cut -c1-16)
        printf 'ASSET(%d, "%s", "%s", "\\"%s\\"")\n' "$n" "$name" "$type" "$digest" >&3
        printf '.global asset_%d, asset_%d_end, asset_%d_gz, asset_%d_gz_end\n' "$n" "$n" "$n" "$n"
        printf 'asset_%d:\n.incbin "%s"\nasset_%d_end:\n.byte 0\n' "$n" "$path" "$n"
        printf 'asset_%d_gz:\n.incbin "%s"\nasset_%d_gz_end:\n.byte 0\n' "$n" "$folder/assets/$name.gz" "$n"
        n=$((n + 1))
    done
    printf '.section .note.GNU-stack,"",%%progbits\n'
} 3>"$folder/assets.inc" >"$folder/assets.S"
