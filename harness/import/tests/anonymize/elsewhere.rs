//! Secrets outside of names of files: in log-ins, contexts, errors, referrals and pipes.

use super::captures::{Exchanges, id};
use super::planted::{authenticate, create, opened, utf16};
use smb_wire::messages::*;
use smb_wire::*;

/// What each further client says and hears.
pub(crate) fn all() -> [Exchanges; 3] {
    [by_kerberos(), by_ntlm(), anonymously()]
}

/// A counted field of DER (X.690 8.1), short enough for one byte of length or two.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ 0..0x80 => vec![short as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag], &length[..], content].concat()
}

/// An AP-REQ (RFC 4120 5.5.1) in a NegTokenInit: the ticket names the realm and the server in the clear. That its
/// encrypted parts tell names is not so in a real one.
fn ap_req() -> Vec<u8> {
    let string = |text: &str| der(0x1b, text.as_bytes());
    let names = der(
        0x30,
        &[string("cifs"), string("HostPrincipal.example")].concat(),
    );
    let ticket = [
        der(0xa0, &[2, 1, 5]),
        der(0xa1, &string("KERBEROSREALM.EXAMPLE")),
        der(
            0xa2,
            &der(0x30, &[der(0xa0, &[2, 1, 2]), der(0xa1, &names)].concat()),
        ),
        der(
            0xa3,
            &der(0x30, &der(0xa2, &der(0x04, b"TicketHolder@KERBEROSREALM"))),
        ),
    ]
    .concat();
    let request = der(
        0x6e,
        &der(0x30, &der(0xa3, &der(0x61, &der(0x30, &ticket)))),
    );
    let kerberos = [0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2];
    let token = der(0x60, &[&kerberos[..], &[1, 0], &request].concat());
    let mechanisms = der(0xa0, &der(0x30, &kerberos));
    let init = der(
        0xa0,
        &der(0x30, &[mechanisms, der(0xa2, &der(0x04, &token))].concat()),
    );
    let spnego = [0x06, 6, 0x2b, 6, 1, 5, 5, 2];
    der(0x60, &[&spnego[..], &init].concat())
}

/// A TREE_CONNECT context (MS-SMB2 2.2.9.2) with a principal's name in it.
fn tree_contexts(name: &str) -> Vec<u8> {
    let data = utf16(name);
    let mut context = 1_u16.to_le_bytes().to_vec();
    context.extend((data.len() as u16).to_le_bytes());
    context.extend([0; 4]);
    context.extend(data);
    context
}

/// SYMBOLIC_LINK_ERROR_RESPONSE (MS-SMB2 2.2.2.2.1).
fn link_error(target: &str, printed: &str) -> Vec<u8> {
    let (target, printed) = (utf16(target), utf16(printed));
    let mut error = Vec::new();
    error.extend((24 + target.len() as u32 + printed.len() as u32).to_le_bytes());
    error.extend(0x4c4d_5953_u32.to_le_bytes());
    error.extend(0xa000_000c_u32.to_le_bytes());
    error.extend((12 + target.len() as u16 + printed.len() as u16).to_le_bytes());
    error.extend([0; 2]);
    for (offset, part) in [(0, &target), (target.len(), &printed)] {
        error.extend((offset as u16).to_le_bytes());
        error.extend((part.len() as u16).to_le_bytes());
    }
    error.extend([0; 4]);
    error.extend(target);
    error.extend(printed);
    error
}

fn by_kerberos() -> Exchanges {
    let mut all = Exchanges::new();
    let contexts = vec![
        NegotiateContext::NetName("NetNameOfServer.example".into()),
        NegotiateContext::Other {
            context_type: 0x7777,
            data: utf16("UnknownContext"),
        },
    ];
    all.ok(
        Request::Negotiate(NegotiateRequest {
            dialects: vec![Dialect::SMB_3_1_1],
            negotiate_contexts: contexts.clone(),
            ..NegotiateRequest::default()
        }),
        Response::Negotiate(NegotiateResponse {
            dialect_revision: Dialect::SMB_3_1_1,
            negotiate_contexts: contexts,
            buffer: ap_req(),
            ..NegotiateResponse::default()
        }),
    );
    all.ok(
        Request::SessionSetup(SessionSetupRequest {
            buffer: ap_req(),
            ..SessionSetupRequest::default()
        }),
        Response::SessionSetup(SessionSetupResponse {
            buffer: ap_req(),
            ..SessionSetupResponse::default()
        }),
    );
    all.ok(
        Request::TreeConnect(TreeConnectRequest {
            flags: TreeConnectFlags::EXTENSION_PRESENT,
            path: r"\\NetNameOfServer.example\Boardroom$".into(),
            extension: vec![0; 16],
            contexts: tree_contexts("RemotedPerson"),
        }),
        Response::TreeConnect(TreeConnectResponse {
            share_type: ShareType::DISK,
            ..TreeConnectResponse::default()
        }),
    );
    let stopped = 0x8000_002D;
    let error = link_error(r"\??\C:\LinkTarget", r"C:\PrintedName");
    for error in [
        ErrorResponse {
            error_data: error.clone(),
            ..ErrorResponse::default()
        },
        ErrorResponse {
            error_contexts: vec![
                ErrorContext {
                    error_id: 0,
                    error_context_data: error,
                },
                ErrorContext {
                    error_id: 0x7264_5253,
                    error_context_data: utf16("RedirectedHost"),
                },
            ],
            ..ErrorResponse::default()
        },
    ] {
        let request = Request::Create(create(r"Boardroom\Shortcut.lnk"));
        all.exchange(request, stopped, Response::Error(error));
    }
    let input = [&[4, 0], &utf16(r"\DfsNamespace\Boardroom")[..], &[0, 0]].concat();
    for (ctl_code, status) in [
        (CtlCode::DFS_GET_REFERRALS, 0),
        (CtlCode::DFS_GET_REFERRALS_EX, 0),
        (CtlCode::DFS_GET_REFERRALS, 0xC000_0225),
    ] {
        let request = Request::Ioctl(IoctlRequest {
            ctl_code,
            file_id: FileId::RELATED,
            input: input.clone(),
            max_output_response: 4096,
            flags: IoctlFlags::IS_FSCTL,
            ..IoctlRequest::default()
        });
        let answer = Response::Ioctl(IoctlResponse {
            ctl_code,
            file_id: FileId::RELATED,
            output: utf16(r"\DfsSite\Boardroom"),
            ..IoctlResponse::default()
        });
        match status {
            0 => all.ok(request, answer),
            status => all.refused(request, status),
        }
    }
    all
}

