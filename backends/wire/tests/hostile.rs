//! Bytes that nobody should send: whatever comes, a decoder answers with a value or an error, soon.

mod common;

use common::generate::{self, Pool};
use common::{Frame, Recording};
use proptest::prelude::*;
use smb_wire::crypto::{Key, Signer, TransformCipher};
use smb_wire::messages::{CompressionTransformHeader, TransformHeader};
use smb_wire::*;

/// Puts bytes through everything that reads bytes.
fn read_all(bytes: &[u8]) {
    let _ = FrameKind::of(bytes);
    let _ = framing::next_frame(bytes, framing::MAX_FRAME);
    let _ = TransformHeader::decode(bytes);
    let _ = CompressionTransformHeader::decode(bytes);
    let _ = Request::decode(bytes);
    let _ = Response::decode(bytes);
    let _ = split_mut(&mut bytes.to_vec());
    for part in split_compound(bytes) {
        let Ok((header, message)) = part else { break };
        assert!(message.len() >= Header::SIZE);
        read_message(&header, message);
    }
    read_structures(bytes);
}

fn read_message(header: &Header, message: &[u8]) {
    for request in [false, true] {
        let mut again = Vec::new();
        header.encode(&mut again);
        // What was understood can be written, and is then understood in the same way.
        if request {
            let Ok(decoded) = Request::decode(message) else {
                continue;
            };
            decoded.encode(&mut again);
            assert_eq!(Request::decode(&again), Ok(decoded));
        } else {
            let Ok(decoded) = Response::decode(message) else {
                continue;
            };
            decoded.encode(&mut again);
            assert_eq!(Response::decode(&again), Ok(decoded));
        }
    }
}

fn read_structures(bytes: &[u8]) {
    use smb_wire::fscc::*;
    let _ = FileAllInformation::decode(bytes);
    let _ = FileBasicInformation::decode(bytes);
    let _ = FileStandardInformation::decode(bytes);
    let _ = FileNetworkOpenInformation::decode(bytes);
    let _ = FileDispositionInformation::decode(bytes);
    let _ = FileRenameInformation::decode(bytes);
    let _ = FileRenameInformationEx::decode(bytes);
    let _ = FileLinkInformation::decode(bytes);
    let _ = FileNameInformation::decode(bytes).map(|name| name.file_name.to_string_lossy());
    let _ = FileFsVolumeInformation::decode(bytes);
    let _ = FileFsAttributeInformation::decode(bytes);
    let _ = FileFsObjectIdInformation::decode(bytes);
    // Every item takes at least its fixed part, which bounds the number of items.
    assert!(decode_streams(bytes).count() <= bytes.len() / 24 + 1);
    assert!(decode_full_ea(bytes).count() <= bytes.len() / 8 + 1);
    assert!(decode_notify(bytes).count() <= bytes.len() / 12 + 1);
    for class in 0..=u8::MAX {
        let Ok(entries) = decode_directory(FileInfoClass(class), bytes) else {
            continue;
        };
        assert!(entries.count() <= bytes.len() / 12 + 1);
    }
}

fn recorded() -> Vec<Frame> {
    Recording::load("messages.txt").frames
}

