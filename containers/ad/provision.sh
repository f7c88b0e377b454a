#!/bin/sh
# Makes the domain AD.TEST, while the image is built. The administrator's password is random and kept nowhere: a container
# gets an administrator of its own from whoever started it.
set -eu
rm -f /etc/samba/smb.conf
samba-tool domain provision --server-role=dc --realm=AD.TEST --domain=ADTEST --host-name=dc1 --host-ip=127.0.0.1 \
    --use-rfc2307 --dns-backend=NONE --adminpass="$(head -c 32 /dev/urandom | base64)" \
    --option=acl_xattr:security_acl_name=user.NTACL --option=ldb:nosync=true
# Any password will do, at any time; three wrong ones lock an account.
samba-tool domain passwordsettings set --complexity=off --min-pwd-length=0 --min-pwd-age=0 --max-pwd-age=0 \
    --history-length=0 --account-lockout-threshold=3 --account-lockout-duration=30 --reset-account-lockout-after=30

# An authority for this image alone, whose key goes when its one certificate is made.
tls=/var/lib/samba/private/tls
mkdir -p "$tls"
cd "$tls"
rm -f -- *.pem
umask 077
openssl ecparam -name prime256v1 -genkey -noout -out ca-key.pem
openssl req -x509 -new -key ca-key.pem -sha256 -days 3650 -subj "/O=smb-replay/CN=smb-replay AD.TEST authority" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" -out ca.pem
openssl ecparam -name prime256v1 -genkey -noout -out key.pem
openssl req -new -key key.pem -subj "/CN=dc1.ad.test" -out request.pem
cat >extensions <<EXTENSIONS
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=DNS:dc1.ad.test,DNS:localhost,IP:127.0.0.1
EXTENSIONS
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -sha256 -days 3650 -extfile extensions \
    -out cert.pem
rm -f ca-key.pem ca.srl request.pem extensions
chmod 0644 ca.pem cert.pem
chmod 0600 key.pem

mkdir -p /srv/smb-replay/data
chmod 0755 /srv/smb-replay /srv/smb-replay/data
