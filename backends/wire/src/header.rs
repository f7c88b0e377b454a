//! The SMB2 header (MS-SMB2 2.2.1), in its SYNC and ASYNC forms. What follows it is left to
//! [`crate::messages`], and the chain of a compound to [`crate::frame`].

use crate::{Command, Error, Flags, codec::Reader, codec::Writer};

/// The protocol id of a plain message: 0xFE 'S' 'M' 'B'.
pub const PROTOCOL_ID: [u8; 4] = *b"\xFESMB";

/// The SMB2 header (MS-SMB2 2.2.1.1, 2.2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// CreditCharge: 0 in SMB 2.0.2, else the credits that the request costs.
    pub credit_charge: u16,
    /// The NTSTATUS of a response. In a request of SMB 3.x the low half is ChannelSequence.
    pub status: u32,
    /// Command.
    pub command: Command,
    /// CreditRequest or CreditResponse.
    pub credits: u16,
    /// Flags. [`Flags::ASYNC_COMMAND`] is written according to `form`.
    pub flags: Flags,
    /// NextCommand: the offset of the next message of a compound from this header, 0 in the last.
    pub next_command: u32,
    /// MessageId; all ones in an unsolicited break.
    pub message_id: u64,
    /// What differs between the SYNC and the ASYNC form.
    pub form: HeaderForm,
    /// SessionId.
    pub session_id: u64,
    /// Signature, zeros if not signed.
    pub signature: [u8; 16],
}

/// The 8 bytes in which the forms of the header differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderForm {
    /// MS-SMB2 2.2.1.2.
    Sync {
        /// Reserved; older clients send their process id, 0xFEFF.
        reserved: u32,
        /// TreeId.
        tree_id: u32,
    },
    /// MS-SMB2 2.2.1.1.
    Async {
        /// AsyncId, as the interim response told it.
        async_id: u64,
    },
}

impl Default for HeaderForm {
    fn default() -> Self {
        Self::Sync {
            reserved: 0,
            tree_id: 0,
        }
    }
}

impl Default for Header {
    /// A NEGOTIATE request without credits: a start for struct update syntax.
    fn default() -> Self {
        Self {
            credit_charge: 0,
            status: 0,
            command: Command::NEGOTIATE,
            credits: 0,
            flags: Flags::empty(),
            next_command: 0,
            message_id: 0,
            form: HeaderForm::default(),
            session_id: 0,
            signature: [0; 16],
        }
    }
}

impl Header {
    /// The size on the wire in bytes, and the offset of the body.
    pub const SIZE: usize = crate::codec::BODY;

    /// The MessageId of a message that answers no request: an oplock or lease break (MS-SMB2
    /// 2.2.23).
    pub const UNSOLICITED: u64 = u64::MAX;

    /// Appends the 64 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut flags = self.flags;
        flags.set(
            Flags::ASYNC_COMMAND,
            matches!(self.form, HeaderForm::Async { .. }),
        );
        let mut writer = Writer::new(out);
        writer.bytes(&PROTOCOL_ID);
        writer.u16(64);
        writer.u16(self.credit_charge);
        writer.u32(self.status);
        writer.u16(self.command.0);
        writer.u16(self.credits);
        writer.u32(flags.bits());
        writer.u32(self.next_command);
        writer.u64(self.message_id);
        match self.form {
            HeaderForm::Sync { reserved, tree_id } => {
                writer.u32(reserved);
                writer.u32(tree_id);
            }
            HeaderForm::Async { async_id } => writer.u64(async_id),
        }
        writer.u64(self.session_id);
        writer.bytes(&self.signature);
    }

    /// Reads the header at the start of `message`.
    ///
    /// # Errors
    ///
    /// Too few bytes, another protocol id, or a StructureSize other than 64.
    pub fn decode(message: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "SMB2 header";
        let mut reader = Reader::new(WHAT, message);
        let found = reader.array()?;
        if found != PROTOCOL_ID {
            return Err(Error::ProtocolId { what: WHAT, found });
        }
        let size = reader.u16()?;
        if size != 64 {
            return Err(Error::StructureSize {
                what: WHAT,
                expected: 64,
                found: size,
            });
        }
        let credit_charge = reader.u16()?;
        let status = reader.u32()?;
        let command = Command(reader.u16()?);
        let credits = reader.u16()?;
        let flags = Flags::from_bits_retain(reader.u32()?);
        let next_command = reader.u32()?;
        let message_id = reader.u64()?;
        let form = if flags.contains(Flags::ASYNC_COMMAND) {
            HeaderForm::Async {
                async_id: reader.u64()?,
            }
        } else {
            HeaderForm::Sync {
                reserved: reader.u32()?,
                tree_id: reader.u32()?,
            }
        };
        Ok(Self {
            credit_charge,
            status,
            command,
            credits,
            flags,
            next_command,
            message_id,
            form,
            session_id: reader.u64()?,
            signature: reader.array()?,
        })
    }

    /// Whether the message is a response (or a break).
    pub fn is_response(&self) -> bool {
        self.flags.contains(Flags::SERVER_TO_REDIR)
    }

    /// Whether the message belongs to the open, session and tree of the one before in its compound.
    pub fn is_related(&self) -> bool {
        self.flags.contains(Flags::RELATED_OPERATIONS)
    }

    /// Whether the message is signed.
    pub fn is_signed(&self) -> bool {
        self.flags.contains(Flags::SIGNED)
    }

    /// Whether this is an interim response: STATUS_PENDING in the ASYNC form (MS-SMB2 3.2.5.1.5).
    pub fn is_interim(&self) -> bool {
        self.is_response() && self.async_id().is_some() && self.status == 0x0000_0103
    }

    /// The AsyncId of the ASYNC form.
    pub fn async_id(&self) -> Option<u64> {
        match self.form {
            HeaderForm::Async { async_id } => Some(async_id),
            HeaderForm::Sync { .. } => None,
        }
    }

    /// The TreeId of the SYNC form.
    pub fn tree_id(&self) -> Option<u32> {
        match self.form {
            HeaderForm::Sync { tree_id, .. } => Some(tree_id),
            HeaderForm::Async { .. } => None,
        }
    }

    /// The ChannelSequence of a request of SMB 3.x.
    pub fn channel_sequence(&self) -> u16 {
        let [low, high, ..] = self.status.to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}
