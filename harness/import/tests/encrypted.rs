//! An encrypted capture with its keys is the capture that it was before.

mod common;
#[path = "common/traces.rs"]
mod traces;

use common::{Ends, Exchanges};
use replay_import::capture::{Direction, LinkType};
use replay_import::{CaptureKeys, CaptureOptions, Passwords, import_capture};
use smb_wire::crypto::{Key, TransformCipher};
use smb_wire::messages::*;
use smb_wire::{Cipher, FileId, Request, Response};
use traces::{imported, text};

const TO_SERVER: [u8; 32] = [0x31; 32];
const TO_CLIENT: [u8; 32] = [0x72; 32];

fn exchanges() -> Exchanges {
    let mut all = Exchanges::new();
    all.negotiate();
    all.log_in(b"");
    all.tree(r"\\server\share");
    let file_id = FileId {
        persistent: 4,
        volatile: 5,
    };
    all.ok(
        Request::Create(CreateRequest {
            name: "file".into(),
            ..CreateRequest::default()
        }),
        Response::Create(CreateResponse {
            file_id,
            ..CreateResponse::default()
        }),
    );
    all.close(file_id);
    all
}

fn import(all: &Exchanges, keys: &str) -> Result<String, String> {
    let packets = Ends::v4(445).conversation(&all.frames, 1400, LinkType::Ethernet, 0);
    let options = CaptureOptions {
        keys: CaptureKeys::parse(keys).expect("it works"),
        ..CaptureOptions::default()
    };
    let (trace, _) = imported(&packets, &options).map_err(|error| error.to_string())?;
    Ok(text(&trace))
}

/// The same with all after the log-in encrypted.
fn encrypted(cipher: Cipher, length: usize) -> Exchanges {
    let mut all = exchanges();
    let of =
        |key: &[u8]| TransformCipher::new(cipher, &Key::new(&key[..length])).expect("it works");
    let (up, down) = (of(&TO_SERVER), of(&TO_CLIENT));
    for (number, (direction, frame)) in all.frames.iter_mut().enumerate().skip(4) {
        let mut nonce = [0; 16];
        nonce[0] = number as u8;
        let cipher = match direction {
            Direction::ToServer => &up,
            Direction::ToClient => &down,
        };
        *frame = cipher.encrypt(nonce, 0x77, frame).expect("it works");
    }
    all
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_cipher_is_decrypted() {
    let plain = import(&exchanges(), "").expect("it works");
    assert!(plain.contains("create h1 \"file\""), "{plain}");
    let ciphers = [
        (Cipher::AES_128_CCM, 16),
        (Cipher::AES_128_GCM, 16),
        (Cipher::AES_256_CCM, 32),
        (Cipher::AES_256_GCM, 32),
    ];
    for (cipher, length) in ciphers {
        let (up, down) = (&TO_SERVER[..length], &TO_CLIENT[..length]);
        let keys = format!("7700000000000000,,{},{}\n", hex(down), hex(up));
        assert_eq!(
            import(&encrypted(cipher, length), &keys).as_ref(),
            Ok(&plain),
            "{cipher}"
        );
    }
}

#[test]
fn without_the_right_keys_it_is_refused_with_the_connection() {
    let all = encrypted(Cipher::AES_128_GCM, 16);
    let wrong = format!("7700000000000000,,{},{}\n", hex(&[1; 16]), hex(&[2; 16]));
    for keys in ["", &wrong] {
        let error = import(&all, keys).unwrap_err();
        assert!(
            error.contains("10.0.0.1:50000 to 10.0.0.2:445: 6 encrypted frames"),
            "{error}"
        );
        assert!(error.contains("--keys"), "{error}");
    }
}

/// What `smbclient --client-protection=encrypt` did against Samba 4.17.12: made a directory, put a file in it, listed it,
/// read the file, renamed and deleted it, and removed the directory.
fn smbclient(dialect: &str, passwords: &str) -> Result<(String, u64), String> {
    let data = format!(
        "{}/tests/data/smbclient-{dialect}-encrypted.pcap",
        env!("CARGO_MANIFEST_DIR")
    );
    let options = CaptureOptions {
        ports: vec![14615],
        passwords: Passwords::parse(passwords).map_err(|line| format!("line {line}"))?,
        ..CaptureOptions::default()
    };
    let imported = import_capture(std::path::Path::new(&data), "a.pcap", &options);
    let (trace, report) = imported.map_err(|error| error.to_string())?;
    Ok((text(&trace), report.import.skipped()))
}

#[test]
fn a_known_password_opens_what_smbclient_encrypted() {
    for dialect in ["3.1.1", "3.0"] {
        for account in ["smbt", "WORKGROUP\\SMBT"] {
            let (text, _) = smbclient(dialect, &format!("{account} = Passw0rd\n")).expect(dialect);
            let steps = [
                "\"reports\" access=",
                "\"reports/quarter.txt\" access=",
                " len=3000 fill=",
                "set-info h",
                "rename path=\"reports/old.txt\"",
                "names=\"quarter.txt\"",
                "OK len=3000 fill=",
            ];
            for step in steps {
                assert!(text.contains(step), "{dialect}, {account}: {step}\n{text}");
            }
        }
    }
}

#[test]
fn another_password_opens_nothing() {
    for passwords in ["smbt = passw0rd\n", "other = Passw0rd\n"] {
        let error = smbclient("3.1.1", passwords).unwrap_err();
        assert!(
            error.contains("--passwords") || error.contains("no SMB2"),
            "{error}"
        );
        assert!(!error.to_lowercase().contains("passw0rd"), "{error}");
    }
}
