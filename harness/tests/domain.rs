//! A domain controller of ours: its accounts over StartTLS and LDAPS, what it refuses, and how long they take.
#![cfg(feature = "ad")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::domain::controller;
use ldap_provision::{Error, Group, Plan, Schema, Session, Settings, State, User};
use samba_servers::Domain;
use secrecy::ExposeSecret;

/// An authority that has nothing to do with any of ours; nobody has its key.
const STRANGER: &str = "\
-----BEGIN CERTIFICATE-----
MIIBsDCCAVWgAwIBAgIUB+JqEOMzRbZ3U3WX31gnOUXRsv8wCgYIKoZIzj0EAwIw
JDEiMCAGA1UEAwwZc29tZWJvZHkgZWxzZSdzIGF1dGhvcml0eTAgFw0yNjExMzAx
MzQ2MThaGA8yMTI2MTEwNjEzNDYxOFowJDEiMCAGA1UEAwwZc29tZWJvZHkgZWxz
ZSdzIGF1dGhvcml0eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABI6KRfs5RtLR
hJ3j+bt3PtCOfBUTl6LNeYn/Pa7acYA5/rSmfIpGHCsbzxBtJyKj4pBkQSNiSeR9
jT2AZ8QEezSjYzBhMB0GA1UdDgQWBBQfwAN3QHdEMopTHZIRDBp83fnWvzAfBgNV
HSMEGDAWgBQfwAN3QHdEMopTHZIRDBp83fnWvzAPBgNVHRMBAf8EBTADAQH/MA4G
A1UdDwEB/wQEAwIBBjAKBggqhkjOPQQDAgNJADBGAiEA13vJ3WcN3/bAFd/iH5oL
ubwEvXCZxK1LW9jW1P0qiB4CIQCZeWCsvpLhgsnsS3ytK24lq5UYRLi5f/MMxlfC
QpT8uA==
-----END CERTIFICATE-----
";
fn settings(domain: &Domain, start_tls: bool) -> Settings {
    Settings {
        url: match start_tls {
            true => format!("ldap://{}", domain.ldap),
            false => format!("ldaps://{}", domain.ldaps),
        },
        bind: format!("{}@ad.test", domain.administrator.account),
        password: domain.administrator.password.clone(),
        base: domain.base.clone(),
        schema: Schema::ActiveDirectory,
        authority: Some(domain.authority.clone()),
        start_tls,
        insecure: false,
    }
}

fn plan(unit: &str, users: usize) -> Plan {
    let name = |number: usize| format!("{unit}-{number}");
    Plan {
        unit: unit.to_owned(),
        users: (0..users)
            .map(|number| User {
                name: name(number),
                password: format!("p-{unit}-{number:08}").into(),
                state: State::Enabled,
            })
            .collect(),
        groups: vec![Group {
            name: format!("{unit}-all"),
            members: (0..users).map(name).collect(),
        }],
    }
}