/// AV_PAIRs of MS-NLMP, of all kinds that hold text.
fn target_info() -> Vec<u8> {
    let mut pairs = Vec::new();
    for (kind, text) in [
        (1_u16, "WOLVERINE"),
        (2, "AvNbDomain"),
        (3, "AvDnsComputer.example"),
        (4, "MegaCorp.example"),
        (5, "AvDnsTree.example"),
        (9, "cifs/AvTargetName"),
        (0, ""),
    ] {
        let text = utf16(text);
        pairs.extend(kind.to_le_bytes());
        pairs.extend((text.len() as u16).to_le_bytes());
        pairs.extend(text);
    }
    pairs
}

fn by_ntlm() -> Exchanges {
    let mut all = Exchanges::new();
    all.negotiate();
    let mut challenge = b"NTLMSSP\0\x02\0\0\0".to_vec();
    challenge.extend([0; 36]);
    challenge.extend(target_info());
    all.exchange(
        Request::SessionSetup(SessionSetupRequest {
            buffer: b"NTLMSSP\0\x01\0\0\0WOLVERINE MegaCorp".to_vec(),
            ..SessionSetupRequest::default()
        }),
        ntstatus::MORE_PROCESSING_REQUIRED,
        Response::SessionSetup(SessionSetupResponse {
            buffer: challenge,
            ..SessionSetupResponse::default()
        }),
    );
    all.log_in(&authenticate(
        "MegaCorp",
        "hernandez",
        "WOLVERINE",
        &target_info(),
    ));
    all.ok(
        Request::TreeConnect(TreeConnectRequest {
            path: r"\\FILESERVER\IPC$".into(),
            ..TreeConnectRequest::default()
        }),
        Response::TreeConnect(TreeConnectResponse {
            share_type: ShareType::PIPE,
            ..TreeConnectResponse::default()
        }),
    );
    all.ok(
        Request::Create(create("SecretPipe")),
        Response::Create(opened(id(4), false)),
    );
    all.write(id(4), &utf16("PipePayload for Hernandez"));
    all.read(id(4), 0, 1024, &utf16("RpcAnswer: Boardroom"));
    all.ok(
        Request::Ioctl(IoctlRequest {
            ctl_code: CtlCode::PIPE_TRANSCEIVE,
            file_id: id(4),
            input: utf16("Transceived PipePayload"),
            max_output_response: 1024,
            flags: IoctlFlags::IS_FSCTL,
            ..IoctlRequest::default()
        }),
        Response::Ioctl(IoctlResponse {
            ctl_code: CtlCode::PIPE_TRANSCEIVE,
            file_id: id(4),
            output: utf16("RpcAnswer"),
            ..IoctlResponse::default()
        }),
    );
    all
}

/// Who fails to log in, and a share that is not there.
fn anonymously() -> Exchanges {
    let mut all = Exchanges::new();
    all.negotiate();
    all.refused(
        Request::SessionSetup(SessionSetupRequest {
            buffer: authenticate("MegaCorp", "hernandez", "WOLVERINE", &target_info()),
            ..SessionSetupRequest::default()
        }),
        0xC000_006D,
    );
    all.log_in(&authenticate("", "", "", &[]));
    all.refused(
        Request::TreeConnect(TreeConnectRequest {
            path: r"\\FILESERVER\Boardroom".into(),
            ..TreeConnectRequest::default()
        }),
        0xC000_00CC,
    );
    all.tree(r"\\FILESERVER\Payrolls");
    all.refused(
        Request::Create(create(r"Layoffs\Severance.pdf")),
        0xC000_0022,
    );
    all
}
