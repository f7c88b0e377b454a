//! The clients that this build has, by the names that people write.

use std::sync::Arc;

use replay_engine::Backend;

/// The backend of this name; the error says which there are.
pub(crate) fn by_name(name: &str) -> Result<Arc<dyn Backend>, String> {
    let all = smb_backends::all();
    let names: Vec<_> = all.iter().map(|backend| backend.name()).collect();
    all.into_iter()
        .find(|backend| backend.name() == name)
        .ok_or_else(|| {
            format!(
                "this build has no backend `{name}`; it has: {}",
                names.join(", ")
            )
        })
}
