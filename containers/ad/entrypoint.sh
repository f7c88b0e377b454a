#!/bin/sh
# Runs the domain controller, or with the argument "member" a member of its domain once member.sh has joined it; for at
# most SMB_REPLAY_TTL seconds: the last net under a container whose owner and keeper were both killed.
set -eu
(
    sleep "${SMB_REPLAY_TTL:-21600}"
    kill -TERM 1
) &
if [ "${1:-}" = member ]; then
    trap 'exit 0' TERM
    until [ -e /run/smb-replay-joined ]; do sleep 0.1; done
    winbindd --foreground --no-process-group --debug-stdout &
    exec smbd --foreground --no-process-group --debug-stdout
fi
grep -q dc1.ad.test /etc/hosts || echo "127.0.0.1 dc1.ad.test" >>/etc/hosts
exec samba --foreground --no-process-group --debug-stdout
