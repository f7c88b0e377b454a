//! The traces about access, and those about mechanisms and channels, on a member server of the domain: it knows its users
//! from the controller, and takes tickets for a service of its own.

use smb_replay::prelude::*;

#[smb_replay::suite(
    traces = ["traces/access*/**/*.ir", "traces/identity*/mechanism-*.ir", "traces/identity*/channels-*.ir"],
    backends = [native],
    servers = [samba_ad_member(), samba_ad_member_kerberos()],
    known = "known-failures-member.toml",
)]
async fn member(case: Case) -> Verdict {
    case.replay().await
}
