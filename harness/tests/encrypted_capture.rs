//! What passes between a client and a real server in an encrypted session with two channels: with the session's key, or with the
//! account's password, the capture becomes a trace, and its replay agrees.
//!
//! Without a server these tests say so and pass, unless `SMB_REPLAY_REQUIRE` is set.

#[path = "../import/tests/common/mod.rs"]
mod captures;
mod common;

use std::fs::Permissions;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use captures::{Ends, pcap};
use common::{is_required, run, text};
use replay_engine::{Identity, RunOptions, Verdict};
use replay_import::capture::Direction;
use secrecy::ExposeSecret;
use smb_backends::native::Native;
use smb_replay::lab::Lab;
use smb_wire::crypto::ntlm::{Authenticate, password_hash};
use smb_wire::framing::{self, Step};
use smb_wire::{Command, FrameKind, split_compound};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// LINKTYPE_RAW: packets begin with their IP header.
const RAW: u32 = 101;
const SYN: u8 = 0x02;
const FIN_ACK: u8 = 0x11;
const PSH_ACK: u8 = 0x18;

fn trace(dialect: &str) -> String {
    format!(
        "ir 1\nneeds multichannel encryption\nclient A user=alice dialect={dialect} encryption=required\n\
         client A2 on=A channel\ngiven file \"f\" size=100 fill=3\n\
         op: A create f \"f\" access=rw -> OK size=100\n\
         two: A2 connect after=op -> OK\nA2 read f len=100 -> OK len=100 fill=3\n\
         wr: A2 write f len=5000 fill=9 -> OK len=5000\n\
         A read f len=5000 after=wr -> OK len=5000 fill=9\n\
         done: A close f -> OK\n\
         A2 create g \"g\" access=rw disposition=create after=done -> OK action=created\n\
         A2 write g len=10 fill=1 -> OK len=10\nA2 close g -> OK\n"
    )
}

/// All that has passed, as packets in their order, and the bytes of each connection in both directions.
#[derive(Default)]
struct Passed {
    packets: Vec<Vec<u8>>,
    connections: Vec<Connection>,
}

struct Connection {
    ends: Ends,
    next: [u32; 2],
    bytes: [Vec<u8>; 2],
}

impl Passed {
    fn opened(&mut self) -> usize {
        let port = 50_000 + self.connections.len() as u16;
        self.connections.push(Connection {
            ends: Ends::v4(445).with_client_port(port),
            next: [0; 2],
            bytes: Default::default(),
        });
        let connection = self.connections.len() - 1;
        self.packet(connection, Direction::ToServer, SYN, &[]);
        self.packet(connection, Direction::ToClient, SYN | 0x10, &[]);
        connection
    }

    fn packet(&mut self, connection: usize, direction: Direction, flags: u8, payload: &[u8]) {
        let own = usize::from(direction == Direction::ToClient);
        let connection = &mut self.connections[connection];
        let [sequence, acknowledged] = [connection.next[own], connection.next[1 - own]];
        let ends = connection.ends;
        let packet = ends.packet(direction, sequence, acknowledged, flags, payload);
        self.packets.push(packet);
        let counts = payload.len() as u32 + u32::from(flags & 0x03 != 0);
        connection.next[own] = sequence.wrapping_add(counts);
        connection.bytes[own].extend_from_slice(payload);
    }
}

type Shared = Arc<Mutex<Passed>>;

async fn relay(client: TcpStream, server: SocketAddr, passed: Shared) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let connection = passed.lock().expect("no panic").opened();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = (connection, Direction::ToServer);
    let down = (connection, Direction::ToClient);
    tokio::try_join!(
        pass(from_client, to_server, up, &passed),
        pass(from_server, to_client, down, &passed)
    )
    .map(drop)
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    (connection, direction): (usize, Direction),
    passed: &Shared,
) -> io::Result<()> {
    let mut chunk = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut chunk).await?;
        let (flags, bytes) = match read {
            0 => (FIN_ACK, &[][..]),
            read => (PSH_ACK, &chunk[..read]),
        };
        passed
            .lock()
            .expect("no panic")
            .packet(connection, direction, flags, bytes);
        match read {
            0 => return to.shutdown().await,
            _ => to.write_all(bytes).await?,
        }
    }
}

/// What has passed while a trace ran, and as whom; `None` without a server.
async fn recorded(trace: String) -> Option<(Passed, Identity)> {
    let lab = match Lab::start("samba-4.17").await {
        Ok(lab) => lab,
        Err(reason) => {
            assert!(!is_required(), "a server is required: {reason}");
            eprintln!("not tested: {reason}");
            return None;
        }
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let address = listener.local_addr().expect("bound");
    let (passed, site) = (Shared::default(), Arc::new(Mutex::new(None)));
    let (into, of) = (Arc::clone(&passed), Arc::clone(&site));
    let serving = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server: Option<(SocketAddr, Identity)> = of.lock().expect("no panic").clone();
            let (server, _) = server.expect("the site is known before anyone connects");
            tokio::spawn(relay(client, server, Arc::clone(&into)));
        }
    });
    let through = |at: &replay_engine::Site| {
        let alice = at.identities.get("alice").cloned();
        let alice = alice.ok_or_else(|| io::Error::other("there is no alice"))?;
        *site.lock().expect("no panic") = Some((at.target.address, alice));
        Ok(address)
    };
    let trace = replay_ir::load_str("channels.ir", &trace, &smb_vocabulary::VOCABULARY);
    let trace = Arc::new(trace.unwrap_or_else(|errors| panic!("{errors}")));
    let (backend, options) = (Arc::new(Native::new()), RunOptions::default());
    let ran = lab
        .replay("channels", trace, backend, options, &through)
        .await;
    assert_eq!(lab.stop().await, [""; 0]);
    serving.abort();
    let ran = ran.expect("it runs");
    assert_eq!(ran.verdict, Verdict::Passed, "{:?}", ran.differences);
    let (_, identity) = site.lock().expect("no panic").take()?;
    let passed = std::mem::take(&mut *passed.lock().expect("no panic"));
    Some((passed, identity))
}

