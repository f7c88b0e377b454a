//! Single traces as rstest tests, as a vendor would have them beside other tests: a fixture says
//! which server, cases say what varies.

use rstest::{fixture, rstest};
use smb_replay::prelude::*;

/// The server under test. A vendor would read an address of their own here, or leave it to
/// `SMB_REPLAY_SERVER`.
#[fixture]
fn server() -> ServerSpec {
    smb_replay::servers::samba("4.17").expect("a version that there is")
}

/// One trace with each client.
#[smb_replay::replay("traces/session/echo.ir")]
#[rstest]
#[case::native("native")]
#[case::smb_rs("smb-rs")]
async fn echo(case: Case, server: ServerSpec, #[case] backend: &str) -> Verdict {
    case.on(&server).with_backend(backend).replay().await
}

/// One trace at its own pace and as fast as it goes.
#[smb_replay::replay("traces/sharemode/read-write-matrix.ir")]
#[rstest]
#[case::paced(Clock::Paced { scale: 1.0 })]
#[case::asap(Clock::Asap)]
async fn share_modes(case: Case, server: ServerSpec, #[case] clock: Clock) -> Verdict {
    case.on(&server).with_clock(clock).replay().await
}
