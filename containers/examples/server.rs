//! Starts the server that the environment gives, opens a case, and holds both until it is asked to end.
//!
//! `cargo run -p samba-servers --example server -- [samba-4.17]`; Ctrl-C ends it. It prints where the server is, and how
//! long each part took; the account's password goes to the file that the second argument names, in smbclient's form.

use std::{
    error::Error, fs, io::Write, os::unix::fs::OpenOptionsExt, process::ExitCode, sync::Arc,
    time::Instant,
};

use samba_servers::{CaseAccounts, ServerSpec, StartOptions, shutdown_signal, start};
use secrecy::ExposeSecret;

#[tokio::main]
async fn main() -> ExitCode {
    run().await.unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let spec: ServerSpec = arguments
        .next()
        .as_deref()
        .unwrap_or("samba-4.17")
        .parse()?;
    let mut options = StartOptions::from_env()?;
    options.progress = Some(Arc::new(|line| eprintln!("{line}")));

    let begun = Instant::now();
    let server = start(&spec, &options).await?;
    println!("{} ({:?})", server.describe(), begun.elapsed());
    let begun = Instant::now();
    let site = server
        .open_case("example", &CaseAccounts::users(["alice"]))
        .await?;
    println!(
        "case at {}/{} ({:?})",
        site.target.share,
        site.target.root,
        begun.elapsed()
    );
    if let (Some(path), Some(alice)) = (arguments.next(), site.identities.get("alice")) {
        let mut file = fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        writeln!(
            file,
            "username = {}\npassword = {}",
            alice.account,
            alice.password.expose_secret()
        )?;
    }
    let code = shutdown_signal().await;
    site.close(false).await?;
    server.stop().await?;
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