fn frames(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Ok(Step::Frame { frame, consumed }) = framing::next_frame(stream, framing::MAX_FRAME)
    {
        frames.push(frame);
        stream = &stream[consumed..];
    }
    frames
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A line of Wireshark's `smb2_seskey_list` for the session that was logged in on a connection.
fn session_key(connection: &Connection, identity: &Identity) -> String {
    let [up, down] = &connection.bytes;
    let authenticate = Authenticate::find(up).expect("a login by NTLM");
    let hash = password_hash(identity.password.expose_secret());
    let key = authenticate.session_key(&hash).expect("a session key");
    let id = frames(down).into_iter().find_map(|frame| {
        let (header, _) = split_compound(frame).next()?.ok()?;
        (header.command == Command::SESSION_SETUP).then_some(header.session_id)
    });
    let id = id.expect("an answer to SESSION_SETUP").to_le_bytes();
    format!("{},{},\"\",\"\"\n", hex(&id), hex(key.as_bytes()))
}

fn import(folder: &Path, options: &[&str]) -> (Option<i32>, String) {
    let arguments = ["import", "pcap", "--strict", "capture.pcap", "-o", "out.ir"];
    let imported = run(folder, &[&arguments[..], options].concat());
    let said = text(&imported.stdout) + &text(&imported.stderr);
    (imported.status.code(), said)
}

fn agrees(dialect: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let Some((passed, alice)) = runtime.block_on(recorded(trace(dialect))) else {
        return;
    };
    let encrypted = |connection: &Connection| {
        let frames = connection.bytes.each_ref().map(|bytes| frames(bytes));
        let is_encrypted = |frame: &&&[u8]| FrameKind::of(frame) == Some(FrameKind::Encrypted);
        frames.map(|frames| frames.iter().filter(is_encrypted).count())
    };
    assert_eq!(passed.connections.len(), 2, "a connection a channel");
    for connection in &passed.connections {
        let [up, down] = encrypted(connection);
        assert!(
            up >= 4 && down >= 4,
            "{dialect}: {up} and {down} encrypted frames"
        );
    }
    let folder = tempfile::tempdir().expect("a directory");
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its owner's");
    };
    write("capture.pcap", &pcap(&passed.packets, RAW, false, false));
    let key = session_key(&passed.connections[0], &alice);
    write("keys", key.as_bytes());
    let password = alice.password.expose_secret();
    write(
        "passwords",
        format!("{} = {password}\n", alice.account).as_bytes(),
    );

    let (code, said) = import(folder.path(), &[]);
    assert_ne!(code, Some(0), "{dialect}: {said}");
    assert_eq!(
        said.matches(" encrypted frames").count(),
        2,
        "{dialect}: {said}"
    );
    for options in [["--keys", "keys"], ["--passwords", "passwords"]] {
        let (code, said) = import(folder.path(), &options);
        assert_eq!(code, Some(0), "{dialect}, {options:?}: {said}");
        let trace = std::fs::read_to_string(folder.path().join("out.ir")).expect("a trace");
        let shown = said + &trace;
        assert!(!shown.contains(password) && !shown.contains(&key[17..49]));
        assert!(
            trace.contains("client A-2 on=A channel"),
            "{dialect}:\n{trace}"
        );
        let loaded = replay_ir::load_str("out.ir", &trace, &smb_vocabulary::VOCABULARY);
        let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
        for (client, verbs) in [
            ("A", &["create", "read", "close"][..]),
            (
                "A-2",
                &["connect", "read", "write", "create", "write", "close"][..],
            ),
        ] {
            let own = loaded
                .steps()
                .filter(|step| loaded.client(step.client()).name() == client);
            let did: Vec<&str> = own.map(|step| step.verb().name).collect();
            assert_eq!(
                did[..verbs.len().min(did.len())],
                *verbs,
                "{dialect}, {client}:\n{trace}"
            );
        }
        let ran = run(folder.path(), &["run", "out.ir", "--clock", "asap"]);
        let said = text(&ran.stdout) + &text(&ran.stderr);
        assert_eq!(
            ran.status.code(),
            Some(0),
            "{dialect}, {options:?}: {said}\n{trace}"
        );
    }
}

#[test]
fn two_encrypted_channels_of_the_newest_dialect() {
    agrees("3.1.1");
}

#[test]
fn two_encrypted_channels_of_the_first_dialect_that_encrypts() {
    agrees("3.0");
}
