# Joins a container to the domain of dc1.ad.test, which is not one's own but another container's, and waits until it is
# ready: a login to the share works.
# usage: member.sh - - NAME ACCOUNT SECONDS     with the password of the domain's administrator ACCOUNT on standard input
set -eu
name=$3 account=$4 seconds=$5
read -r password
end=$(($(date +%s) + seconds))
credentials() {
    printf 'username=%s\npassword=%s\ndomain=ADTEST\n' "$account" "$password"
}
lower=$(printf %s "$name" | tr '[:upper:]' '[:lower:]')
# The image is the controller's, provisioned; nothing of that is this one's.
shares=$(mktemp -d)
mv /var/lib/samba/share_info.tdb "$shares/"
# A file system of layers now and then says of an empty directory that it is not.
until said=$(rm -rf /var/lib/samba /run/samba /var/cache/samba 2>&1); do
    if [ "$(date +%s)" -ge "$end" ]; then
        echo "$said" >&2
        exit 1
    fi
    sleep 0.1
done
mkdir -p /var/lib/samba/private /run/samba /var/cache/samba
chmod 0700 /var/lib/samba/private
mv "$shares/share_info.tdb" /var/lib/samba/
rmdir "$shares"
sed "s/@NAME@/$name/" </etc/samba/member.conf >/etc/samba/smb.conf
sed -i 's/^\(passwd\|group\):.*/& winbind/' /etc/nsswitch.conf
echo "127.0.0.1 $lower.ad.test $lower" >>/etc/hosts
cat >/etc/krb5.conf <<KRB5
[libdefaults]
    default_realm = AD.TEST
    dns_lookup_kdc = false
    dns_lookup_realm = false
[realms]
    AD.TEST = {
        kdc = tcp/dc1.ad.test
    }
KRB5
until said=$(credentials | net ads join -S dc1.ad.test --authentication-file=/dev/stdin --no-dns-updates 2>&1); do
    if [ "$(date +%s)" -ge "$end" ]; then
        echo "not joined after $seconds s: $said" >&2
        exit 1
    fi
    sleep 0.5
done
: >/run/smb-replay-joined
until said=$(credentials | smbclient //127.0.0.1/data --authentication-file=/dev/stdin --command=exit 2>&1); do
    if [ "$(date +%s)" -ge "$end" ]; then
        echo "not ready after $seconds s: $said" >&2
        exit 1
    fi
    sleep 0.1
done
