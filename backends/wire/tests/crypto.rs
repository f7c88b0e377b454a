//! Keys, signatures and encryption against published vectors and against what Samba did.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Frame, Recording, unhex};
use smb_wire::crypto::{Key, PreauthHash, SessionKeys, Signer, TransformCipher};
use smb_wire::messages::{NegotiateContext, TransformHeader};
use smb_wire::*;

fn key(digits: &str) -> Key {
    Key::new(&unhex(digits))
}

fn expect(key: &Key, digits: &str) {
    assert_eq!(key.as_bytes(), unhex(digits));
}

/// The keys that a recording names.
fn expect_all(keys: &SessionKeys, recording: &Recording) {
    let (encryption, decryption) = (keys.encryption.as_ref(), keys.decryption.as_ref());
    for (key, fact) in [
        (Some(&keys.signing), "signing"),
        (Some(&keys.application), "application"),
        (encryption, "encryption"),
        (decryption, "decryption"),
    ] {
        expect(key.expect(fact), recording.fact(fact));
    }
}

/// "SMB 2 and SMB 3 security in Windows 10", Microsoft Open Specifications: SMB 3.0 multichannel.
#[test]
fn keys_of_3_0() {
    let derive = |session_key: &str| {
        let session_key = unhex(session_key);
        SessionKeys::derive(
            Dialect::SMB_3_0,
            Cipher::AES_128_CCM,
            &session_key,
            &PreauthHash::default(),
        )
    };
    let keys = derive("7CD451825D0450D235424E44BA6E78CC");
    expect(&keys.signing, "0B7E9C5CAC36C0F6EA9AB275298CEDCE");
    expect(&keys.application, "BB23A4575AA26C721AF525AF15A87B4F");
    expect(
        &keys.encryption.unwrap(),
        "FAD27796665B313EBB578F388632B4F7",
    );
    expect(
        &keys.decryption.unwrap(),
        "B0F0427F7CEB416D1D9DCC0CD4F99447",
    );
    let second_channel = derive("4E01A2B313BCF660CC250BEF021AEDE6");
    expect(&second_channel.signing, "BA1A17DBBFEC349BCA105563D598952F");
}

/// The same article: SMB 3.1.1 multichannel, with all messages that the hash covers.
#[test]
fn keys_of_3_1_1() {
    let recording = Recording::load("published-3.1.1.txt");
    let mut preauth = PreauthHash::default();
    let (last, hashed) = recording.frames.split_last().unwrap();
    for frame in hashed {
        preauth.update(&frame.bytes);
        let kind = if frame.from_server {
            "response"
        } else {
            "request"
        };
        assert!(Header::decode(&frame.bytes).is_ok(), "{kind}");
    }
    assert_eq!(
        preauth.as_bytes().to_vec(),
        unhex(recording.fact("preauth"))
    );
    let session_key = unhex(recording.fact("session"));
    let keys = SessionKeys::derive(
        Dialect::SMB_3_1_1,
        Cipher::AES_128_GCM,
        &session_key,
        &preauth,
    );
    expect_all(&keys, &recording);
    let signer = Signer::new(SigningAlgorithm::AES_CMAC, &keys.signing).unwrap();
    signer.verify(&last.bytes).unwrap();
}

#[test]
fn keys_of_2_x() {
    let derive = |session_key: &[u8]| {
        SessionKeys::derive(
            Dialect::SMB_2_1,
            Cipher::NONE,
            session_key,
            &PreauthHash::default(),
        )
    };
    let keys = derive(&[9; 32]);
    assert_eq!(keys.signing.as_bytes(), [9; 16]);
    assert!(keys.encryption.is_none() && keys.decryption.is_none());
    let keys = derive(&[9; 8]);
    assert_eq!(keys.signing.as_bytes(), [[9; 8], [0; 8]].concat());
}

/// "Encryption in SMB 3.0: a protocol perspective", Microsoft Open Specifications.
#[test]
fn encryption_of_3_0() {
    let frame = unhex(concat!(
        "FE534D4240000100000000000900400008000000000000000400000000000000",
        "FFFE0000010000001100001400E4080000000000000000000000000000000000",
        "3100700017000000000000000000000015010000390000020100000039020000",
        "00000000000000007000000000000000536D623320656E6372797074696F6E20",
        "74657374696E67"
    ));
    let encrypted = unhex(concat!(
        "FD534D4281A286535415445DAE393921E44FA42E66E69A111892584FB5ED524A",
        "744DA3EE87000000000001001100001400E4080025C8FEE16605A437832D1CD5",
        "2DA9F4645333482A175FE5384563F45FCDAFAEF38BC62BA4D5C62897996625A4",
        "4C29BE5658DE2E6117585779E7B59FFD971278D08580D7FA899E410E910EABF5",
        "AA1DB43050B33B49182637759AC15D84BFCDF5B6B238993C0F4CF4D6012023F6",
        "C627297075D84B7803912D0A9639634453595EF3E33FFE4E7AC2AB"
    ));
    let keys = SessionKeys::derive(
        Dialect::SMB_3_0,
        Cipher::AES_128_CCM,
        &unhex("B4546771B515F766A86735532DD6C4F0"),
        &PreauthHash::default(),
    );
    expect(
        keys.encryption.as_ref().unwrap(),
        "261B72350558F2E9DCF613070383EDBF",
    );
    encrypts(
        Cipher::AES_128_CCM,
        &keys.encryption.unwrap(),
        &frame,
        &encrypted,
    );

    let cipher = TransformCipher::new(Cipher::AES_128_CCM, &keys.decryption.unwrap()).unwrap();
    let answer = cipher
        .decrypt(&unhex(concat!(
            "FD534D42A6015530A18F6D9AFFE22AFAE8E66484860000000000000011000014",
            "00E4080050000000000001001100001400E40800DBF46435C5F14169293CE079",
            "E344479BF670227E49873F458672C3098DAC467DD5809F369D67409166515787",
            "1483E01F7BECD02064EAC3E235F913668BBC2F097980D4B378F1993EFF6E60D1",
            "77309E5B"
        )))
        .unwrap();
    let Ok(Response::Write(response)) = Response::decode(&answer) else {
        panic!("{answer:?}")
    };
    assert_eq!(response.count, 23);
}