/// How long measuring may take.
const MEASURING: Duration = Duration::from_secs(480);

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_made_by_start_tls_and_refusals_are_told() {
    let Some(server) = controller().await else {
        return;
    };
    let domain = server.domain().expect("it is a controller").clone();
    blocking(move || {
        for start_tls in [true, false] {
            let session = Session::open(&settings(&domain, start_tls)).expect("let in");
            let report = session.apply(&plan("tls", 3), None).expect("made");
            assert_eq!((report.created, report.adopted), (5, 0));
            assert!(
                report
                    .accounts
                    .iter()
                    .all(|it| it.sid.starts_with("S-1-5-21-"))
            );
            let again = session.apply(&plan("tls", 3), None).expect("made again");
            assert_eq!((again.created, again.adopted), (0, 5));
            assert!(session.remove("tls").expect("removed"));
            let stranger = Settings {
                authority: Some(STRANGER.to_owned()),
                ..settings(&domain, start_tls)
            };
            let error = Session::open(&stranger).expect_err("another authority");
            let text = error.to_string();
            assert!(matches!(error, Error::Connect { .. }), "{text}");
            assert!(
                text.contains("not trusted") && text.contains("CA"),
                "{text}"
            );
            let nobody = Settings {
                password: "not the password".to_owned().into(),
                ..settings(&domain, start_tls)
            };
            let error = Session::open(&nobody).expect_err("a wrong password");
            assert!(
                matches!(error, Error::Connect { code: Some(49), .. }),
                "{error}"
            );
        }
        let session = Session::open(&settings(&domain, false)).expect("let in");
        session.apply(&plan("some", 1), None).expect("made");
        let ordinary = Settings {
            bind: "some-0@ad.test".to_owned(),
            password: "p-some-00000000".to_owned().into(),
            ..settings(&domain, true)
        };
        let lowly = Session::open(&ordinary).expect("let in");
        let error = lowly.apply(&plan("other", 1), None).expect_err("no rights");
        match &error {
            Error::Directory { dn, code, text, .. } => {
                assert_eq!((dn.as_str(), *code), ("OU=other,DC=ad,DC=test", 50));
                assert!(!text.is_empty());
            }
            other => panic!("{other}"),
        }
        assert!(error.to_string().contains("lacks the right"), "{error}");
        let error = session.apply(&plan("Domain Controllers", 1), None);
        let error = error.expect_err("not ours").to_string();
        assert!(error.contains("did not make it"), "{error}");
        let twice = Plan {
            unit: "twice".to_owned(),
            ..plan("some", 1)
        };
        let error = session.apply(&twice, None).expect_err("the name is taken");
        assert!(
            matches!(&error, Error::Directory { code: 68, .. }),
            "{error}"
        );
        assert!(error.to_string().contains("elsewhere"), "{error}");
    })
    .await;
    server.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_not_ours_is_provisioned_by_a_file() {
    let Some(server) = controller().await else {
        return;
    };
    let domain = server.domain().expect("it is a controller").clone();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ad.toml");
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path, mode).expect("ours");
    };
    write(&folder.path().join("ca.pem"), &domain.authority);
    let password = domain.administrator.password.expose_secret();
    let text = format!(
        "realm = \"ad.test\"\nnetbios = \"ADTEST\"\nbase = \"DC=ad,DC=test\"\nserver = \"dc1.ad.test\"\nca = \"ca.pem\"\n\
         ldaps = \"{}\"\nkdc = \"{}\"\naccount = \"{}\"\npassword = \"{password}\"\n",
        domain.ldaps, domain.kdc, domain.administrator.account,
    );
    write(&file, &text);
    let trace = "ir 1\nneeds domain\nclient A user=alice groups=finance\nclient B user=bob auth=kerberos\n\
                 given file \"f\" size=4 sd=\"O:DAD:P(A;;FA;;;$finance)\"\n\
                 A create f \"f\" -> OK\nB connect -> OK mechanism=kerberos\nB create g \"f\" -> ACCESS_DENIED\n";
    write(&folder.path().join("t.ir"), trace);
    let replay = || {
        let address = format!("smb://{}/data", server.address());
        let output = Command::new(env!("CARGO_BIN_EXE_smb-replay"))
            .args(["run", "--server", &address, "t.ir"])
            .current_dir(folder.path())
            .env("SMB_REPLAY_AD", &file)
            .stdin(Stdio::null())
            .output();
        let output = output.expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    let (passed, said) = replay();
    assert!(passed && !said.contains(password), "{said}");
    write(&folder.path().join("ca.pem"), STRANGER);
    let (passed, said) = replay();
    assert!(
        !passed && said.contains("not trusted") && !said.contains(password),
        "{said}"
    );
    let units = blocking(move || {
        let session = Session::open(&settings(&domain, false)).expect("let in");
        session.units("sr-").expect("listed")
    });
    assert_eq!(units.await, Vec::<String>::new());
    server.stop().await.expect("stopped");
}

