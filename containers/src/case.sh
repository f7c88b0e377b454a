# Makes and removes a case's accounts and directory, in one go; runs in the container or beside the private smbd.
# usage: case.sh DIR PASSWD open ROOT TELL  with a line on standard input for each user and group:
#          user ACCOUNT GID FLAGS now|never NTHASH
#          group ACCOUNT MEMBER...
#        prints "ACCOUNT SID" for each of them if TELL is yes
#        case.sh DIR PASSWD close ROOT|-    with a line "user ACCOUNT" or "group ACCOUNT MEMBER..." for each
# An account that PASSWD already has is only given a password, and PASSWD stays as it is; others are added to it. A private
# server has all its accounts from the start: its processes read the file through libnss_wrapper by a descriptor that
# they inherit, so that two of them that read a changed file again at the same time get a part of it each. An account
# that is gone stays in PASSWD without a password, so nobody can log in as it. The passwords' file is replaced, so that
# readers see the old or the new one.
# A group is a local group of Samba's (an alias in its database of groups, where its members are), mapped to a group of
# the file group(5) beside PASSWD, which has no members and is handled as PASSWD is.
set -eu
dir=$1 passwd=$2 action=$3 root=$4 tell=${5:-no}
group=${passwd%/*}/group
smbpasswd=$dir/private/smbpasswd
taken=$dir/private/groups
exec 9>"$dir/lock/cases"
flock -w 20 9
umask 077
cp "$smbpasswd" "$smbpasswd.new"

# samba_net ARGUMENT...: Samba's program net, for this server.
samba_net() {
    if [ -x "$dir/net" ]; then
        "$dir/net" "$@"
    else
        net --configfile="$dir/smb.conf" "$@"
    fi </dev/null 9>&-
}

# number NAME FILE: the number that passwd(5) or group(5) has for a name; nothing if it has none.
number() {
    known=$(grep -m 1 "^$1:" "$2") || return 0
    known=${known#*:*:}
    echo "${known%%:*}"
}

# Samba's passdb without identifiers of its own makes them of numbers: 2 n + 1000 of a user's, 2 n + 1001 of a group's.
user_sid() {
    echo "$server_sid-$((2 * $(number "$1" "$passwd") + 1000))"
}

group_sid() {
    echo "$server_sid-$((2 * $(number "$1" "$group") + 1001))"
}

find_server_sid() {
    if [ ! -s "$dir/private/sid" ]; then
        said=$(samba_net getlocalsid)
        echo "${said##*: }" >"$dir/private/sid"
    fi
    read -r server_sid <"$dir/private/sid"
}

case $action in
open)
    uid=210000 gid=220000
    [ ! -f "$dir/private/next" ] || read -r uid gid <"$dir/private/next"
    now=$(printf %08X "$(date +%s)")
    users='' groups='' new_users='' new_groups=''
    while read -r kind account rest; do
        case $kind in
        user)
            # shellcheck disable=SC2086
            set -- $rest
            its=$(number "$account" "$passwd")
            if [ -z "$its" ]; then
                its=$uid
                uid=$((uid + 1))
                new_users="$new_users$account:x:$its:$1::/nonexistent:/bin/false
"
            elif grep -q "^$account:" "$smbpasswd.new"; then
                echo "$account is taken" >&2
                exit 1
            fi
            changed=$now
            [ "$3" = now ] || changed=00000000
            printf '%s:%s:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:%s:[%-11s]:LCT-%s:\n' \
                "$account" "$its" "$4" "$2" "$changed" >>"$smbpasswd.new"
            users="$users $account"
            ;;
        group)
            if [ -z "$(number "$account" "$group")" ]; then
                new_groups="$new_groups$account:x:$gid:
"
                gid=$((gid + 1))
            elif [ -f "$taken" ] && grep -q -x "$account" "$taken"; then
                echo "$account is taken" >&2
                exit 1
            fi
            groups="$groups$account $rest
"
            ;;
        esac
    done
    [ -z "$new_users" ] || printf %s "$new_users" >>"$passwd"
    [ -z "$new_groups" ] || printf %s "$new_groups" >>"$group"
    echo "$uid $gid" >"$dir/private/next"
    if [ "$tell" = yes ]; then
        find_server_sid
        for account in $users; do
            echo "$account $(user_sid "$account")"
        done
    fi
    printf %s "$groups" | while read -r account members; do
        # Before its members: one that is half made is given to nobody else.
        echo "$account" >>"$taken"
        sid=$(group_sid "$account")
        samba_net groupmap add type=local unixgroup="$account" ntgroup="$account" sid="$sid" >/dev/null
        for member in $members; do
            samba_net groupmap addmem "$sid" "$(user_sid "$member")" >/dev/null
        done
        echo "$account $sid"
    done
    mkdir -m 0777 "$dir/data/$root"
    ;;
close)
    script=
    while read -r kind account members; do
        case $kind in
        user) script="$script;/^$account:/d" ;;
        group)
            find_server_sid
            sid=$(group_sid "$account")
            # One that is half made lacks the rest.
            for member in $members; do
                samba_net groupmap delmem "$sid" "$(user_sid "$member")" >/dev/null || :
            done
            samba_net groupmap delete sid="$sid" >/dev/null
            sed "/^$account\$/d" <"$taken" >"$taken.new"
            mv -f "$taken.new" "$taken"
            ;;
        esac
    done
    sed "$script" <"$smbpasswd" >"$smbpasswd.new"
    [ "$root" = - ] || rm -rf -- "${dir:?}/data/${root:?}"
    ;;
esac
mv -f "$smbpasswd.new" "$smbpasswd"
