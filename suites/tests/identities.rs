//! The traces about identities and access in an Active Directory domain, by NTLM and by Kerberos.

use smb_replay::prelude::*;

#[smb_replay::suite(
    traces = ["traces/identity*/**/*.ir", "traces/access*/**/*.ir"],
    backends = [native],
    servers = [samba_ad(), samba_ad_kerberos()],
    known = "known-failures-ad.toml",
)]
async fn identities(case: Case) -> Verdict {
    case.replay().await
}
