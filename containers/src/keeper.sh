# Keeps one server for as long as its owner runs, then removes it: the owner itself may be killed at any time.
# usage: keeper.sh OWNER START RECORD docker CONTAINER
#        keeper.sh OWNER START RECORD local DIRECTORY SMBD PRELOAD
# OWNER 0: standard input is a pipe that the owner holds, and its end is the owner's end. The line "removed" on it says
# that the server is gone already. Otherwise OWNER is a process number, and START the start time that tells it from a
# later process of that number.
owner=$1 start=$2 record=$3 kind=$4
shift 4
removed=no
child=
trap '' HUP INT QUIT
exec 3<&0 </dev/null

# runs PID [START]: whether that process is there, not a zombie, and the one that began at START.
runs() {
    [ -d /proc/self ] || { kill -0 "$1" 2>/dev/null; return; }
    read -r line 2>/dev/null <"/proc/$1/stat" || return 1
    want=${2:-}
    # shellcheck disable=SC2086
    set -- ${line##*) }
    [ "$1" != Z ] && { [ -z "$want" ] || [ "${20}" = "$want" ]; }
}

await_owner() {
    if [ "$owner" = 0 ]; then
        while read -r word <&3; do
            [ "$word" != removed ] || removed=yes
        done
    else
        while runs "$owner" "$start"; do
            sleep 1
        done
    fi
}

bounded() {
    if command -v timeout >/dev/null; then timeout 60 "$@"; else "$@"; fi
}

remove_container() {
    [ "$removed" = no ] || return 0
    if command -v docker >/dev/null && bounded docker rm --force --volumes "$container"; then
        return 0
    fi
    socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
    command -v curl >/dev/null || return 0
    case $socket in
    unix://*) bounded curl -s -X DELETE --unix-socket "${socket#unix://}" "http://docker/containers/$container?force=1&v=1" ;;
    esac
}

# What smbd starts to serve named pipes (samba-dcerpcd and its workers) is in no group of smbd's; it is told by its smb.conf.
signal_helpers() {
    for helper in $(grep -l -a -F -e "--configfile=$directory/smb.conf" /proc/[0-9]*/cmdline); do
        helper=${helper#/proc/}
        kill -s KILL "${helper%/cmdline}"
    done
}

# smbd makes a session and process group of its own, which all its children share.
signal_smbd() {
    kill -s "$1" "$child"
    kill -s "$1" -- "-$child"
}

remove_smbd() {
    signal_smbd TERM
    tries=50
    while [ $tries -gt 0 ] && runs "$child"; do
        sleep 0.1
        tries=$((tries - 1))
    done
    signal_smbd KILL
    wait "$child"
    signal_helpers
    rm -rf -- "${directory:?}"
}

clean() {
    trap '' TERM
    case $kind in
    docker) remove_container ;;
    local) remove_smbd ;;
    esac
    rm -f -- "$record"
    exit 0
}
trap clean TERM

case $kind in
docker)
    container=$1
    ;;
local)
    directory=$1 smbd=$2 preload=$3
    cd "$directory" || exit 1
    LD_PRELOAD=$preload "$smbd" --foreground --configfile="$directory/smb.conf" \
        --option="log file=$directory/log" </dev/null >>"$directory/log" 2>&1 3<&- &
    child=$!
    cd /
    echo "$child" >"$directory/smbd.new" && mv "$directory/smbd.new" "$directory/smbd"
    ;;
esac >/dev/null 2>&1
await_owner
clean >/dev/null 2>&1
