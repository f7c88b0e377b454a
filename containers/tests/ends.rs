//! Servers end with their owners, however those end.

mod support;

use std::{io::Write, process::Command, time::Duration};

use samba_servers::{
    CaseAccounts, Liveness, ServerSpec, Source, StartOptions, shutdown_signal, start, sweep,
};
use support::{Helper, Trace, helper, kill, server, shell_called, skip};

/// How long a keeper may take: it looks once a second at the longest.
const SOON: Duration = Duration::from_secs(15);

/// Not a test: a process that starts what its environment asks for, says what it has, and does as it is told on its
/// standard input: `stop`, `panic`, `wait` for a signal, or nothing at all.
#[test]
#[ignore = "a helper of the other tests"]
fn hold() {
    let Ok(spec) = std::env::var("HOLD") else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let code = runtime.block_on(async {
        let spec: ServerSpec = spec.parse().expect("known");
        let server = match start(&spec, &StartOptions::from_env().expect("good variables")).await {
            Ok(server) => server,
            Err(error) => {
                println!("said: none: {}", error.to_string().replace('\n', " "));
                return 0;
            }
        };
        let site = server
            .open_case("held", &CaseAccounts::users(["alice"]))
            .await
            .expect("a case");
        println!("said: {}", server.describe());
        println!("said: {}", site.identities["alice"].account);
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).expect("a line");
        match line.trim() {
            "stop" => server.stop().await.expect("stopped"),
            "panic" => panic!("as asked"),
            "wait" => {
                let signal = shutdown_signal();
                println!("said: waiting");
                let code = signal.await;
                server.stop().await.expect("stopped");
                return code;
            }
            _ => {}
        }
        0
    });
    drop(runtime);
    if code != 0 {
        std::process::exit(code);
    }
}

/// A process that holds a server, and that server; `None` where the machine cannot give one.
fn held(source: Source) -> Option<(Helper, Trace)> {
    let variables = [
        ("HOLD", support::SPEC),
        ("SMB_REPLAY_SOURCE", source.name()),
    ];
    let helper = helper("hold", &variables);
    let said = helper.says().expect("it says what it has");
    if let Some(reason) = said.strip_prefix("none: ") {
        skip(&reason);
        return None;
    }
    helper.says().expect("it says its account");
    Some((helper, Trace::of(&said)))
}

fn tell(helper: &mut Helper, word: &str) {
    let pipe = helper.child.stdin.as_mut().expect("piped");
    pipe.write_all(format!("{word}\n").as_bytes())
        .expect("it listens");
}

async fn a_killed_owner_leaves_nothing(source: Source) {
    let Some((mut helper, trace)) = held(source) else {
        return;
    };
    assert!(
        trace.is_left().await && trace.has_keepers(1).await,
        "{trace:?}"
    );
    helper.kill();
    assert!(trace.is_gone_within(SOON).await, "{trace:?}");
}

async fn a_panic_leaves_nothing(source: Source) {
    let Some((mut helper, trace)) = held(source) else {
        return;
    };
    tell(&mut helper, "panic");
    let status = helper.child.wait().expect("it ends");
    assert!(!status.success());
    assert!(trace.is_gone_within(SOON).await, "{trace:?}");
}

