//! A capture of a client that works with secrets only.

use super::captures::{Ends, Exchanges, id, pcap};
use super::elsewhere;
use replay_import::capture::LinkType;
use smb_wire::fscc::{
    DirectoryEntry, EntryDetails, FileRenameInformation, FileStreamInformation, FullEa,
    encode_directory, encode_full_ea, encode_get_ea, encode_streams,
};
use smb_wire::messages::*;
use smb_wire::security::{Sid, sddl};
use smb_wire::*;

/// What a customer would not want to see again. All are long enough not to come about by chance.
pub(crate) const SECRETS: [&str; 47] = [
    "hernandez",
    "megacorp",
    "wolverine",
    "fileserver",
    "payrolls",
    "mergerplans",
    "takeover",
    "annotation",
    "blueprint",
    "restructure",
    "obituary",
    "layoffs",
    "confidential",
    "portfolio",
    "whistleblower",
    "acquisition",
    "severance",
    "10.0.0.",
    "topsecretlease",
    "1122334455",
    "778899001",
    "referralroot",
    "symboliclink",
    "attributename",
    "attributevalue",
    "secretinstance!!",
    "746f7073656372",
    "kerberosrealm",
    "ticketholder",
    "hostprincipal",
    "netnameofserver",
    "remotedperson",
    "redirectedhost",
    "linktarget",
    "printedname",
    "dfsnamespace",
    "dfssite",
    "boardroom",
    "pipepayload",
    "rpcanswer",
    "transceived",
    "secretpipe",
    "avnbdomain",
    "avdnscomputer",
    "avdnstree",
    "avtargetname",
    "unknowncontext",
];

pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// An NTLM AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3), with this behind the proof in its response.
pub(crate) fn authenticate(domain: &str, user: &str, host: &str, rest: &[u8]) -> Vec<u8> {
    let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
    let mut payload = Vec::new();
    let response = [&[0x5a; 16], rest].concat();
    let [domain, user, host] = [domain, user, host].map(utf16);
    for bytes in [Vec::new(), response, domain, user, host, Vec::new()] {
        let length = (bytes.len() as u16).to_le_bytes();
        message.extend(length);
        message.extend(length);
        message.extend((64 + payload.len() as u32).to_le_bytes());
        payload.extend(bytes);
    }
    message.extend([0; 4]);
    message.extend(payload);
    message
}

pub(crate) fn create(name: &str) -> CreateRequest {
    CreateRequest {
        desired_access: AccessMask::from_bits_retain(0x0012_0089),
        share_access: ShareAccess::from_bits_retain(7),
        create_disposition: CreateDisposition::OPEN,
        impersonation_level: ImpersonationLevel::IMPERSONATION,
        name: name.into(),
        ..CreateRequest::default()
    }
}

pub(crate) fn opened(file_id: FileId, directory: bool) -> CreateResponse {
    CreateResponse {
        create_action: CreateAction::OPENED,
        end_of_file: 400,
        file_attributes: match directory {
            true => FileAttributes::DIRECTORY,
            false => FileAttributes::ARCHIVE,
        },
        file_id,
        ..CreateResponse::default()
    }
}

/// Control codes whose input has names in it.
fn controlled(all: &mut Exchanges) {
    let codes = [
        (CtlCode::SET_REPARSE_POINT, id(2), r"\??\C:\SymbolicLink"),
        (
            CtlCode::DFS_GET_REFERRALS,
            FileId::RELATED,
            r"\ReferralRoot\Payrolls",
        ),
        (CtlCode(0x0009_1234), id(2), "Wolverine"),
    ];
    for (ctl_code, file_id, name) in codes {
        all.ok(
            Request::Ioctl(IoctlRequest {
                ctl_code,
                file_id,
                input: utf16(name),
                max_output_response: 4096,
                flags: IoctlFlags::IS_FSCTL,
                ..IoctlRequest::default()
            }),
            Response::Ioctl(IoctlResponse {
                ctl_code,
                file_id,
                output: utf16("ReferralRoot to SymbolicLink"),
                ..IoctlResponse::default()
            }),
        );
    }
}

