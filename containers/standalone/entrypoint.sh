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
exec smbd --foreground --no-process-group --debug-stdout --configfile=/srv/smb-replay/smb.conf
