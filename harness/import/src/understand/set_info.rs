//! SET_INFO of files: the arguments of its step.

use super::draft::Draft;
use super::lanes::{Key, Touch};
use super::names::WirePath;
use super::paths::{base, listings};
use super::request::Reason;
use super::world::World;
use replay_ir::OwnedValue;
use smb_vocabulary::{time, words};
use smb_wire::fscc::{
    FileAllocationInformation, FileBasicInformation, FileDispositionInformation,
    FileDispositionInformationEx, FileEndOfFileInformation, FileLinkInformation,
    FileModeInformation, FilePositionInformation, FileRenameInformation, FileRenameInformationEx,
};
use smb_wire::messages::SetInfoRequest;
use smb_wire::{CreateOptions, FileAttributes, FileInfoClass, InfoType};

impl World {
    pub(super) fn set_info(
        &mut self,
        draft: Draft,
        request: &SetInfoRequest,
        path: &str,
        prefix: &str,
        touches: &mut Vec<(Key, Touch)>,
    ) -> Result<Draft, Reason> {
        const DECODE: Reason = "its buffer does not decode";
        match request.info_type {
            InfoType::FILE => {}
            _ => return Err("the trace has no verb for it: file systems and quotas"),
        }
        let data = &request.buffer[..];
        let with = |class: &'static str| draft.arg("class", class);
        Ok(match FileInfoClass(request.file_info_class) {
            FileInfoClass::BASIC => {
                let basic = FileBasicInformation::decode(data).map_err(|_| DECODE)?;
                let at = |at| OwnedValue::Token(time::write(at));
                let zero = smb_wire::Filetime(0);
                with("basic")
                    .unless(
                        "attributes",
                        basic.file_attributes,
                        FileAttributes::empty(),
                        |value| words::ATTRIBUTES.write(value).into(),
                    )
                    .unless("created", basic.creation_time, zero, at)
                    .unless("accessed", basic.last_access_time, zero, at)
                    .unless("written", basic.last_write_time, zero, at)
                    .unless("changed", basic.change_time, zero, at)
            }
            FileInfoClass::RENAME => {
                let to = FileRenameInformation::decode(data).map_err(|_| DECODE)?;
                let new = self.new_path(&to.file_name, to.root_directory, prefix)?;
                touches.push((Key::path(base(&new)), Touch::Change));
                touches.extend(listings(path, Touch::Change));
                touches.extend(listings(&new, Touch::Change));
                with("rename")
                    .arg("path", self.names.path(&new))
                    .flag("replace", to.replace_if_exists)
            }
            FileInfoClass::LINK => {
                let to = FileLinkInformation::decode(data).map_err(|_| DECODE)?;
                let new = self.new_path(&to.file_name, to.root_directory, prefix)?;
                touches.push((Key::path(&new), Touch::Change));
                touches.extend(listings(&new, Touch::Change));
                let new = self.names.path(&new);
                with("link")
                    .arg("path", new)
                    .flag("replace", to.replace_if_exists)
            }
            FileInfoClass::DISPOSITION => {
                let disposition = FileDispositionInformation::decode(data).map_err(|_| DECODE)?;
                touches.push((Key::listing(path), Touch::Look));
                with("disposition").flag("keep", !disposition.delete_pending)
            }
            FileInfoClass::END_OF_FILE => {
                let size = FileEndOfFileInformation::decode(data).map_err(|_| DECODE)?;
                with("end-of-file").arg("size", size.end_of_file)
            }
            FileInfoClass::ALLOCATION => {
                let size = FileAllocationInformation::decode(data).map_err(|_| DECODE)?;
                with("allocation").arg("size", size.allocation_size)
            }
            FileInfoClass::POSITION => {
                let position = FilePositionInformation::decode(data).map_err(|_| DECODE)?;
                with("position").arg("size", position.current_byte_offset)
            }
            FileInfoClass::MODE => {
                let mode = FileModeInformation::decode(data).map_err(|_| DECODE)?;
                let mode = CreateOptions::from_bits_retain(mode.mode);
                with("mode").arg("mode", words::OPTIONS.write(mode))
            }
            FileInfoClass::FULL_EA => with("full-ea").arg("ea", self.attributes(data)?),
            FileInfoClass::VALID_DATA_LENGTH => {
                let size: &[u8; 8] = data.first_chunk().ok_or(DECODE)?;
                with("valid-data-length").arg("size", u64::from_le_bytes(*size))
            }
            FileInfoClass::DISPOSITION_EX => {
                let disposition = FileDispositionInformationEx::decode(data).map_err(|_| DECODE)?;
                touches.push((Key::listing(path), Touch::Look));
                with("disposition-ex").arg("flags", flags(disposition.flags))
            }
            FileInfoClass::RENAME_EX => {
                let to = FileRenameInformationEx::decode(data).map_err(|_| DECODE)?;
                let new = self.new_path(&to.file_name, to.root_directory, prefix)?;
                touches.push((Key::path(base(&new)), Touch::Change));
                touches.extend(listings(path, Touch::Change));
                touches.extend(listings(&new, Touch::Change));
                with("rename-ex")
                    .arg("path", self.names.path(&new))
                    .arg("flags", flags(to.flags))
            }
            _ => return Err("the trace has no verb for it: this information class"),
        })
    }

    /// The new path of a rename or link: that of a stream is `:name:$DATA` alone.
    fn new_path(
        &self,
        name: &smb_wire::UnicodeString,
        root_directory: u64,
        prefix: &str,
    ) -> Result<String, Reason> {
        if root_directory != 0 {
            return Err("it renames relative to a directory");
        }
        if let Some(stream) = name.to_utf8().filter(|name| name.starts_with(':')) {
            return Ok(stream);
        }
        match self.path_of(name, false, prefix)? {
            WirePath::Below(path) => Ok(path),
            WirePath::Raw(_) => Err("a new path that cannot be below the trace's root"),
        }
    }
}

fn flags(flags: u32) -> OwnedValue {
    OwnedValue::Token(format!("{flags:#x}"))
}
