//! Domain controllers of ours, for tests that need one.

use samba_servers::{Server, ServerSpec, Source, StartOptions, start};

/// A controller of the test's own, its image built if need be; `None` where there can be none and none is required.
pub(crate) async fn controller() -> Option<Server> {
    let missing = match ldap_provision::available() {
        Err(error) => error.to_string(),
        Ok(()) => {
            let options = StartOptions {
                sources: vec![Source::Docker],
                ..StartOptions::default()
            };
            match start(&ServerSpec::samba_ad(), &options).await {
                Ok(server) => return Some(server),
                Err(error) => error.to_string(),
            }
        }
    };
    assert!(!super::is_required(), "missing: {missing}");
    println!("skipped: {missing}");
    None
}
