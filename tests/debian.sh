#!/bin/bash
# debian.sh FOLDER: a small Debian 12 (debootstrap's minbase) in FOLDER, once a week: what the images of a test
# and the disk of its machine begin with. As root; Debian's mirrors are those that this machine asks.
set -euo pipefail

# shellcheck disable=SC2016 # apt's words, not the shell's
sources() {
    local found mirror
    found=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^\([^ ]* bookworm[a-z-]* main\) Debian$/deb \1/p' | sort -u)
    case $found in
    *" bookworm main"*) printf '%s\n' "$found" ;;
    *) # those that debootstrap asks unless told otherwise
        mirror=$(sed -n 's/^DEF_MIRROR="\(.*\)"$/\1/p' "$(command -v debootstrap)")
        printf 'deb %s main\n' "$mirror bookworm" "$mirror bookworm-updates" "$mirror-security bookworm-security"
        ;;
    esac
}

to=$1
mkdir -p "$(dirname "$to")"
exec 9>"$to.lock"
flock 9
[ -z "$(find "$to" -maxdepth 0 -mtime -7 2>/dev/null)" ] || exit 0
rm -rf "$to" "$to.new"
debootstrap --variant=minbase bookworm "$to.new" "$(sources | sed -n 's/^deb \([^ ]*\) bookworm main/\1/p')"
sources >"$to.new/etc/apt/sources.list"
echo force-unsafe-io >"$to.new/etc/dpkg/dpkg.cfg.d/unsafe-io" # whoever needs it again makes it again
rm -rf "$to.new"/var/cache/apt/archives/*.deb
touch "$to.new"
mv "$to.new" "$to"
