#!/bin/bash
# images.sh VERSION NAME...: zaehlwerk/NAME:VERSION of each as the engine of DOCKER_HOST has it, run
# as an installation runs it: read-only, without capabilities, without a network. Says what is
# wrong, one line each; status 1 then.
set -euo pipefail

version=$1
shift
wrong=0
for name in "$@"; do
    image=zaehlwerk/$name:$version
    say() { echo "$image: $*" && wrong=1; }
    inside() { docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --network none "$@"; }

    answer=$(inside "$image" --version) || true
    [ "$answer" = "$name $version" ] || say "--version says \"$answer\""
    facts=$(docker inspect -f '{{.Config.User}} {{json .Config.Healthcheck}} {{index .Config.Labels "org.opencontainers.image.version"}}' "$image")
    case $facts in "10001:10001 "*" $version") ;; *) say "user, health check and version are $facts" ;; esac
    # shellcheck disable=SC2016 # for the shell in there
    inside --entrypoint sh "$image" -euc '
        fail=0
        say() { echo "  $*"; fail=1; }
        touch /x 2>/dev/null && say "/ can be written to"
        [ "$(stat -c %u:%a /var/lib /var/lib/zaehlwerk | tr "\n" " ")" = "0:755 10001:750 " ] || say "owners and modes: $(stat -c "%n %u:%a" /var/lib /var/lib/zaehlwerk)"
        [ "$(readlink /lib)" = usr/lib ] || say "/lib is no link any more"
        ! ldd "/usr/bin/$0" | grep "not found" || fail=1
        [ -s /usr/share/doc/zaehlwerk/copyright ] || say "no licence"
        for tool in gcc make curl npm; do ! command -v $tool >/dev/null || say "$tool is in it"; done
        [ -z "$(ls /var/lib/apt/lists 2>/dev/null)" ] || say "lists of apt are in it"
        # Whole for dpkg: no package without those it depends on, no library without its package.
        dpkg --audit | grep . && fail=1
        dpkg-query -S $(ldd "/usr/bin/$0" | sed -n "s/.*=> \(\/[^ ]*\) .*/\1/p" | xargs -n1 readlink -f | sed "s|.*/|*/|") 2>&1 |
            grep "no path found" && fail=1
        apt-get check -qq -o Dir::Cache=/tmp -o Dir::State::lists=/tmp -o Debug::NoLocking=1 2>&1 | grep . && fail=1
        exit $fail' "$name" || say "is not whole"
done
exit $wrong
