#!/bin/sh
# Serves the configuration that was copied to /srv/smb-replay/smb.conf, for at most SMB_REPLAY_TTL seconds: the last
# net under a container whose owner and keeper were both killed.
set -eu
cd /srv/smb-replay
mkdir -p private state cache lock pid ncalrpc binddns data
chmod 0755 . data ncalrpc
chmod 0700 private
(umask 077 && : >>private/smbpasswd)
(
    sleep "${SMB_REPLAY_TTL:-21600}"
    kill -TERM 1
) &
# The option's name before Samba 4.15 was another.
stdout=--debug-stdout
smbd --help 2>&1 | grep -q -e "$stdout" || stdout=--log-stdout
exec smbd --foreground --no-process-group "$stdout" --configfile=/srv/smb-replay/smb.conf