/// Prints a table; run by hand: `cargo test -p smb-replay --features ad --test domain -- --ignored --nocapture`. It takes a
/// few minutes, and ends after [`MEASURING`] with what it has.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn how_long_accounts_take() {
    let begin = Instant::now();
    let Some(server) = controller().await else {
        return;
    };
    println!(
        "container start to first login: {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load: {}", load.trim());
    println!(
        "| users and a group of them | ldap-provision | ldapadd | removing them |\n|---|---|---|---|"
    );
    let domain = server.domain().expect("it is a controller").clone();
    let (rows, came) = mpsc::channel();
    // A thread of its own: nobody waits for it when the time is up.
    std::thread::spawn(move || {
        for (users, runs) in [(10, 3), (100, 3), (1000, 1)] {
            if rows.send(row(&domain, users, runs)).is_err() {
                return;
            }
        }
    });
    let end = Instant::now() + MEASURING;
    loop {
        match came.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(row) => println!("{row}"),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                println!("the rest is not there after {} s", MEASURING.as_secs());
                break;
            }
        }
    }
    server.stop().await.expect("stopped");
}

/// The medians of so many runs, as a row of the table.
fn row(domain: &Domain, users: usize, runs: usize) -> String {
    let (mut ours, mut floor, mut removals) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let session = Session::open(&settings(domain, false)).expect("let in");
        let seconds = |begin: Instant| begin.elapsed().as_secs_f64();
        let begin = Instant::now();
        session.apply(&plan("times", users), None).expect("made");
        ours.push(seconds(begin));
        let begin = Instant::now();
        session.remove("times").expect("removed");
        removals.push(seconds(begin));
        floor.push(ldapadd(domain, users));
        session.remove("times").expect("removed");
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[runs / 2]
    };
    format!(
        "| {users} | {:.1} s | {:.1} s | {:.1} s |",
        median(ours),
        median(floor),
        median(removals)
    )
}

/// The same entries by OpenLDAP's program, in seconds.
fn ldapadd(domain: &Domain, users: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let plan = plan("times", users);
    let unit = format!("OU=times,{}", domain.base);
    let mut text = format!(
        "dn: {unit}\nchangetype: add\nobjectClass: organizationalUnit\ndescription: made by ldap-provision\n\n"
    );
    for user in &plan.users {
        let quoted = format!("\"{}\"", user.password.expose_secret());
        let wide: Vec<u8> = quoted.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let name = &user.name;
        text += &format!(
            "dn: CN={name},{unit}\nchangetype: add\nobjectClass: user\nsAMAccountName: {name}\nuserPrincipalName: \
             {name}@ad.test\nuserAccountControl: 512\naccountExpires: 0\npwdLastSet: -1\nunicodePwd:: {}\n\n",
            base64(&wide)
        );
    }
    for group in &plan.groups {
        let name = &group.name;
        text += &format!(
            "dn: CN={name},{unit}\nchangetype: add\nobjectClass: group\nsAMAccountName: {name}\ngroupType: -2147483646\n\n\
             dn: CN={name},{unit}\nchangetype: modify\nadd: member\n"
        );
        for member in &group.members {
            text += &format!("member: CN={member},{unit}\n");
        }
    }
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    };
    let entries = write("entries.ldif", &text);
    // The folder is this user's alone.
    let password = write("password", domain.administrator.password.expose_secret());
    let authority = write("ca.pem", &domain.authority);
    let begin = Instant::now();
    let output = Command::new("ldapmodify")
        .args(["-x", "-H", &format!("ldaps://{}", domain.ldaps), "-f"])
        .arg(&entries)
        .args([
            "-D",
            &format!("{}@ad.test", domain.administrator.account),
            "-y",
        ])
        .arg(&password)
        .env("LDAPTLS_CACERT", &authority)
        .output()
        .expect("ldapmodify is installed (Debian's package ldap-utils)");
    let took = begin.elapsed().as_secs_f64();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            text.push(match at <= group.len() {
                true => char::from(LETTERS[(bits >> shift & 63) as usize]),
                false => '=',
            });
        }
    }
    text
}
