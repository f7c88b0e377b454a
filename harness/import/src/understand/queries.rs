//! QUERY_DIRECTORY and QUERY_INFO: the arguments of their steps.

use super::draft::Draft;
use super::request::{Reason, buffer};
use super::world::World;
use smb_vocabulary::words;
use smb_wire::messages::{QueryDirectoryRequest, QueryInfoRequest};
use smb_wire::{InfoType, QueryDirectoryFlags};

impl World {
    pub(super) fn query_directory(
        &mut self,
        draft: Draft,
        request: &QueryDirectoryRequest,
    ) -> Result<Draft, Reason> {
        let pattern = request
            .file_name
            .to_utf8()
            .ok_or("a pattern that is not UTF-16")?;
        let pattern = self.names.pattern(&pattern);
        let flags = request.flags;
        let class = words::DIRECTORY_CLASS.write(request.file_information_class);
        let mut draft = draft
            .unless("pattern", pattern, "*".to_owned(), Into::into)
            .unless("class", class, "id-both".to_owned(), Into::into)
            .flag(
                "restart",
                flags.contains(QueryDirectoryFlags::RESTART_SCANS),
            )
            .flag(
                "single",
                flags.contains(QueryDirectoryFlags::RETURN_SINGLE_ENTRY),
            )
            .flag("reopen", flags.contains(QueryDirectoryFlags::REOPEN));
        if flags.contains(QueryDirectoryFlags::INDEX_SPECIFIED) {
            draft = draft.arg("index", u64::from(request.file_index));
        }
        Ok(buffer(draft, request.output_buffer_length))
    }

    pub(super) fn query_info(
        &mut self,
        draft: Draft,
        request: &QueryInfoRequest,
    ) -> Result<Draft, Reason> {
        let draft = match request.info_type {
            InfoType::FILE => {
                let class = smb_wire::FileInfoClass(request.file_info_class);
                let draft = draft.arg("class", words::FILE_CLASS.write(class));
                match (class, request.buffer.is_empty()) {
                    (smb_wire::FileInfoClass::FULL_EA, empty) => {
                        let draft = draft
                            .flag("restart", request.flags & 1 != 0)
                            .flag("single", request.flags & 2 != 0);
                        match empty {
                            true => draft,
                            false => draft.arg("names", self.attribute_names(&request.buffer)?),
                        }
                    }
                    (_, true) => draft,
                    (_, false) => return Err("the trace has no verb for it: with an input buffer"),
                }
            }
            InfoType::FILESYSTEM => {
                let class = smb_wire::FsInfoClass(request.file_info_class);
                let draft = draft.arg("class", words::FS_CLASS.write(class));
                Draft {
                    verb: "query-fs",
                    ..draft
                }
            }
            InfoType::SECURITY => Draft {
                verb: "query-security",
                ..Self::query_security(draft, request)
            },
            _ => return Err("the trace has no verb for it: quotas"),
        };
        Ok(buffer(draft, request.output_buffer_length))
    }
}
