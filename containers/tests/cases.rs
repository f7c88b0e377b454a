//! Real servers: ready when they say so, a place of its own for each case, and nothing left in the end.

mod support;

use std::{
    os::unix::fs::MetadataExt,
    time::{Duration, Instant},
};

use samba_servers::{
    AccountState, CaseAccounts, CaseSite, Liveness, Server, Source, StartOptions, sweep,
};
use secrecy::ExposeSecret;
use support::{Trace, server, smbclient, work};

async fn open(server: &Server, case: &str) -> CaseSite {
    let begun = Instant::now();
    let site = server
        .open_case(case, &CaseAccounts::users(["alice", "bob"]))
        .await
        .expect("a case");
    println!(
        "{}: a case of two users opened in {:?}",
        server.source(),
        begun.elapsed()
    );
    site
}

async fn a_case_has_a_place_of_its_own(source: Source) {
    let begun = Instant::now();
    let Some(server) = server(source).await else {
        return;
    };
    println!(
        "{source}: started in {:?}: {}",
        begun.elapsed(),
        server.describe()
    );
    let trace = Trace::of(&server.describe());
    assert_eq!(
        (server.source(), server.is_alive().await),
        (source, Liveness::Alive)
    );

    let site = open(&server, "lock::range conflict::native").await;
    let CaseSite {
        target,
        identities,
        setup,
        ..
    } = &site;
    assert!(site.root_exists && target.root.starts_with("lock-range-conflict-native-"));
    let (alice, bob) = (&identities["alice"], &identities["bob"]);
    // What one user makes the other can change and remove, and so what the set-up account makes.
    if let Some(said) = work(target, alice, "put file a.txt; mkdir dir; ls") {
        assert!(
            said.contains("a.txt") && said.contains("dir") && !said.contains("NT_STATUS"),
            "{said}"
        );
        let said = work(target, bob, "rename a.txt b.txt; rmdir dir; del b.txt; ls")
            .expect("smbclient is there");
        assert!(
            !said.contains("NT_STATUS") && !said.contains("b.txt"),
            "{said}"
        );
        let commands = "mkdir given; cd given; put file f; put file r; setmode r +r; ls";
        let said = work(target, setup, commands).expect("smbclient is there");
        assert!(said.contains("AR") && !said.contains("NT_STATUS"), "{said}");
        if let Trace::Folder(folder) = &trace {
            // It works as the server's root, so that no ACL of a user stands in its way.
            let given = std::fs::metadata(folder.join("data").join(&target.root).join("given"))
                .expect("made");
            assert_eq!(given.uid(), rustix::process::geteuid().as_raw());
        }
        let said = work(target, bob, "cd given; del f; del r").expect("smbclient is there");
        assert!(
            said.contains("NT_STATUS_CANNOT_DELETE") && said.matches("NT_STATUS").count() == 1,
            "{said}"
        );
        let secret = alice.password.expose_secret();
        let said =
            smbclient(target, "readonly", alice, secret, "put file x").expect("smbclient is there");
        assert!(
            said.contains("NT_STATUS_MEDIA_WRITE_PROTECTED")
                || said.contains("NT_STATUS_ACCESS_DENIED"),
            "{said}"
        );
        let said = smbclient(target, "data", alice, "wrong", "ls").expect("smbclient is there");
        assert!(said.contains("NT_STATUS_LOGON_FAILURE"), "{said}");
    }
    assert!(!server.log().await.is_empty());

    // A case that is closed leaves neither accounts nor, unless kept, its directory.
    let (target, alice) = (target.clone(), alice.clone());
    let begun = Instant::now();
    site.close(false).await.expect("closed");
    println!("{source}: the case closed in {:?}", begun.elapsed());
    let other = open(&server, "other").await;
    let kept = other.target.clone();
    if let Some(said) = work(&target, &alice, "ls") {
        assert!(said.contains("NT_STATUS_LOGON_FAILURE"), "{said}");
        let said = work(&target, &other.setup, "ls").expect("smbclient is there");
        assert!(said.contains("NT_STATUS_OBJECT_NAME_NOT_FOUND"), "{said}");
        other.close(true).await.expect("closed");
        let third = open(&server, "third").await;
        let said = work(&kept, &third.setup, "ls").expect("smbclient is there");
        assert!(!said.contains("NT_STATUS"), "{said}");
        third.close(false).await.expect("closed");
    }

    let report = sweep().await;
    assert!(report.failed.is_empty(), "{report:?}");
    assert_eq!(
        server.is_alive().await,
        Liveness::Alive,
        "a sweep touches nothing that has its owner"
    );
    let begun = Instant::now();
    server.stop().await.expect("stopped");
    println!("{source}: stopped in {:?}", begun.elapsed());
    assert!(
        !trace.is_left().await && trace.has_keepers(0).await,
        "{trace:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_has_a_place_of_its_own_in_a_container() {
    a_case_has_a_place_of_its_own(Source::Docker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_has_a_place_of_its_own_on_a_private_smbd() {
    a_case_has_a_place_of_its_own(Source::Local).await;
}

/// What Samba's program net says of the groups that the server knows.
fn groups(trace: &Trace) -> String {
    let mut command = match trace {
        Trace::Container(name) => {
            let mut command = std::process::Command::new("docker");
            let config = "--configfile=/srv/smb-replay/smb.conf";
            command.args(["exec", name.as_str(), "net", config]);
            command
        }
        Trace::Folder(folder) => {
            let mut command = std::process::Command::new("/bin/sh");
            command.arg(folder.join("net"));
            command
        }
    };
    let output = command
        .args(["groupmap", "list"])
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn groups_and_states_are_a_case_s_own(source: Source) {
    let Some(server) = server(source).await else {
        return;
    };
    let trace = Trace::of(&server.describe());
    let mut wanted = CaseAccounts::users(["alice", "bob"]);
    let refused = [
        ("carol", AccountState::Disabled, "ACCOUNT_DISABLED"),
        ("dora", AccountState::LockedOut, "ACCOUNT_LOCKED_OUT"),
        ("erin", AccountState::MustChange, "PASSWORD_MUST_CHANGE"),
    ];
    for (name, state, _) in refused {
        wanted.users.insert(name.to_owned(), state);
    }
    let members = ["alice".to_owned(), "bob".to_owned()].into();
    wanted.groups.insert("finance".to_owned(), members);
    wanted
        .groups
        .insert("empty".to_owned(), std::collections::BTreeSet::new());
    let begun = Instant::now();
    let (one, two) = tokio::join!(
        server.open_case("one", &wanted),
        server.open_case("two", &wanted)
    );
    println!(
        "{source}: two cases of five users and two groups opened in {:?}",
        begun.elapsed()
    );
    let (one, two) = (one.expect("a case"), two.expect("a case"));
    let mut seen = std::collections::BTreeSet::new();
    for site in [&one, &two] {
        let known = groups(&trace);
        for (name, identity) in &site.identities {
            let sid = identity.sid.as_deref().unwrap_or_default();
            assert!(sid.starts_with("S-1-5-21-"), "{name}: {sid}");
            assert!(seen.insert(sid.to_owned()), "{name} has another's {sid}");
            let is_group = wanted.groups.contains_key(name);
            assert_eq!(known.contains(&format!("({sid})")), is_group, "{known}");
        }
        for (name, _, status) in refused {
            let Some(said) = work(&site.target, &site.identities[name], "ls") else {
                continue;
            };
            assert!(said.contains(&format!("NT_STATUS_{status}")), "{said}");
        }
        if let Some(said) = work(&site.target, &site.identities["alice"], "ls") {
            assert!(!said.contains("NT_STATUS"), "{said}");
        }
    }
    let begun = Instant::now();
    let (one, two) = tokio::join!(one.close(false), two.close(false));
    println!("{source}: closed in {:?}", begun.elapsed());
    one.expect("closed");
    two.expect("closed");
    assert_eq!(groups(&trace), "", "nothing is left of them");
    for (name, state, groups, word) in [
        ("alice", AccountState::Expired, vec![], "expired"),
        (
            "alice",
            AccountState::Enabled,
            vec![("a", vec![]), ("b", vec!["a".to_owned()])],
            "groups in groups",
        ),
    ] {
        let mut wanted = CaseAccounts::default();
        wanted.users.insert(name.to_owned(), state);
        for (group, members) in groups {
            let members = members.into_iter().collect();
            wanted.groups.insert(group.to_owned(), members);
        }
        let error = server.open_case("cannot be", &wanted).await;
        let error = error.expect_err("a standalone server").to_string();
        assert!(error.contains(word), "{error}");
    }
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_states_are_a_case_s_own_in_a_container() {
    groups_and_states_are_a_case_s_own(Source::Docker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_states_are_a_case_s_own_on_a_private_smbd() {
    groups_and_states_are_a_case_s_own(Source::Local).await;
}

async fn cases_at_the_same_time_do_not_meet(source: Source) {
    const CASES: usize = 12;
    let Some(server) = server(source).await else {
        return;
    };
    let names: Vec<String> = (0..CASES).map(|number| format!("case {number}")).collect();
    let both = CaseAccounts::users(["alice", "bob"]);
    let begun = Instant::now();
    let opened = names.iter().map(|name| server.open_case(name, &both));
    let sites: Vec<CaseSite> = futures_util::future::join_all(opened)
        .await
        .into_iter()
        .map(|site| site.expect("a case"))
        .collect();
    println!(
        "{source}: {CASES} cases opened at the same time in {:?}",
        begun.elapsed()
    );
    let accounts: std::collections::BTreeSet<_> = sites
        .iter()
        .flat_map(|site| {
            site.identities
                .values()
                .map(|identity| identity.account.clone())
        })
        .collect();
    assert_eq!(accounts.len(), 2 * CASES);
    for site in &sites {
        for identity in site.identities.values() {
            let Some(said) = work(&site.target, identity, "ls") else {
                continue;
            };
            assert!(!said.contains("NT_STATUS"), "{said}");
        }
    }
    let closed = sites.into_iter().map(|site| site.close(false));
    for result in futures_util::future::join_all(closed).await {
        result.expect("closed");
    }
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_at_the_same_time_do_not_meet_in_a_container() {
    cases_at_the_same_time_do_not_meet(Source::Docker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_at_the_same_time_do_not_meet_on_a_private_smbd() {
    cases_at_the_same_time_do_not_meet(Source::Local).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inspecting_a_container_shows_no_secret() {
    use testcontainers::bollard::query_parameters::InspectContainerOptions;

    let Some(server) = server(Source::Docker).await else {
        return;
    };
    let site = open(&server, "secrets").await;
    let Trace::Container(name) = Trace::of(&server.describe()) else {
        panic!("{}", server.describe())
    };
    let docker = testcontainers::core::client::docker_client_instance()
        .await
        .expect("an engine");
    let container = docker
        .inspect_container(&name, None::<InspectContainerOptions>)
        .await
        .expect("there");
    let mut shown = format!("{container:?}");
    for exec in container.exec_ids.unwrap_or_default() {
        shown.push_str(&format!("{:?}", docker.inspect_exec(&exec).await));
    }
    shown.push_str(&format!("{site:?}{server:?}{}", server.log().await));
    assert!(
        shown.contains("smb-replay-entrypoint"),
        "the right thing was looked at"
    );
    for identity in site.identities.values().chain([&site.setup]) {
        assert!(
            !shown.contains(identity.password.expose_secret()),
            "{}",
            identity.name
        );
    }
    server.stop().await.expect("stopped");
}

/// Ends what stands behind the server, behind its back.
async fn a_dead_server_is_noticed(source: Source) {
    let Some(server) = server(source).await else {
        return;
    };
    match Trace::of(&server.describe()) {
        Trace::Container(name) => {
            let docker = testcontainers::core::client::docker_client_instance()
                .await
                .expect("an engine");
            docker
                .kill_container(
                    &name,
                    None::<testcontainers::bollard::query_parameters::KillContainerOptions>,
                )
                .await
                .expect("killed");
        }
        Trace::Folder(folder) => {
            let pid = std::fs::read_to_string(folder.join("smbd"))
                .expect("its number")
                .trim()
                .parse()
                .expect("a number");
            support::kill(pid);
        }
    }
    let begun = Instant::now();
    let liveness = loop {
        match server.is_alive().await {
            Liveness::Gone { reason } => break reason,
            other => assert!(begun.elapsed() < Duration::from_secs(5), "{other:?}"),
        }
    };
    println!("{source}: noticed after {:?}: {liveness}", begun.elapsed());
    if source == Source::Docker {
        assert!(
            server
                .open_case("late", &CaseAccounts::users(["alice"]))
                .await
                .is_err(),
            "no server, no case"
        );
    }
    assert!(
        !server.log().await.is_empty(),
        "its last words are still there"
    );
    let trace = Trace::of(&server.describe());
    server
        .stop()
        .await
        .expect("nothing is left to remove, or it is removed");
    assert!(!trace.is_left().await && trace.has_keepers(0).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_container_is_noticed() {
    a_dead_server_is_noticed(Source::Docker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_private_smbd_is_noticed() {
    a_dead_server_is_noticed(Source::Local).await;
}

#[tokio::test]
async fn a_source_that_cannot_give_the_server_says_why_and_what_helps() {
    let options = StartOptions {
        sources: vec![Source::Local],
        ..StartOptions::default()
    };
    // The machine has one version at most, and 4.13 is not of the distribution that these tests know.
    let error = support::no_server("samba-4.13", &options).await.to_string();
    assert!(
        error.contains("samba-4.13") && error.contains("local: smbd failed"),
        "{error}"
    );
    assert!(error.contains("cargo xtask regressions"), "{error}");

    let extra = vec!["[evil]".to_owned()];
    let options = StartOptions {
        sources: vec![Source::Local],
        any_version: true,
        extra,
        ..StartOptions::default()
    };
    let error = support::no_server(support::SPEC, &options)
        .await
        .to_string();
    assert!(
        error.contains("[evil]") || error.contains("smbd failed"),
        "{error}"
    );

    let external = "smb://127.0.0.1:1/data";
    let begun = Instant::now();
    let error = support::no_server(external, &StartOptions::default())
        .await
        .to_string();
    assert!(
        error.contains("external") && error.contains(external) && begun.elapsed().as_secs() < 10,
        "{error}"
    );
}
