//! How the benches begin: the numbers of their command line, a server with a place on it, and smbtorture beside ours.

use std::io::{self, Seek as _, Write as _};
use std::path::Path;
use std::process::Command;

use samba_servers::{CaseAccounts, CaseSite, Server, ServerSpec, StartOptions};
use secrecy::ExposeSecret as _;

/// The numbers among the arguments; cargo puts words of its own between them.
pub(crate) struct Numbers(Vec<u64>);

impl Numbers {
    pub(crate) fn of_the_command_line() -> Self {
        let arguments = std::env::args();
        Self(
            arguments
                .filter_map(|argument| argument.parse().ok())
                .collect(),
        )
    }

    /// The one in this place, or what stands for it where there is none.
    pub(crate) fn at(&self, place: usize, default: u64) -> u64 {
        self.0.get(place).copied().unwrap_or(default)
    }
}

/// Starts a server with `extra` lines of smb.conf, lets the bench run in a case's place with accounts for `users`, and
/// removes both. Without a server it says why and that is all.
pub(crate) fn on_a_server(
    extra: Vec<String>,
    users: &[&str],
    bench: impl AsyncFnOnce(&Server, &CaseSite),
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let spec = ServerSpec::samba("4.17").expect("a known version");
        let options = StartOptions::from_env().expect("the environment is in order");
        let options = StartOptions {
            any_version: true,
            extra,
            ..options
        };
        let server = match samba_servers::start(&spec, &options).await {
            Ok(server) => server,
            Err(error) => return println!("there is no server: {error}"),
        };
        let users = CaseAccounts::users(users.iter().copied());
        let site = server.open_case("bench", &users).await.expect("a place");
        println!("server: {}", server.describe());
        bench(&server, &site).await;
        site.close(false).await.expect("the place is cleaned up");
        server.stop().await.expect("the server stops");
    });
}

/// smbtorture on a share of the site's server, as alice. It works in `folder`, since an interrupted one leaves a directory
/// where it was started.
pub(crate) fn smbtorture(site: &CaseSite, share: &str, folder: &Path) -> io::Result<Command> {
    let (address, identity) = (site.target.address, &site.identities["alice"]);
    // The password goes by a file that has no name: arguments can be seen by everybody.
    let mut account = tempfile::tempfile()?;
    write!(
        account,
        "username={}\npassword={}\ndomain={}\n",
        identity.account,
        identity.password.expose_secret(),
        identity.domain
    )?;
    account.rewind()?;
    let mut command = Command::new("smbtorture");
    command
        .current_dir(folder)
        .arg(format!("//{}/{share}", address.ip()))
        .args(["-p", &address.port().to_string(), "-A", "/dev/stdin"])
        .stdin(account);
    Ok(command)
}