/// Security descriptors, extended attributes, and what names a durable open.
fn secured(all: &mut Exchanges) {
    let sid = |text: &str| text.parse::<Sid>().expect("an identifier");
    let owner = "S-1-5-21-1122334455-778899001-3344556677-1107";
    let descriptor = sddl::parse(
        &format!(
            "O:{owner}G:S-1-5-21-1122334455-778899001-3344556677-513D:(A;;FA;;;{owner})(A;;FR;;;WD)"
        ),
        &mut |_| None,
    );
    let mut buffer = Vec::new();
    descriptor.expect("a descriptor").encode(&mut buffer);
    assert!(buffer.len() > sid(owner).size());
    let parts = AdditionalInformation::OWNER | AdditionalInformation::DACL;
    let on_security = |buffer| {
        Request::SetInfo(SetInfoRequest {
            info_type: InfoType::SECURITY,
            additional_information: parts,
            file_id: id(2),
            buffer,
            ..SetInfoRequest::default()
        })
    };
    all.ok(
        on_security(buffer.clone()),
        Response::SetInfo(SetInfoResponse),
    );
    all.ok(
        Request::QueryInfo(QueryInfoRequest {
            info_type: InfoType::SECURITY,
            additional_information: parts,
            output_buffer_length: 4096,
            file_id: id(2),
            ..QueryInfoRequest::default()
        }),
        Response::QueryInfo(QueryInfoResponse {
            buffer: buffer.clone(),
        }),
    );
    let attribute = FullEa {
        ea_name: b"AttributeName".to_vec(),
        ea_value: b"AttributeValue".to_vec(),
        ..FullEa::default()
    };
    let (mut attributes, mut asked) = (Vec::new(), Vec::new());
    encode_full_ea(std::slice::from_ref(&attribute), &mut attributes);
    encode_get_ea([&attribute.ea_name[..]], &mut asked);
    all.ok(
        Request::SetInfo(SetInfoRequest {
            info_type: InfoType::FILE,
            file_info_class: FileInfoClass::FULL_EA.0,
            file_id: id(2),
            buffer: attributes.clone(),
            ..SetInfoRequest::default()
        }),
        Response::SetInfo(SetInfoResponse),
    );
    all.ok(
        Request::QueryInfo(QueryInfoRequest {
            info_type: InfoType::FILE,
            file_info_class: FileInfoClass::FULL_EA.0,
            output_buffer_length: 4096,
            file_id: id(2),
            buffer: asked,
            ..QueryInfoRequest::default()
        }),
        Response::QueryInfo(QueryInfoResponse { buffer: attributes }),
    );
    let mut durable = create(r"MergerPlans\Severance.docx");
    durable.create_contexts = vec![
        RequestContext::SdBuffer(buffer),
        RequestContext::AppInstanceId(Guid(*b"secretinstance!!")),
        RequestContext::DurableHandleRequestV2(DurableHandleRequestV2 {
            create_guid: Guid(*b"topsecretguid!!!"),
            ..DurableHandleRequestV2::default()
        }),
    ];
    all.ok(
        Request::Create(durable),
        Response::Create(opened(id(3), false)),
    );
    let mut again = create(r"MergerPlans\Severance.docx");
    again.create_contexts = vec![RequestContext::DurableHandleReconnectV2(
        DurableHandleReconnectV2 {
            file_id: id(3),
            create_guid: Guid(*b"topsecretanother"),
            ..DurableHandleReconnectV2::default()
        },
    )];
    all.refused(Request::Create(again), 0xC000_0034);
    // Of a handle that is closed: sent as it was, without what is in it.
    all.refused(
        Request::Write(WriteRequest {
            file_id: id(77),
            data: b"acquisition".to_vec(),
            ..WriteRequest::default()
        }),
        0xC000_0128,
    );
}

