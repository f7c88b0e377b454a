# Makes and removes a case's accounts and directory, in one go; runs in the container or beside the private smbd.
# usage: case.sh DIR PASSWD open ROOT      with a line "ACCOUNT GROUP NTHASH" for each account on standard input
#        case.sh DIR PASSWD close ROOT|-   with a line "ACCOUNT" for each account
# PASSWD is appended to in one write, and its modification time then moves on by a second at least: libnss_wrapper reads
# a file again when that time has changed, in whole seconds, and does not notice on every file system (overlays) that a
# file was replaced. An account that is gone stays in it without a password, so nobody can log in as it. The passwords'
# file is replaced, so that readers see the old or the new one.
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
        entries="$entries$account:x:$uid:$group::/nonexistent:/bin/false
"
        echo "$account:$uid:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:$hash:[U          ]:LCT-$now:" >>"$smbpasswd.new"
        uid=$((uid + 1))
    done
    before=$(stat -c %Y "$passwd")
    printf %s "$entries" >>"$passwd"
    after=$(stat -c %Y "$passwd")
    [ "$after" -gt "$before" ] || after=$before
    touch -d "@$((after + 1))" "$passwd"
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
