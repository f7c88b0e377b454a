//! What clients say and servers answer, as frames.

use replay_import::capture::Direction;
use smb_wire::messages::*;
use smb_wire::{
    Command, Dialect, FileId, Flags, FrameBuilder, Guid, Header, HeaderForm, Request, Response,
};

/// A header of message `id`.
pub(crate) fn header(id: u64, flags: Flags) -> Header {
    Header {
        message_id: id,
        credits: 1,
        flags,
        session_id: 0x77,
        form: HeaderForm::Sync {
            reserved: 0,
            tree_id: 5,
        },
        ..Header::default()
    }
}

/// A few frames in both directions, of sizes from 68 bytes to 3 KiB.
pub(crate) fn session_frames() -> Vec<(Direction, Vec<u8>)> {
    let mut all = Exchanges::new();
    all.ok(
        Request::Negotiate(NegotiateRequest {
            dialects: vec![Dialect::SMB_2_1],
            ..NegotiateRequest::default()
        }),
        Response::Negotiate(NegotiateResponse {
            dialect_revision: Dialect::SMB_2_1,
            ..NegotiateResponse::default()
        }),
    );
    all.ok(Request::Echo(EchoRequest), Response::Echo(EchoResponse));
    for length in [1, 200, 3000] {
        all.write(id(1), &vec![7; length]);
    }
    all.read(FileId::default(), 0, 2000, &[9; 2000]);
    assert_eq!(header(0, Flags::empty()).command, Command::NEGOTIATE);
    all.frames
}

/// A FileId whose halves are this number.
pub(crate) fn id(number: u64) -> FileId {
    FileId {
        persistent: number,
        volatile: number,
    }
}

/// The messages of one client, as frames.
pub(crate) struct Exchanges {
    pub(crate) frames: Vec<(Direction, Vec<u8>)>,
    next: u64,
}

impl Exchanges {
    pub(crate) fn new() -> Self {
        Self {
            frames: Vec::new(),
            next: 0,
        }
    }

    /// A request and its answer with this status.
    pub(crate) fn exchange(&mut self, request: Request, status: u32, response: Response) {
        let mut up = FrameBuilder::new();
        up.request(&header(self.next, Flags::empty()), &request);
        let mut down = FrameBuilder::new();
        let answer = Header {
            command: request.command(),
            status,
            ..header(self.next, Flags::SERVER_TO_REDIR)
        };
        down.response(&answer, &response);
        self.frames.push((Direction::ToServer, up.finish()));
        self.frames.push((Direction::ToClient, down.finish()));
        self.next += 1;
    }

    /// A message of the server that nobody asked for, without a session (MS-SMB2 3.3.4.6, 3.3.4.7).
    pub(crate) fn unasked(&mut self, message: &Response) {
        let mut down = FrameBuilder::new();
        let header = Header {
            command: Command::OPLOCK_BREAK,
            session_id: 0,
            ..header(u64::MAX, Flags::SERVER_TO_REDIR)
        };
        down.response(&header, message);
        self.frames.push((Direction::ToClient, down.finish()));
    }

    pub(crate) fn ok(&mut self, request: Request, response: Response) {
        self.exchange(request, 0, response);
    }

    pub(crate) fn refused(&mut self, request: Request, status: u32) {
        self.exchange(request, status, Response::Error(ErrorResponse::default()));
    }

    pub(crate) fn negotiate(&mut self) {
        self.negotiate_as(Guid::default());
    }

    /// A NEGOTIATE with this ClientGuid.
    pub(crate) fn negotiate_as(&mut self, client_guid: Guid) {
        self.ok(
            Request::Negotiate(NegotiateRequest {
                client_guid,
                dialects: vec![Dialect::SMB_3_1_1],
                ..NegotiateRequest::default()
            }),
            Response::Negotiate(NegotiateResponse {
                dialect_revision: Dialect::SMB_3_1_1,
                ..NegotiateResponse::default()
            }),
        );
    }

    /// The last step of a log-in, with the client's token.
    pub(crate) fn log_in(&mut self, token: &[u8]) {
        self.ok(
            Request::SessionSetup(SessionSetupRequest {
                buffer: token.to_vec(),
                ..SessionSetupRequest::default()
            }),
            Response::SessionSetup(SessionSetupResponse::default()),
        );
    }

    /// A WRITE of these bytes at the file's beginning.
    pub(crate) fn write(&mut self, file_id: FileId, data: &[u8]) {
        self.ok(
            Request::Write(WriteRequest {
                file_id,
                data: data.to_vec(),
                ..WriteRequest::default()
            }),
            Response::Write(WriteResponse {
                count: data.len() as u32,
                ..WriteResponse::default()
            }),
        );
    }

    /// A READ of `length` bytes from `offset` on that returns these.
    pub(crate) fn read(&mut self, file_id: FileId, offset: u64, length: u32, data: &[u8]) {
        self.ok(
            Request::Read(ReadRequest {
                file_id,
                offset,
                length,
                ..ReadRequest::default()
            }),
            Response::Read(ReadResponse {
                data: data.to_vec(),
                ..ReadResponse::default()
            }),
        );
    }

    pub(crate) fn close(&mut self, file_id: FileId) {
        self.ok(
            Request::Close(CloseRequest {
                file_id,
                ..CloseRequest::default()
            }),
            Response::Close(CloseResponse::default()),
        );
    }

    pub(crate) fn tree(&mut self, path: &str) {
        self.ok(
            Request::TreeConnect(TreeConnectRequest {
                path: path.into(),
                ..TreeConnectRequest::default()
            }),
            Response::TreeConnect(TreeConnectResponse {
                share_type: smb_wire::ShareType::DISK,
                ..TreeConnectResponse::default()
            }),
        );
    }
}
