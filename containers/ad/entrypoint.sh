#!/bin/sh
# Runs the domain controller, for at most SMB_REPLAY_TTL seconds: the last net under a container whose owner and keeper
# were both killed.
set -eu
(
    sleep "${SMB_REPLAY_TTL:-21600}"
    kill -TERM 1
) &
grep -q dc1.ad.test /etc/hosts || echo "127.0.0.1 dc1.ad.test" >>/etc/hosts
exec samba --foreground --no-process-group --debug-stdout