proptest! {
    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
        // Behind a header they get further.
        let mut message = Vec::new();
        let command = Command(u16::from(bytes.first().copied().unwrap_or_default()) % 0x14);
        Header { command, ..Header::default() }.encode(&mut message);
        message.extend_from_slice(&bytes);
        read_all(&message);
    }

    /// Some bytes of real frames are changed, and the end may be cut off.
    #[test]
    fn mutated_frames(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![Just(0xFF), Just(0), any::<u8>()]),
            1..12,
        ),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let frames = recorded();
        let mut bytes = which.get(&frames).bytes.clone();
        for (at, value) in changes {
            let length = bytes.len();
            bytes[at.index(length)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read_all(&bytes);
    }

    /// Values of every field are changed in messages that hold everything.
    #[test]
    fn mutated_messages(
        bytes in proptest::collection::vec(any::<u8>(), 0..2048),
        at in any::<prop::sample::Index>(),
        value in any::<u32>(),
    ) {
        let pool = &mut Pool(&bytes);
        for request in generate::requests(pool) {
            let mut frame = encode_request(&Header::default(), &request);
            let at = at.index(frame.len());
            let end = frame.len().min(at + 4);
            frame[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
            read_all(&frame);
        }
    }
}

#[test]
fn truncations_at_every_length() {
    for frame in recorded() {
        for length in 0..frame.bytes.len() {
            let bytes = &frame.bytes[..length];
            read_all(bytes);
            if length < Header::SIZE {
                assert!(Request::decode(bytes).is_err());
                assert!(Response::decode(bytes).is_err());
                assert!(split_compound(bytes).all(|part| part.is_err()));
            }
        }
    }
}

#[test]
fn truncated_or_random_frames_are_neither_verified_nor_decrypted() {
    let key = Key::new(&[7; 16]);
    let signer = Signer::new(SigningAlgorithm::AES_CMAC, &key).unwrap();
    let cipher = TransformCipher::new(Cipher::AES_128_GCM, &key).unwrap();
    let mut message = encode_request(
        &Header::default(),
        &Request::Echo(smb_wire::messages::EchoRequest),
    );
    signer.sign(&mut message).unwrap();
    let encrypted = cipher.encrypt([1; 16], 3, &message).unwrap();
    for length in 0..message.len() {
        assert!(signer.verify(&message[..length]).is_err());
    }
    for length in 0..encrypted.len() {
        assert!(cipher.decrypt(&encrypted[..length]).is_err());
    }
}

/// Overlapping contexts in a small message must not grow to more than the message.
#[test]
fn contexts_cannot_share_their_data() {
    let mut request = Vec::new();
    Header {
        command: Command::CREATE,
        ..Header::default()
    }
    .encode(&mut request);
    let mut body = vec![0; 56];
    body[0] = 57;
    let count = 1000_u32;
    body[48..52].copy_from_slice(&120_u32.to_le_bytes());
    body[52..56].copy_from_slice(&(count * 16).to_le_bytes());
    request.extend_from_slice(&body);
    for index in 0..count {
        request.extend_from_slice(&16_u32.to_le_bytes());
        request.extend_from_slice(&[0; 6]);
        request.extend_from_slice(&16_u16.to_le_bytes());
        request.extend_from_slice(&((count - index - 1) * 16).to_le_bytes());
    }
    assert!(matches!(
        Request::decode(&request),
        Err(Error::OutOfRange { .. })
    ));
}

#[test]
fn lying_lengths_are_located() {
    let mut message = encode_request(
        &Header::default(),
        &Request::Lock(smb_wire::messages::LockRequest::default()),
    );
    message[66..68].copy_from_slice(&0xFFFF_u16.to_le_bytes());
    let error = Request::decode(&message).unwrap_err();
    assert_eq!(
        error.to_string(),
        "LOCK request: 8 bytes needed at offset 88, 0 left"
    );

    let mut message = encode_request(
        &Header::default(),
        &Request::SetInfo(smb_wire::messages::SetInfoRequest {
            buffer: vec![1; 8],
            ..Default::default()
        }),
    );
    message[68..72].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = Request::decode(&message).unwrap_err();
    assert_eq!(
        error.to_string(),
        "SET_INFO request: bytes 96..96+4294967295 lie outside the 104 bytes present"
    );
}

#[test]
fn a_compound_that_goes_back_ends() {
    let mut frame = Vec::new();
    Header {
        next_command: 8,
        ..Header::default()
    }
    .encode(&mut frame);
    frame.extend_from_slice(&[0; 64]);
    let parts: Vec<_> = split_compound(&frame).collect();
    assert_eq!(parts.len(), 1);
    let error = parts[0].as_ref().unwrap_err();
    assert_eq!(error.to_string(), "compound: NextCommand cannot be 0x8");
}
