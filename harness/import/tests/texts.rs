//! Texts that come with a capture, or in place of one: whatever stands in them, reading ends with keys, accounts or steps, or
//! with the line that is wrong; and no message repeats what may be a secret.

use proptest::prelude::*;
use replay_import::{CaptureKeys, DbenchOptions, Passwords, import_dbench};
use std::io::Cursor;

/// A key, and a password.
const SECRET: &str = "c0ffee11c0ffee22c0ffee33c0ffee44";

/// Parts of such texts, in any order, with others in between.
fn text(parts: &'static [&'static str]) -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => prop::sample::select(parts).prop_map(str::to_owned),
        1 => any::<String>(),
        2 => Just("\n".to_owned()),
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

/// A message that names a line has to name one of the text, and has no secret in it.
fn is_a_line(line: usize, text: &str) -> bool {
    (1..=text.lines().count()).contains(&line)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn key_files(text in text(&[
        "Session Id    [0000] 49 00 00 00 00 24 00 00   I....$..\n", "Session Key   ", "ServerIn Key  ", "ServerOut Key ",
        "[0000] 00 01 02 03 04 05 06 07   08 09 0A 0B 0C 0D 0E 0F   ........ ........\n", "[0010] C0 FF", "[00", "[zz] 11",
        "4900000000240000,", SECRET, "\"", ",", "\"\"", "# ", " ", "ü", "[ffffffffff] 00",
    ])) {
        match CaptureKeys::parse(&text) {
            Ok(keys) => {
                prop_assert!(keys.sessions() <= text.lines().count());
                let shown = format!("{keys:?}").to_lowercase();
                prop_assert!(!shown.contains("c0ffee"));
            }
            Err(error) => {
                prop_assert!(is_a_line(error.line, &text), "{}", error);
                prop_assert!(!error.to_string().contains("c0ffee"), "{}", error);
            }
        }
    }

    #[test]
    fn password_lists(text in text(&[
        "CORP\\alice = ", "bob=", "=", SECRET, "#", " ", "\r", "\u{feff}", "ß\\Ü",
    ])) {
        match Passwords::parse(&text) {
            Ok(passwords) => {
                prop_assert!(passwords.len() <= text.lines().count());
                let shown = format!("{passwords:?}");
                prop_assert!(!shown.contains("c0ffee"));
            }
            Err(line) => {
                prop_assert!(is_a_line(line, &text));
                // It is really that line which is wrong.
                let before: String = text.lines().take(line - 1).map(|line| line.to_owned() + "\n").collect();
                prop_assert!(Passwords::parse(&before).is_ok());
            }
        }
    }

    #[test]
    fn load_files(text in text(&[
        "0.5 ", "NTCreateX \"\\clients\\a\" 0x0 0x2 7 ", "WriteX 7 0 100 100 ", "ReadX 7 18446744073709551615 9 ", "Close 7 ",
        "Rename \"\\a\" \"\\b\" ", "Unlink \"\\a\" 0x16 ", "Deltree \"\\clients\" ", "FIND_FIRST \"\\*\" 1 1 1 ",
        "NT_STATUS_OK", "0xc0000034", "*", "\"", "\\", "..", "7", "-1", "SUCCESS", "#",
    ])) {
        match import_dbench(Cursor::new(&text), "load.txt", &DbenchOptions::default()) {
            Ok((trace, report)) => {
                prop_assert_eq!(trace.len() as u64, report.steps());
                let mut written = Vec::new();
                trace.write_text(&mut written).expect("memory takes it");
                let again = replay_ir::load_bytes("load.ir", &written, &smb_vocabulary::VOCABULARY);
                prop_assert!(again.is_ok(), "{}", String::from_utf8_lossy(&written));
            }
            Err(errors) => prop_assert!(!errors.to_string().is_empty()),
        }
    }
}
