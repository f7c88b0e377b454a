//! What the client cannot do is known before anything runs.

use replay_engine::Backend;
use smb_backends::smb_rs::SmbRs;

use super::trace;

fn lacks(text: &str) -> Vec<(Option<u32>, String)> {
    let missing = SmbRs::new().missing(&trace(text));
    missing
        .into_iter()
        .map(|lack| (lack.step.map(|step| step.0), lack.what))
        .collect()
}

#[test]
fn what_cannot_be_said_is_known_before_the_run() {
    for (step, what) in [
        ("create f \"f\" oplock=batch", "create oplock=batch"),
        (
            "create f \"f\" lease-key=k lease-state=r",
            "create lease-key",
        ),
        ("create f \"f\" disposition=0x9", "create disposition=0x9"),
        (
            "create f \"f\" impersonation=0x9",
            "create impersonation=0x9",
        ),
    ] {
        let found = lacks(&format!("client A user=alice\nA {step}"));
        assert_eq!(found, [(Some(0), what.to_owned())], "{step}");
    }
    for (step, what) in [
        ("read f len=0", "read len=0"),
        ("query-info f 0x40", "query-info class 0x40"),
        ("query-fs f 0x40", "query-fs class 0x40"),
        ("query-directory f class=0x40", "query-directory class=0x40"),
        ("on-break f ignore", "on-break"),
        ("no-break f within=1ms", "no-break"),
        ("break f batch->ii within=1s", "break"),
    ] {
        let found = lacks(&format!(
            "mode 2\nclient A user=alice\nA create f \"f\"\nA {step}"
        ));
        assert_eq!(found, [(Some(1), what.to_owned())], "{step}");
    }
}

#[test]
fn a_break_that_is_waited_for_is_known_before_the_run() {
    let two = "mode 2\nclient A user=a\nclient B user=b\nf: A create f \"f\" oplock=ii\n";
    let found = lacks(&format!("{two}B echo after=f.break"));
    assert_eq!(found, [(Some(1), "after a break".to_owned())]);
    let found = lacks(&format!("{two}e: B echo\ncheck order f.break < e"));
    assert_eq!(found, [(None, "check order with a break".to_owned())]);
}

#[test]
fn a_client_that_cannot_be_made_is_known_before_the_run() {
    for setting in [
        "anonymous",
        "user=a auth=kerberos",
        "user=a cipher=aes-128-gcm",
        "user=a encryption=off",
    ] {
        let found = lacks(&format!("client A {setting}\nA echo"));
        assert_eq!(found.len(), 1, "{setting}: {found:?}");
        assert_eq!(found[0].0, None);
    }
    let possible = "client A user=a encryption=off dialect=3.0.2\nclient B on=A\nB echo";
    assert_eq!(lacks(possible), []);
}
