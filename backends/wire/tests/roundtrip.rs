//! What is encoded is decoded to the same value, for every message and every structure.

mod common;

use common::generate::{self, Pool};
use proptest::prelude::*;
use smb_wire::fscc::*;
use smb_wire::messages::{CompressionTransformHeader, TransformHeader};
use smb_wire::*;

fn pool() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..4096),
        // Small numbers give long lists of short things.
        proptest::collection::vec(0_u8..20, 0..4096),
    ]
}

/// Encodes, puts bytes behind that a decoder must not mind, and decodes.
macro_rules! same {
    ($value:expr, $type:ty) => {{
        let value: $type = $value;
        let mut out = Vec::new();
        value.encode(&mut out);
        prop_assert_eq!(<$type>::decode(&out), Ok(value.clone()));
    }};
}

proptest! {
    #[test]
    fn headers(bytes in pool()) {
        same!(generate::header(&mut Pool(&bytes)), Header);
    }

    #[test]
    fn requests(bytes in pool()) {
        let pool = &mut Pool(&bytes);
        let header = generate::header(pool);
        for request in generate::requests(pool) {
            let frame = encode_request(&header, &request);
            prop_assert_eq!(Request::decode(&frame), Ok(request));
        }
    }

    #[test]
    fn responses(bytes in pool()) {
        for (header, response) in generate::responses(&mut Pool(&bytes)) {
            let mut builder = FrameBuilder::new();
            builder.response(&header, &response);
            let decoded = Response::decode(&builder.finish());
            if let (Response::Other { body, .. }, Ok(Response::Other { body: same, .. })) =
                (&response, &decoded)
            {
                prop_assert_eq!(body, same);
            } else {
                prop_assert_eq!(decoded, Ok(response));
            }
        }
    }

    /// All requests in one frame come out again, in order, with the headers that went in.
    #[test]
    fn compounds(bytes in pool()) {
        let pool = &mut Pool(&bytes);
        let header = generate::header(pool);
        let requests = generate::requests(pool);
        let mut builder = FrameBuilder::new();
        for request in &requests {
            builder.request(&header, request);
        }
        let mut frame = builder.finish();
        let parts = split_mut(&mut frame).unwrap();
        let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
        let parts: Vec<_> = split_compound(&frame).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(parts.len(), requests.len());
        prop_assert_eq!(parts.iter().map(|(_, part)| part.len()).collect::<Vec<_>>(), lengths);
        for ((found, message), request) in parts.iter().zip(&requests) {
            let expected = Header {
                command: request.command(),
                next_command: found.next_command,
                ..header
            };
            prop_assert_eq!(found, &expected);
            prop_assert_eq!(found.next_command % 8, 0);
            let padding = |decoded: &Request| {
                // What follows an unknown body, or the path of an extended TREE_CONNECT, is part of
                // it.
                matches!(decoded, Request::Other { .. } | Request::TreeConnect(_))
            };
            match Request::decode(message) {
                Ok(decoded) if padding(&decoded) => {
                    let length = encode_request(&header, request).len();
                    let decoded = Request::decode(&message[..length]);
                    prop_assert_eq!(decoded.as_ref(), Ok(request));
                }
                decoded => prop_assert_eq!(decoded.as_ref(), Ok(request)),
            }
        }
    }

    #[test]
    fn transform_headers(bytes in pool()) {
        let p = &mut Pool(&bytes);
        same!(
            TransformHeader {
                signature: p.array(),
                nonce: p.array(),
                original_message_size: p.u32(),
                flags: p.u16(),
                session_id: p.u64(),
            },
            TransformHeader
        );
        same!(
            CompressionTransformHeader {
                original_compressed_segment_size: p.u32(),
                compression_algorithm: CompressionAlgorithm(p.u16()),
                flags: CompressionFlags::from_bits_retain(p.u16().into()),
                offset_or_length: p.u32(),
                payload: p.bytes(200),
            },
            CompressionTransformHeader
        );
    }

    #[test]
    fn file_information(bytes in pool()) {
        let p = &mut Pool(&bytes);
        same!(generate::basic(p), FileBasicInformation);
        same!(generate::standard(p), FileStandardInformation);
        same!(generate::all(p), FileAllInformation);
        same!(FileInternalInformation { index_number: p.u64() }, FileInternalInformation);
        same!(FileEaInformation { ea_size: p.u32() }, FileEaInformation);
        same!(FileAccessInformation { access_flags: p.access() }, FileAccessInformation);
        same!(FilePositionInformation { current_byte_offset: p.u64() }, FilePositionInformation);
        same!(FileModeInformation { mode: p.u32() }, FileModeInformation);
        same!(
            FileAlignmentInformation { alignment_requirement: p.u32() },
            FileAlignmentInformation
        );
        same!(
            FileNetworkOpenInformation {
                creation_time: p.time(),
                last_access_time: p.time(),
                last_write_time: p.time(),
                change_time: p.time(),
                allocation_size: p.u64(),
                end_of_file: p.u64(),
                file_attributes: p.attributes(),
            },
            FileNetworkOpenInformation
        );
        same!(
            FileAttributeTagInformation { file_attributes: p.attributes(), reparse_tag: p.u32() },
            FileAttributeTagInformation
        );
        same!(FileEndOfFileInformation { end_of_file: p.u64() }, FileEndOfFileInformation);
        same!(FileAllocationInformation { allocation_size: p.u64() }, FileAllocationInformation);
        same!(
            FileDispositionInformation { delete_pending: p.bool() },
            FileDispositionInformation
        );
        same!(FileDispositionInformationEx { flags: p.u32() }, FileDispositionInformationEx);
    }

    #[test]
    fn names(bytes in pool()) {
        let p = &mut Pool(&bytes);
        same!(FileNameInformation { file_name: p.name() }, FileNameInformation);
        same!(
            FileRenameInformation {
                replace_if_exists: p.bool(),
                root_directory: p.u64(),
                file_name: p.name(),
            },
            FileRenameInformation
        );
        same!(
            FileLinkInformation {
                replace_if_exists: p.bool(),
                root_directory: p.u64(),
                file_name: p.name(),
            },
            FileLinkInformation
        );
        same!(
            FileRenameInformationEx {
                flags: p.u32(),
                root_directory: p.u64(),
                file_name: p.name(),
            },
            FileRenameInformationEx
        );
    }

    #[test]
    fn file_system_information(bytes in pool()) {
        let p = &mut Pool(&bytes);
        same!(
            FileFsVolumeInformation {
                volume_creation_time: p.time(),
                volume_serial_number: p.u32(),
                supports_objects: p.bool(),
                volume_label: p.name(),
            },
            FileFsVolumeInformation
        );
        same!(
            FileFsSizeInformation {
                total_allocation_units: p.u64(),
                available_allocation_units: p.u64(),
                sectors_per_allocation_unit: p.u32(),
                bytes_per_sector: p.u32(),
            },
            FileFsSizeInformation
        );
        same!(
            FileFsDeviceInformation { device_type: p.u32(), characteristics: p.u32() },
            FileFsDeviceInformation
        );
        same!(
            FileFsFullSizeInformation {
                total_allocation_units: p.u64(),
                caller_available_allocation_units: p.u64(),
                actual_available_allocation_units: p.u64(),
                sectors_per_allocation_unit: p.u32(),
                bytes_per_sector: p.u32(),
            },
            FileFsFullSizeInformation
        );
        same!(
            FileFsObjectIdInformation { object_id: p.guid(), extended_info: p.array() },
            FileFsObjectIdInformation
        );
        same!(
            FileFsSectorSizeInformation {
                logical_bytes_per_sector: p.u32(),
                physical_bytes_per_sector_for_atomicity: p.u32(),
                physical_bytes_per_sector_for_performance: p.u32(),
                file_system_effective_physical_bytes_per_sector_for_atomicity: p.u32(),
                flags: p.u32(),
                byte_offset_for_sector_alignment: p.u32(),
                byte_offset_for_partition_alignment: p.u32(),
            },
            FileFsSectorSizeInformation
        );
        same!(
            FileFsAttributeInformation {
                file_system_attributes: FileSystemAttributes::from_bits_retain(p.u32()),
                maximum_component_name_length: p.u32(),
                file_system_name: p.name(),
            },
            FileFsAttributeInformation
        );
    }

    #[test]
    fn lists(bytes in pool()) {
        let p = &mut Pool(&bytes);
        let streams = p.list(|p| FileStreamInformation {
            stream_size: p.u64(),
            stream_allocation_size: p.u64(),
            stream_name: p.name(),
        });
        let mut out = Vec::new();
        encode_streams(&streams, &mut out);
        let decoded: Result<Vec<_>, _> = decode_streams(&out).collect();
        // The name of every stream but the last one ends with the padding only if its length says
        // so.
        prop_assert_eq!(decoded, Ok(streams));

        let changes = p.list(|p| FileNotifyInformation {
            action: NotifyAction(p.u32()),
            file_name: p.name(),
        });
        let mut out = Vec::new();
        encode_notify(&changes, &mut out);
        let decoded: Result<Vec<_>, _> = decode_notify(&out).collect();
        prop_assert_eq!(decoded, Ok(changes));

        let attributes = p.list(|p| FullEa {
            flags: p.u8(),
            ea_name: p.bytes(30),
            ea_value: p.bytes(30),
        });
        let mut out = Vec::new();
        encode_full_ea(&attributes, &mut out);
        let decoded: Result<Vec<_>, _> = decode_full_ea(&out).collect();
        prop_assert_eq!(decoded, Ok(attributes));
    }

    #[test]
    fn directories(bytes in pool()) {
        let p = &mut Pool(&bytes);
        for class in [
            FileInfoClass::NAMES,
            FileInfoClass::DIRECTORY,
            FileInfoClass::FULL_DIRECTORY,
            FileInfoClass::ID_FULL_DIRECTORY,
            FileInfoClass::BOTH_DIRECTORY,
            FileInfoClass::ID_BOTH_DIRECTORY,
        ] {
            let entries = p.list(|p| generate::entry(p, class));
            let mut out = Vec::new();
            encode_directory(class, &entries, &mut out).unwrap();
            let decoded: Result<Vec<_>, _> = decode_directory(class, &out).unwrap().collect();
            prop_assert_eq!(decoded, Ok(entries));
        }
    }

    #[test]
    fn guids_as_text(bytes in any::<[u8; 16]>()) {
        let guid = Guid(bytes);
        prop_assert_eq!(guid.to_string().parse(), Ok(guid));
        prop_assert_eq!(format!("{{{guid}}}").to_uppercase().parse(), Ok(guid));
    }

    #[test]
    fn strings(text in any::<String>()) {
        let string = UnicodeString::from(text.as_str());
        prop_assert_eq!(string.to_string_lossy(), text.clone());
        prop_assert_eq!(string.to_utf8(), Some(text));
    }

    /// Every set of flags, known or not, is written in words that lead back to it.
    #[test]
    fn words(bits in any::<u32>()) {
        let mask = AccessMask::from_bits_retain(bits);
        let read = mask.words().split('|').filter(|word| *word != "0").fold(
            AccessMask::empty(),
            |all, word| all | AccessMask::from_word(word).unwrap(),
        );
        prop_assert_eq!(read, mask);
    }
}

#[test]
fn values_have_their_words() {
    assert_eq!(OplockLevel(0x09).to_string(), "batch");
    assert_eq!(OplockLevel(0x02).to_string(), "0x2");
    assert_eq!(OplockLevel::from_word("II"), Some(OplockLevel::II));
    assert_eq!(CreateDisposition::OVERWRITE_IF.word(), Some("overwrite-if"));
    assert_eq!(LockFlags::FAIL_IMMEDIATELY.bits(), 0x10);
    assert_eq!(
        (LockFlags::EXCLUSIVE_LOCK | LockFlags::FAIL_IMMEDIATELY).to_string(),
        "exclusive-lock|fail-immediately"
    );
    assert_eq!(LeaseState::from_bits_retain(7).letters(), "RWH");
    assert_eq!(
        LeaseState::from_letters("rh"),
        Some(LeaseState::from_bits_retain(3))
    );
    assert_eq!(LeaseState::from_letters("RR"), None);
    assert_eq!(ShareAccess::from_word("Delete"), Some(ShareAccess::DELETE));
    assert_eq!(AccessMask::from_word("no-such-right"), None);
}
