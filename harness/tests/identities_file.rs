//! A server that is not ours: the users and groups of a trace are those of the identities file, and what the file lacks is told.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{command, is_required, text};
use replay_engine::Identity;
use samba_servers::{AccountState, CaseAccounts, ServerSpec, StartOptions, start};
use secrecy::ExposeSecret;

const TRACE: &str = "ir 1\nneeds acls groups account-states\nclient A user=alice groups=finance\nclient B user=bob\n\
    client C user=carol\ngiven user carol state=disabled\n\
    given file \"f\" size=4 sd=\"D:P(D;;FA;;;$carol)(A;;FA;;;$finance)\"\n\
    A create f \"f\" access=rw -> OK\n\
    A query-security f dacl -> OK dacl=\"P(D;;FA;;;$carol)(A;;FA;;;$finance)\"\n\
    B create g \"f\" access=r -> ACCESS_DENIED\nC connect -> ACCOUNT_DISABLED\n";

/// A case of another run is what the lab has: its accounts and its group.
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_s_groups_are_those_of_the_file() {
    let options = StartOptions::from_env().expect("the environment is in order");
    let spec: ServerSpec = "samba-4.17".parse().expect("known");
    let server = match start(&spec, &options).await {
        Ok(server) if !server.is_external() => server,
        Ok(_) => return eprintln!("not tested: the server has accounts of its own"),
        Err(error) => {
            assert!(!is_required(), "a server is required: {error}");
            return eprintln!("not tested: {error}");
        }
    };
    let mut wanted = CaseAccounts::users(["alice", "bob", "carol"]);
    let disabled = ("carol".to_owned(), AccountState::Disabled);
    wanted.users.extend([disabled]);
    let members = ["alice".to_owned()].into();
    wanted.groups.insert("finance".to_owned(), members);
    let site = server.open_case("lab", &wanted).await.expect("a case");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("t.ir"), TRACE).expect("written");
    let file = folder.path().join("identities.toml");
    let address = format!("smb://{}/data", server.address());
    let replay = || {
        let output = command(folder.path(), &["run", "--server", &address, "t.ir"])
            .env("SMB_REPLAY_IDENTITIES", &file)
            .output()
            .expect("it runs");
        let said = text(&output.stdout) + &text(&output.stderr);
        for identity in site.identities.values().chain([&site.setup]) {
            let password = identity.password.expose_secret();
            assert!(password.is_empty() || !said.contains(password), "{said}");
        }
        (output.status.code(), said)
    };
    let mut tables = BTreeMap::from([("setup", table(&site.setup, None))]);
    for (name, identity) in &site.identities {
        tables.insert(
            name,
            table(identity, wanted.groups.get(name).map(|_| "group")),
        );
    }
    write(&file, &tables);
    let (code, said) = replay();
    assert_eq!(code, Some(0), "{said}");

    let group = tables.remove("finance").expect("made");
    write(&file, &tables);
    let (code, said) = replay();
    assert_eq!(code, Some(4), "{said}");
    for word in [
        "\"finance\" is a group",
        "[finance]",
        "`sid`",
        "docs/servers.md",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    tables.insert("finance", group);
    let carol = tables.remove("carol").expect("made");
    tables.insert("\"*\"", carol);
    write(&file, &tables);
    let (code, said) = replay();
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains("[carol]") && said.contains("disabled"),
        "{said}"
    );
    site.close(false).await.expect("closed");
    server.stop().await.expect("stopped");
}

/// The lines of an identity's table: of a group, or of an account.
fn table(identity: &Identity, group: Option<&str>) -> String {
    let mut text = String::new();
    let key = group.unwrap_or("account");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{key} = \"{}\"", identity.account);
    if group.is_none() {
        let _ = writeln!(text, "password = \"{}\"", identity.password.expose_secret());
    }
    if let Some(sid) = &identity.sid {
        let _ = writeln!(text, "sid = \"{sid}\"");
    }
    text
}

fn write(file: &Path, tables: &BTreeMap<&str, String>) {
    let mut text = String::new();
    for (name, lines) in tables {
        let _ = writeln!(text, "[{name}]\n{lines}");
    }
    std::fs::write(file, text).expect("written");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("ours");
}
