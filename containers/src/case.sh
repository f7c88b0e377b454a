# Makes and removes a case's accounts and directory, in one go; runs in the container or beside the private smbd.
# usage: case.sh DIR PASSWD open ROOT      with a line "ACCOUNT GROUP NTHASH" for each account on standard input
#        case.sh DIR PASSWD close ROOT|-   with a line "ACCOUNT" for each account
# Files are replaced, never edited in place: readers see the old or the new one, and libnss_wrapper reads a replaced
# file again at once but misses an edit within the same second.
set -eu
dir=$1 passwd=$2 action=$3 root=$4
smbpasswd=$dir/private/smbpasswd
exec 9>"$dir/lock/cases"
flock -w 20 9
umask 077
cp "$passwd" "$passwd.new"
chmod 0644 "$passwd.new"
cp "$smbpasswd" "$smbpasswd.new"
case $action in
open)
    uid=210000
    [ ! -f "$dir/private/next-uid" ] || read -r uid <"$dir/private/next-uid"
    now=$(printf %08X "$(date +%s)")
    while read -r account group hash; do
        echo "$account:x:$uid:$group::/nonexistent:/bin/false" >>"$passwd.new"
        echo "$account:$uid:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:$hash:[U          ]:LCT-$now:" >>"$smbpasswd.new"
        uid=$((uid + 1))
    done
    echo "$uid" >"$dir/private/next-uid"
    mkdir -m 0777 "$dir/data/$root"
    ;;
close)
    script=
    while read -r account; do
        script="$script;/^$account:/d"
    done
    sed "$script" <"$passwd" >"$passwd.new"
    sed "$script" <"$smbpasswd" >"$smbpasswd.new"
    [ "$root" = - ] || rm -rf -- "${dir:?}/data/${root:?}"
    ;;
esac
mv -f "$passwd.new" "$passwd"
mv -f "$smbpasswd.new" "$smbpasswd"
