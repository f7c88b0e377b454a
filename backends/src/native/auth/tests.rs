//! The tokens of a login against a server that is not ours.

#[path = "../../../tests/hostile/ntlm.rs"]
mod ntlm;

use super::*;
use ntlm::NtlmServer;

fn identity(password: &str) -> Identity {
    Identity {
        name: "alice".into(),
        account: "alice".into(),
        domain: "WGRP".into(),
        sid: None,
        password: password.to_owned().into(),
    }
}

fn target() -> Target {
    Target {
        address: ([127, 0, 0, 1], 445).into(),
        host: "server".into(),
        share: "data".into(),
        root: String::new(),
        realm: None,
    }
}

#[tokio::test]
async fn kerberos_needs_a_realm() {
    let alice = identity("right");
    let login = Login::kerberos(&alice, &target(), None).await;
    let error = login.err().expect("there is no realm").to_string();
    assert!(error.contains("in a domain"), "{error}");
}

#[test]
fn both_sides_hold_the_same_key_before_the_last_answer() {
    let mut server = NtlmServer::new("right");
    let mut login = Login::new(Some(&identity("right"))).unwrap();
    let first = login.next(&[]).unwrap();
    assert!(login.session_key().is_none());
    let challenge = server.next(first).unwrap();
    let authenticate = login.next(&challenge).unwrap();
    let key = login
        .session_key()
        .expect("the key belongs to the last token sent");
    let last = server.next(authenticate).unwrap();
    assert!(login.next(&last).unwrap().is_empty());
    assert_eq!(server.session_key(), Some(key));
    assert!(login.next(&last).is_err(), "a token after the end");
}

#[test]
fn a_challenge_of_rubbish_is_an_error() {
    for rubbish in [
        &b""[..],
        b"x",
        b"\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00",
        &[0xff; 300],
    ] {
        let mut login = Login::new(Some(&identity("right"))).unwrap();
        login.next(&[]).unwrap();
        assert!(login.next(rubbish).is_err(), "{rubbish:02x?}");
        let mut login = Login::new(None).unwrap();
        login.next(&[]).unwrap();
        assert!(login.next(rubbish).is_err(), "{rubbish:02x?}");
    }
}

#[tracing_test::traced_test]
#[test]
fn nothing_secret_reaches_the_log() {
    let mut server = quietly(|| NtlmServer::new("Sesame-open-17"));
    let mut login = Login::new(Some(&identity("Sesame-open-17"))).unwrap();
    let first = login.next(&[]).unwrap();
    let challenge = quietly(|| server.next(first)).unwrap();
    login.next(&challenge).unwrap();
    login.session_key().unwrap();
    tracing::trace!("the log works");
    assert!(logs_contain("the log works"));
    assert!(!logs_contain("Sesame"));
    assert!(!logs_contain("sspi"));
}
