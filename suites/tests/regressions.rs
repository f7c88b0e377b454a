//! Every trace in `traces/`, with both clients, on Samba 4.17.

use smb_replay::prelude::*;

#[smb_replay::suite(
    traces = "traces/**/*.ir",
    backends = [native, smb_rs],
    servers = [samba("4.17")],
    known = "known-failures.toml",
)]
async fn regressions(case: Case) -> Verdict {
    case.replay().await
}
