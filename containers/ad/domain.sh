# Makes an administrator for the process that runs this in a domain controller's container, and waits until the
# controller is ready: LDAPS answers with a certificate that its authority vouches for, and a login to the share works.
# usage: domain.sh - - ACCOUNT SECONDS     with the password on standard input
# prints the authority's certificate
set -eu
account=$3 seconds=$4
read -r password
private=/var/lib/samba/private
umask 077
quoted=$(printf '"%s"' "$password" | iconv -t UTF-16LE | base64 -w 0)
base=DC=ad,DC=test
ldbmodify -H "$private/sam.ldb" >/dev/null <<LDIF
dn: CN=$account,CN=Users,$base
changetype: add
objectClass: user
sAMAccountName: $account
userPrincipalName: $account@ad.test
unicodePwd:: $quoted
userAccountControl: 66048

dn: CN=Domain Admins,CN=Users,$base
changetype: modify
add: member
member: CN=$account,CN=Users,$base
LDIF
end=$(($(date +%s) + seconds))
ready() {
    ldbsearch -H ldaps://dc1.ad.test --option="tls cafile=$private/tls/ca.pem" --option="tls verify peer=ca_and_name" \
        -b "" -s base dnsHostName 2>&1 && printf 'username=%s\npassword=%s\ndomain=ADTEST\n' "$account" "$password" |
        smbclient //127.0.0.1/data --authentication-file=/dev/stdin --command=exit 2>&1
}
until said=$(ready); do
    if [ "$(date +%s)" -ge "$end" ]; then
        echo "not ready after $seconds s: $said" >&2
        exit 1
    fi
    sleep 0.1
done
cat "$private/tls/ca.pem"
