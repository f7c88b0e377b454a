//! `smb-replay sweep`.

use super::{Exit, output, say};

/// Removes what killed runs left, and says what that was.
pub(super) fn sweep() -> Exit {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(format_args!("no threads can be made: {error}"));
            return Exit::Broken;
        }
    };
    let swept = runtime.block_on(samba_servers::sweep());
    let mut text: String = swept
        .removed
        .iter()
        .map(|line| format!("removed {line}\n"))
        .collect();
    if text.is_empty() {
        text = "nothing was left behind\n".to_owned();
    }
    for trouble in &swept.failed {
        say(trouble);
    }
    match output::write(&text) && swept.failed.is_empty() {
        true => Exit::Passed,
        false => Exit::Broken,
    }
}
