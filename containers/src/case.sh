# Makes and removes a case's accounts and directory, in one go; runs in the container or beside the private smbd.
# usage: case.sh DIR PASSWD open ROOT      with a line "ACCOUNT GROUP NTHASH" for each account on standard input
#        case.sh DIR PASSWD close ROOT|-   with a line "ACCOUNT" for each account
# An account that PASSWD already has is only given a password, and PASSWD stays as it is; others are added to it. A private
# server has all its accounts from the start: its processes read the file through libnss_wrapper by a descriptor that
# they inherit, so that two of them that read a changed file again at the same time get a part of it each. An account
# that is gone stays in PASSWD without a password, so nobody can log in as it. The passwords' file is replaced, so that
# readers see the old or the new one.
set -eu
dir=$1 passwd=$2 action=$3 root=$4
smbpasswd=$dir/private/smbpasswd
exec 9>"$dir/lock/cases"
flock -w 20 9
umask 077
cp "$smbpasswd" "$smbpasswd.new"
case $action in
open)
    uid=210000
    [ ! -f "$dir/private/next-uid" ] || read -r uid <"$dir/private/next-uid"
    now=$(printf %08X "$(date +%s)")
    entries=
    while read -r account group hash; do
        if known=$(grep -m 1 "^$account:" "$passwd"); then
            if grep -q "^$account:" "$smbpasswd.new"; then
                echo "$account is taken" >&2
                exit 1
            fi
            its=${known#*:*:}
            its=${its%%:*}
        else
            its=$uid
            uid=$((uid + 1))
            entries="$entries$account:x:$its:$group::/nonexistent:/bin/false
"
        fi
        echo "$account:$its:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:$hash:[U          ]:LCT-$now:" >>"$smbpasswd.new"
    done
    [ -z "$entries" ] || printf %s "$entries" >>"$passwd"
    echo "$uid" >"$dir/private/next-uid"
    mkdir -m 0777 "$dir/data/$root"
    ;;
close)
    script=
    while read -r account; do
        script="$script;/^$account:/d"
    done
    sed "$script" <"$smbpasswd" >"$smbpasswd.new"
    [ "$root" = - ] || rm -rf -- "${dir:?}/data/${root:?}"
    ;;
esac
mv -f "$smbpasswd.new" "$smbpasswd"