async fn a_signal_is_answered_after_the_server_is_gone(source: Source) {
    let Some((mut helper, trace)) = held(source) else {
        return;
    };
    tell(&mut helper, "wait");
    assert_eq!(helper.says().as_deref(), Some("waiting"));
    let signalled = Command::new("kill")
        .args(["-INT", &helper.child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(signalled.success());
    assert_eq!(helper.child.wait().expect("it ends").code(), Some(130));
    assert!(!trace.is_left().await, "it was awaited: {trace:?}");
}

async fn a_sweep_removes_what_a_killed_keeper_left(source: Source) {
    let Some((mut helper, trace)) = held(source) else {
        return;
    };
    let Some(alive) = server(source).await else {
        return;
    };
    for keeper in trace.keepers() {
        kill(keeper);
    }
    helper.kill();
    assert!(
        trace.has_keepers(0).await,
        "nobody else is there to remove it"
    );
    // Every start sweeps, so that another test's may do it before this one.
    let report = sweep().await;
    println!("{report:?}");
    assert!(trace.is_gone_within(SOON).await, "{report:?}");
    assert!(report.failed.is_empty(), "{report:?}");
    assert_eq!(
        alive.is_alive().await,
        Liveness::Alive,
        "what has its owner stays"
    );
    alive.stop().await.expect("stopped");
}

async fn a_run_shares_one_server_and_it_ends_with_the_run(source: Source) {
    let folder = tempfile::tempdir().expect("a folder");
    let run = format!("test-{}-{source}", std::process::id());
    let program = std::env::current_exe().expect("this test");
    let stop = folder.path().join("stop");
    std::fs::write(&stop, "stop\n").expect("written");
    // Two processes of the run start at the same time and end at once, then a third; the runner goes on.
    // Simple commands, so that the shell itself is the processes' parent.
    let script = r#"
        "$0" --exact hold --ignored --nocapture <"$1" &
        "$0" --exact hold --ignored --nocapture <"$1" &
        wait
        "$0" --exact hold --ignored --nocapture <"$1"
        echo "said: idle"
        while read -r line; do :; done
    "#;
    let mut runner = Helper::spawn(
        Command::new(shell_called(folder.path(), "cargo-nextest"))
            .args(["-c", script])
            .args([&program, &stop])
            .env("HOLD", support::SPEC)
            .env("SMB_REPLAY_SOURCE", source.name())
            .env("NEXTEST_RUN_ID", &run),
    );
    let mut servers = std::collections::BTreeSet::new();
    let mut accounts = std::collections::BTreeSet::new();
    loop {
        let said = runner.says().expect("three processes say what they have");
        if let Some(reason) = said.strip_prefix("none: ") {
            skip(&reason);
            return;
        }
        match said.as_str() {
            "idle" => break,
            said if said.contains(' ') => servers.insert(said.to_owned()),
            said => accounts.insert(said.to_owned()),
        };
    }
    assert_eq!((servers.len(), accounts.len()), (1, 3), "{servers:?}");
    let trace = Trace::of(&servers.pop_first().expect("one"));
    assert!(trace.is_left().await, "the run goes on");
    assert!(trace.has_keepers(1).await, "{:?}", trace.keepers());
    runner.kill();
    assert!(trace.is_gone_within(SOON).await, "{trace:?}");
}

macro_rules! for_both_sources {
    ($($name:ident: $in_container:ident, $on_smbd:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $in_container() {
            $name(Source::Docker).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $on_smbd() {
            $name(Source::Local).await;
        }
    )*};
}

for_both_sources! {
    a_killed_owner_leaves_nothing: a_killed_owner_leaves_no_container, a_killed_owner_leaves_no_smbd;
    a_panic_leaves_nothing: a_panic_leaves_no_container, a_panic_leaves_no_smbd;
    a_signal_is_answered_after_the_server_is_gone: a_signal_ends_the_container, a_signal_ends_the_smbd;
    a_sweep_removes_what_a_killed_keeper_left: a_sweep_removes_a_container, a_sweep_removes_an_smbd;
    a_run_shares_one_server_and_it_ends_with_the_run: a_run_shares_one_container, a_run_shares_one_smbd;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_ones_own_is_used_with_its_own_accounts() {
    let Some(server) = server(Source::Local).await else {
        return;
    };
    let address = format!("smb://{}/data/below", server.address());
    let variables = [
        ("HOLD", support::SPEC),
        ("SMB_REPLAY_SERVER", address.as_str()),
        ("SMB_REPLAY_USER", "somebody"),
        ("SMB_REPLAY_PASSWORD", "secret"),
    ];
    let external = helper("hold", &variables);
    let said = external.says().expect("it says what it has");
    assert!(
        said.contains(&address) && said.contains("external"),
        "{said}"
    );
    assert_eq!(external.says().as_deref(), Some("somebody"));

    // Named, but not there: no other source takes its place.
    let variables = [
        ("HOLD", support::SPEC),
        ("SMB_REPLAY_SERVER", "smb://127.0.0.1:1/data"),
    ];
    let said = helper("hold", &variables).says().expect("it says why not");
    assert!(
        said.starts_with("none:") && said.contains("external") && !said.contains("docker"),
        "{said}"
    );
    server.stop().await.expect("stopped");
}