/// "SMB 3.1.1 encryption in Windows 10", Microsoft Open Specifications.
#[test]
fn encryption_of_3_1_1() {
    let frame = unhex(concat!(
        "FE534D4240000100000000000900010008000000000000000500000000000000FFFE000001000000",
        "25000000001000000000000000000000000000000000000031007000170000000000000000000000",
        "0600000004000000010000000400000000000000000000007000000000000000536D623320656E63",
        "72797074696F6E2074657374696E67"
    ));
    let encrypted = unhex(concat!(
        "FD534D42BD73D97D2BC9001BCAFAC0FDFF5FEEBCC7D6822D269CAF48904C664C0000000087000000",
        "0000010025000000001000006ECDD2A7AFC7B47763057A041B8FD4DAFFE990B70C9E09D36C084E02",
        "D14EF247F8BDE38ACF6256F8B1D3B56F77FBDEB312FEA5E92CBCC1ED8FB2EBBFAA75E49A4A394BB4",
        "4576545567C24D4C014D47C9FBDFDAFD2C4F9B72F8D256452620A299F48E29E53D6B61D1C13A19E9",
        "1AF013F00D17E3ABC2FC3D36C8C1B6B93973253852DBD442E46EE8"
    ));
    encrypts(
        Cipher::AES_128_GCM,
        &key("A2F5E80E5D59103034F32E52F698E5EC"),
        &frame,
        &encrypted,
    );
}

/// Encrypting gives exactly these bytes, decrypting gives the frame, and no changed bit is
/// accepted.
fn encrypts(algorithm: Cipher, key: &Key, frame: &[u8], encrypted: &[u8]) {
    let cipher = TransformCipher::new(algorithm, key).unwrap();
    let header = TransformHeader::decode(encrypted).unwrap();
    assert_eq!(
        cipher
            .encrypt(header.nonce, header.session_id, frame)
            .unwrap(),
        encrypted
    );
    assert_eq!(cipher.decrypt(encrypted).unwrap(), frame);
    for at in 4..encrypted.len() {
        let mut changed = encrypted.to_vec();
        changed[at] ^= 1;
        let error = cipher.decrypt(&changed).unwrap_err();
        let size = matches!(
            error,
            Error::Invalid {
                field: "OriginalMessageSize",
                ..
            }
        );
        assert!(size || error == Error::Decryption, "{at}: {error}");
    }
}

#[test]
fn sessions_of_samba_signed() {
    for name in ["signed-3.0", "signed-cmac", "signed-gmac", "signed-hmac"] {
        let session = Session::load(name);
        let signer = Signer::new(session.signing, &session.keys.signing).unwrap();
        let mut signed = [0, 0];
        for frame in &session.recording.frames {
            for part in split_compound(&frame.bytes) {
                let (header, message) = part.unwrap();
                if !header.is_signed() {
                    assert_eq!(signer.verify(message), Err(Error::Unsigned));
                    continue;
                }
                signer
                    .verify(message)
                    .unwrap_or_else(|e| panic!("{name}:{}: {e}", frame.line));
                signed[usize::from(frame.from_server)] += 1;
                let mut again = message.to_vec();
                again[48..64].fill(0xEE);
                assert_eq!(signer.verify(&again), Err(Error::Signature));
                signer.sign(&mut again).unwrap();
                assert_eq!(again, message);
                let last = again.len() - 1;
                again[last] ^= 1;
                assert_eq!(signer.verify(&again), Err(Error::Signature));
            }
        }
        assert!(signed.iter().all(|count| *count > 5), "{name}: {signed:?}");
    }
}

