//! Frames as a server might send them, and the structures that their buffers hold: what decodes must
//! be encoded to something that decodes to the same value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smb_wire::fscc::*;
use smb_wire::messages::CompressionTransformHeader;
use smb_wire::{FileInfoClass, Response, split_compound};

fuzz_target!(|frame: &[u8]| {
    let _ = CompressionTransformHeader::decode(frame);
    for part in split_compound(frame) {
        let Ok((header, message)) = part else { break };
        let Ok(response) = Response::decode(message) else {
            continue;
        };
        let mut again = Vec::new();
        header.encode(&mut again);
        response.encode(&mut again);
        assert!(again.len() <= 4 * message.len() + 1024);
        assert_eq!(Response::decode(&again).as_ref(), Ok(&response));
        match response {
            Response::QueryDirectory(response) => structures(&response.buffer),
            Response::QueryInfo(response) => structures(&response.buffer),
            Response::ChangeNotify(response) => structures(&response.buffer),
            _ => {}
        }
    }
    structures(frame);
});

fn structures(data: &[u8]) {
    macro_rules! same {
        ($($structure:ty),*) => {$(
            if let Ok(value) = <$structure>::decode(data) {
                let mut again = Vec::new();
                value.encode(&mut again);
                assert_eq!(<$structure>::decode(&again), Ok(value));
            }
        )*};
    }
    same!(
        FileAllInformation,
        FileBasicInformation,
        FileStandardInformation
    );
    same!(
        FileNameInformation,
        FileRenameInformation,
        FileRenameInformationEx,
        FileLinkInformation
    );
    same!(
        FileFsVolumeInformation,
        FileFsAttributeInformation,
        FileFsObjectIdInformation
    );
    same!(
        FileFsSectorSizeInformation,
        FileNetworkOpenInformation,
        FileDispositionInformation
    );
    list(decode_streams(data).collect(), encode_streams, |again| {
        decode_streams(again).collect()
    });
    list(decode_notify(data).collect(), encode_notify, |again| {
        decode_notify(again).collect()
    });
    list(decode_full_ea(data).collect(), encode_full_ea, |again| {
        decode_full_ea(again).collect()
    });
    for class in [1, 2, 3, 12, 37, 38].map(FileInfoClass) {
        let decode = |data: &[u8]| decode_directory(class, data).and_then(Iterator::collect);
        let encode = |entries: &[DirectoryEntry], out: &mut Vec<u8>| {
            encode_directory(class, entries, out).expect("a class of directory entries");
        };
        list(decode(data), encode, decode);
    }
}

type Items<T> = Result<Vec<T>, smb_wire::Error>;

fn list<T: PartialEq + std::fmt::Debug>(
    items: Items<T>,
    encode: impl Fn(&[T], &mut Vec<u8>),
    decode: impl Fn(&[u8]) -> Items<T>,
) {
    let Ok(items) = items else { return };
    let mut again = Vec::new();
    encode(&items, &mut again);
    assert_eq!(decode(&again), Ok(items));
}
