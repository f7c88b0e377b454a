//! What is changed: one answer, in one way.

use smb_wire::{Command, Header, OplockLevel, ntstatus};

/// Offsets in a message, from the beginning of its header.
const STATUS: usize = 8;
/// CREATE response (MS-SMB2 2.2.14): OplockLevel, and where its contexts are.
const OPLOCK: usize = 64 + 2;
const CONTEXTS: usize = 64 + 80;
/// READ response (2.2.20).
const DATA_OFFSET: usize = 64 + 2;
const DATA_LENGTH: usize = 64 + 4;

const ACCESS_DENIED: u32 = 0xC000_0022;
const INSUFFICIENT_RESOURCES: u32 = 0xC000_009A;

/// The ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A success becomes ACCESS_DENIED, an error another error.
    Status,
    /// The oplock level that a CREATE grants becomes a lower one, or level II where it was none.
    Oplock,
    /// A bit of the lease state that a CREATE grants is taken away, or read caching given.
    Lease,
    /// A break notification does not arrive.
    BreakDropped,
    /// It arrives late.
    BreakLate,
    /// A bit of what a READ returns is changed.
    Data,
    /// An answer goes behind the next one on its connection.
    Order,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 7] = [
        Kind::Status,
        Kind::Oplock,
        Kind::Lease,
        Kind::BreakDropped,
        Kind::BreakLate,
        Kind::Data,
        Kind::Order,
    ];

    /// For tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Status => "status",
            Kind::Oplock => "oplock level",
            Kind::Lease => "lease state",
            Kind::BreakDropped => "break dropped",
            Kind::BreakLate => "break late",
            Kind::Data => "data bit",
            Kind::Order => "order of two answers",
        }
    }

    /// True when it can be done to this answer of the server, which is final.
    pub(crate) fn fits(self, header: &Header, message: &[u8]) -> bool {
        let succeeded = header.status == ntstatus::SUCCESS;
        match self {
            Kind::Status => !matches!(header.command, Command::NEGOTIATE | Command::SESSION_SETUP),
            Kind::Oplock => {
                let level = message.get(OPLOCK).copied().map(OplockLevel);
                let created = succeeded && header.command == Command::CREATE;
                created && level.is_some_and(|level| level != OplockLevel::LEASE)
            }
            Kind::Lease => {
                succeeded && header.command == Command::CREATE && lease_state(message).is_some()
            }
            Kind::Data => succeeded && data(message, header).is_some(),
            Kind::Order => true,
            Kind::BreakDropped | Kind::BreakLate => false,
        }
    }

    /// Changes a message for which it [`fits`](Self::fits).
    pub(crate) fn apply(self, header: &mut Header, message: &mut Vec<u8>) {
        match self {
            Kind::Status => {
                let status = match header.status {
                    ntstatus::SUCCESS => ACCESS_DENIED,
                    ACCESS_DENIED => INSUFFICIENT_RESOURCES,
                    _ => ACCESS_DENIED,
                };
                header.status = status;
                message[STATUS..][..4].copy_from_slice(&status.to_le_bytes());
                message.truncate(Header::SIZE);
                // MS-SMB2 2.2.2: an ERROR response without data.
                message.extend([9, 0, 0, 0, 0, 0, 0, 0, 0]);
            }
            Kind::Oplock => {
                let lower = match OplockLevel(message[OPLOCK]) {
                    OplockLevel::BATCH | OplockLevel::NONE => OplockLevel::II,
                    _ => OplockLevel::NONE,
                };
                message[OPLOCK] = lower.0;
            }
            Kind::Lease => {
                if let Some(at) = lease_state(message) {
                    let state = message[at];
                    message[at] = if state == 0 { 1 } else { state & (state - 1) };
                }
            }
            Kind::Data => {
                if let Some(at) = data(message, header) {
                    message[at] ^= 0x10;
                }
            }
            Kind::Order | Kind::BreakDropped | Kind::BreakLate => {}
        }
    }
}

/// Where the state of the lease stands that a CREATE response grants (MS-SMB2 2.2.14.2.10).
fn lease_state(message: &[u8]) -> Option<usize> {
    let begin = u32_at(message, CONTEXTS)?;
    let length = u32_at(message, CONTEXTS + 4)?;
    let mut at = begin;
    while at.checked_add(16)? <= begin.checked_add(length)?.min(message.len()) {
        let name = at + usize::from(u16_at(message, at + 4)?);
        let data = at + usize::from(u16_at(message, at + 10)?);
        if message.get(name..name + 4)? == b"RqLs" {
            return (data + 20 <= message.len()).then_some(data + 16);
        }
        match u32_at(message, at)? {
            0 => return None,
            next => at += next,
        }
    }
    None
}

/// The byte in the middle of what a READ returns.
fn data(message: &[u8], header: &Header) -> Option<usize> {
    if header.command != Command::READ {
        return None;
    }
    let offset = usize::from(*message.get(DATA_OFFSET)?);
    let length = u32_at(message, DATA_LENGTH)?;
    let at = offset.checked_add(length / 2)?;
    (length > 0 && offset >= Header::SIZE && at < message.len()).then_some(at)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)).ok()
}