#[test]
fn sessions_of_samba_encrypted() {
    for name in [
        "3.0",
        "aes-128-ccm",
        "aes-128-gcm",
        "aes-256-ccm",
        "aes-256-gcm",
    ] {
        let session = Session::load(&format!("encrypted-{name}"));
        let new = |key: &Option<Key>| {
            TransformCipher::new(session.cipher, key.as_ref().unwrap()).unwrap()
        };
        let ciphers = [new(&session.keys.encryption), new(&session.keys.decryption)];
        let mut commands = std::collections::BTreeSet::new();
        for frame in &session.recording.frames {
            if FrameKind::of(&frame.bytes) != Some(FrameKind::Encrypted) {
                continue;
            }
            let cipher = &ciphers[usize::from(frame.from_server)];
            let plain = cipher.decrypt(&frame.bytes).unwrap();
            for part in split_compound(&plain) {
                let (header, message) = part.unwrap();
                if frame.from_server {
                    Response::decode(message).unwrap();
                } else {
                    Request::decode(message).unwrap();
                }
                commands.insert(header.command);
            }
            let other = &ciphers[usize::from(!frame.from_server)];
            assert_eq!(other.decrypt(&frame.bytes), Err(Error::Decryption));
            let header = TransformHeader::decode(&frame.bytes).unwrap();
            let again = cipher
                .encrypt(header.nonce, header.session_id, &plain)
                .unwrap();
            assert_eq!(again, frame.bytes);
        }
        assert!(
            commands.contains(&Command::QUERY_DIRECTORY),
            "{name}: {commands:?}"
        );
    }
}

/// A recorded session with the keys derived from its messages.
struct Session {
    recording: Recording,
    keys: SessionKeys,
    signing: SigningAlgorithm,
    cipher: Cipher,
}

impl Session {
    /// Derives the keys from what was negotiated, and compares them with those that Samba's client
    /// printed.
    fn load(name: &str) -> Self {
        let recording = Recording::load(&format!("session-{name}.txt"));
        let dialect = Dialect::from_word(recording.fact("dialect")).unwrap();
        let mut preauth = PreauthHash::default();
        let mut signing = Signer::default_algorithm(dialect);
        let mut cipher = Cipher::AES_128_CCM;
        for frame in &recording.frames {
            let header = Header::decode(&frame.bytes).unwrap();
            if header.command == Command::NEGOTIATE {
                (signing, cipher) = negotiated(frame).unwrap_or((signing, cipher));
            }
            let last = header.command == Command::SESSION_SETUP
                && header.is_response()
                && header.status == ntstatus::SUCCESS;
            if last {
                break;
            }
            preauth.update(&frame.bytes);
        }
        let session_key = unhex(recording.fact("session"));
        let keys = SessionKeys::derive(dialect, cipher, &session_key, &preauth);
        expect_all(&keys, &recording);
        Self {
            recording,
            keys,
            signing,
            cipher,
        }
    }
}

/// What the contexts of a NEGOTIATE response of 3.1.1 have settled.
fn negotiated(frame: &Frame) -> Option<(SigningAlgorithm, Cipher)> {
    let Ok(Response::Negotiate(response)) = Response::decode(&frame.bytes) else {
        return None;
    };
    let mut found = (None, None);
    for context in &response.negotiate_contexts {
        match context {
            NegotiateContext::Signing { signing_algorithms } => {
                found.0 = Some(signing_algorithms[0])
            }
            NegotiateContext::Encryption { ciphers } => found.1 = Some(ciphers[0]),
            _ => {}
        }
    }
    Some((found.0?, found.1?))
}

/// In a compound each message is signed by itself, padding included.
#[test]
fn compounds_are_signed_in_parts() {
    let signer = Signer::new(SigningAlgorithm::AES_GMAC, &key(&"0b".repeat(16))).unwrap();
    let mut builder = FrameBuilder::new();
    for message_id in 1..4 {
        let header = Header {
            message_id,
            ..Header::default()
        };
        builder.request(&header, &Request::Echo(messages::EchoRequest));
    }
    let mut frame = builder.finish();
    for message in split_mut(&mut frame).unwrap() {
        signer.sign(message).unwrap();
    }
    let mut signatures = std::collections::BTreeSet::new();
    for part in split_compound(&frame) {
        let (header, message) = part.unwrap();
        signer.verify(message).unwrap();
        signatures.insert(header.signature);
    }
    assert_eq!(signatures.len(), 3);
}

#[test]
fn keys_must_fit_and_are_not_shown() {
    let long = Key::new(&[1; 32]);
    let error = Signer::new(SigningAlgorithm::AES_CMAC, &long).unwrap_err();
    assert_eq!(error.to_string(), "a key of 32 bytes where 16 are needed");
    let error = TransformCipher::new(Cipher::AES_256_GCM, &Key::new(&[1; 16])).unwrap_err();
    assert_eq!(
        error,
        Error::KeyLength {
            expected: 32,
            found: 16
        }
    );
    let error = TransformCipher::new(Cipher(9), &long).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no encryption algorithm has the number 0x9"
    );
    let cipher = TransformCipher::new(Cipher::AES_256_GCM, &long).unwrap();
    assert_eq!(
        format!("{long:?} {cipher:?}"),
        "Key(32 bytes) TransformCipher(aes-256-gcm)"
    );
    let signer = Signer::new(SigningAlgorithm::AES_GMAC, &Key::new(&[1; 16])).unwrap();
    assert_eq!(format!("{signer:?}"), "Signer(AES-GMAC)");
}