/// Clients that work with secrets only.
pub(crate) fn capture() -> Vec<u8> {
    let mut all = Exchanges::new();
    all.negotiate();
    all.log_in(&authenticate("MegaCorp", "hernandez", "WOLVERINE", &[]));
    all.tree(r"\\FILESERVER\Payrolls");

    let mut directory = create("MergerPlans");
    directory.create_contexts = vec![
        RequestContext::EaBuffer(b"\0\0\0\0\0\x09\x0c\0portfolio\0confidential".to_vec()),
        RequestContext::Other {
            name: b"severance".to_vec(),
            data: b"whistleblower".to_vec(),
        },
    ];
    all.ok(
        Request::Create(directory),
        Response::Create(opened(id(1), true)),
    );
    let entry = |name: &str| DirectoryEntry {
        details: Some(EntryDetails::default()),
        ea_size: Some(0),
        short_name: Some("OBITUA~1.TXT".into()),
        file_id: Some(9),
        file_name: name.into(),
        ..DirectoryEntry::default()
    };
    let mut buffer = Vec::new();
    let entries = [
        entry("Obituary of Hernandez.txt"),
        entry("LAYOFFS 2031.xlsx"),
    ];
    encode_directory(FileInfoClass::ID_BOTH_DIRECTORY, &entries, &mut buffer).expect("it works");
    all.ok(
        Request::QueryDirectory(QueryDirectoryRequest {
            file_information_class: FileInfoClass::ID_BOTH_DIRECTORY,
            file_id: id(1),
            output_buffer_length: 65_536,
            file_name: "layoffs*".into(),
            ..QueryDirectoryRequest::default()
        }),
        Response::QueryDirectory(QueryDirectoryResponse { buffer }),
    );
    let mut file = create(r"MergerPlans\Takeover of Blueprint.docx:Annotation");
    file.create_contexts = vec![RequestContext::Lease(Lease {
        lease_key: Guid(*b"topsecretlease!!"),
        ..Lease::default()
    })];
    file.requested_oplock_level = OplockLevel::LEASE;
    all.ok(
        Request::Create(file),
        Response::Create(opened(id(2), false)),
    );
    all.write(id(2), b"confidential: the acquisition of hernandez");
    all.read(id(2), 100, 300, &b"acquisition".repeat(20));
    let mut buffer = Vec::new();
    let streams = [FileStreamInformation {
        stream_name: ":Annotation:$DATA".into(),
        ..FileStreamInformation::default()
    }];
    encode_streams(&streams, &mut buffer);
    all.ok(
        Request::QueryInfo(QueryInfoRequest {
            info_type: InfoType::FILE,
            file_info_class: FileInfoClass::STREAM.0,
            output_buffer_length: 4096,
            file_id: id(2),
            ..QueryInfoRequest::default()
        }),
        Response::QueryInfo(QueryInfoResponse { buffer }),
    );
    let mut buffer = Vec::new();
    let rename = FileRenameInformation {
        file_name: r"MergerPlans\Restructure.docx".into(),
        ..FileRenameInformation::default()
    };
    rename.encode(&mut buffer);
    all.ok(
        Request::SetInfo(SetInfoRequest {
            info_type: InfoType::FILE,
            file_info_class: FileInfoClass::RENAME.0,
            file_id: id(2),
            buffer,
            ..SetInfoRequest::default()
        }),
        Response::SetInfo(SetInfoResponse),
    );
    controlled(&mut all);
    secured(&mut all);
    all.close(id(2));
    all.refused(
        Request::Create(create(r"\MergerPlans\Portfolio.pdf")),
        0xC000_000D,
    );
    let mut packets = Ends::v4(445).conversation(&all.frames, 1400, LinkType::Ethernet, 0);
    for (port, other) in (50_001..).zip(elsewhere::all()) {
        let ends = Ends::v4(445).with_client_port(port);
        packets.extend(ends.conversation(&other.frames, 1400, LinkType::Ethernet, 0));
    }
    pcap(&packets, 1, false, false)
}
