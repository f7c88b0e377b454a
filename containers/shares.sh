# Gives the shares that have permissions of their own theirs, which Samba keeps in a database: everybody (S-1-1-0) may read;
# may change; nobody may do anything.
# usage: shares.sh CONFIGURATION
set -eu
for share in share-read:ALLOWED/0/READ share-change:ALLOWED/0/CHANGE share-none:DENIED/0/FULL; do
    sharesec "${share%%:*}" --replace "S-1-1-0:${share#*:}" --configfile="$1" >/dev/null
done
