//! Session keys of encrypted connections, as other programs print them.

use smb_wire::crypto::{Key, PreauthHash, SessionKeys, TransformCipher};
use smb_wire::{Cipher, Dialect, hex};
use std::collections::HashMap;

/// The keys of a session.
#[derive(Debug, Clone, Default)]
struct Material {
    /// Session.SessionKey, of which the others are derived.
    session: Option<Key>,
    to_server: Option<Key>,
    to_client: Option<Key>,
}

/// Keys by session. Neither `Debug` nor an error ever shows one.
#[derive(Debug, Clone, Default)]
pub struct CaptureKeys(HashMap<u64, Material>);

/// A line of a key file that cannot be read. The line itself may hold a key, so it is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct KeyFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// The fields of Samba's `debugencryption`, in the order of its output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Id,
    Session,
    ToServer,
    ToClient,
    Other,
}

const SAMBA: [(&str, Field); 6] = [
    ("Session Id", Field::Id),
    ("Session Key", Field::Session),
    ("Signing Key", Field::Other),
    ("App Key", Field::Other),
    ("ServerIn Key", Field::ToServer),
    ("ServerOut Key", Field::ToClient),
];

impl CaptureKeys {
    /// Reads keys in any of these forms; other lines of a log are passed over.
    ///
    /// - What Samba's programs print with `debug encryption = yes` (`smbclient --option=debugencryption=yes`): dumps after
    ///   `Session Id`, `Session Key`, `ServerIn Key` and `ServerOut Key`.
    /// - A line of Wireshark's `smb2_seskey_list`: session id (as on the wire), session key, server-to-client key,
    ///   client-to-server key, in hexadecimal, with or without quotes; keys that are not known are empty.
    ///
    /// # Errors
    /// A line of such a form with something else than a key.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let mut keys = Self::default();
        let (mut id, mut field, mut bytes) = (0_u64, Field::Other, Vec::new());
        for (at, line) in text.lines().enumerate() {
            let error = |problem| KeyFileError {
                line: at + 1,
                problem,
            };
            let begins = SAMBA
                .iter()
                .find_map(|&(word, field)| Some((field, line.trim_start().strip_prefix(word)?)));
            if let Some((next, rest)) = begins {
                (field, bytes) = (next, Vec::new());
                let dump = rest.trim_start();
                bytes.extend(
                    dumped(dump).ok_or_else(|| error("a dump `[0000] 01 23 …` is needed"))?,
                );
            } else if field != Field::Other && line.trim_start().starts_with("[00") {
                bytes.extend(
                    dumped(line.trim_start())
                        .ok_or_else(|| error("a dump `[0010] 01 23 …` is needed"))?,
                );
            } else if line.matches(',').count() >= 1 && !line.trim_start().starts_with('#') {
                if let Some((id, material)) = wireshark(line).map_err(error)? {
                    keys.0.insert(id, material);
                }
                continue;
            } else {
                field = Field::Other;
                continue;
            }
            match field {
                Field::Id => {
                    let id_bytes = bytes.first_chunk::<8>();
                    id = id_bytes.map_or(0, |id| u64::from_le_bytes(*id));
                    keys.0.entry(id).or_default();
                }
                Field::Other => {}
                _ if bytes.len() > 32 => return Err(error("a key has 16 or 32 bytes")),
                Field::Session => keys.0.entry(id).or_default().session = Some(Key::new(&bytes)),
                Field::ToServer => keys.0.entry(id).or_default().to_server = Some(Key::new(&bytes)),
                Field::ToClient => keys.0.entry(id).or_default().to_client = Some(Key::new(&bytes)),
            }
        }
        Ok(keys)
    }

    /// How many sessions there are keys of.
    pub fn sessions(&self) -> usize {
        self.0.len()
    }

    /// A session key that the capture itself has shown; one that was given goes before it.
    pub(super) fn learned(&mut self, session_id: u64, key: Key) {
        self.0
            .entry(session_id)
            .or_default()
            .session
            .get_or_insert(key);
    }

    /// What decrypts a session: what the client sent, and what the server sent.
    pub(super) fn ciphers(
        &self,
        session_id: u64,
        dialect: Option<Dialect>,
        cipher: Cipher,
        preauth: Option<&PreauthHash>,
    ) -> Option<[TransformCipher; 2]> {
        let material = self.0.get(&session_id)?;
        let dialect = dialect.unwrap_or(Dialect::SMB_3_1_1);
        let wanted = match cipher {
            Cipher::AES_256_CCM | Cipher::AES_256_GCM => 32,
            _ => 16,
        };
        let pair = match (&material.to_server, &material.to_client, &material.session) {
            (Some(to_server), Some(to_client), _) => (to_server.clone(), to_client.clone()),
            (_, _, Some(session)) => {
                let default = PreauthHash::default();
                let preauth = match dialect {
                    Dialect::SMB_3_1_1 => preauth?,
                    _ => preauth.unwrap_or(&default),
                };
                let keys = SessionKeys::derive(dialect, cipher, session.as_bytes(), preauth);
                (keys.encryption?, keys.decryption?)
            }
            _ => return None,
        };
        let cut = |key: &Key| Key::new(&key.as_bytes()[..key.as_bytes().len().min(wanted)]);
        let of = |key: &Key| TransformCipher::new(cipher, &cut(key)).ok();
        Some([of(&pair.0)?, of(&pair.1)?])
    }
}

/// The bytes of `[0000] 01 23 45 67 89 AB CD EF   01 23 …   text`.
fn dumped(line: &str) -> Option<Vec<u8>> {
    let rest = line.strip_prefix('[')?;
    let (offset, rest) = rest.split_once(']')?;
    u32::from_str_radix(offset, 16).ok()?;
    let mut bytes = Vec::new();
    // Sixteen groups at most; what the bytes are as text stands behind them.
    for word in rest.split_whitespace().take(16) {
        match (word.len(), u8::from_str_radix(word, 16)) {
            (2, Ok(byte)) => bytes.push(byte),
            _ => break,
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

/// A line of `smb2_seskey_list`; `None` for one that is none.
fn wireshark(line: &str) -> Result<Option<(u64, Material)>, &'static str> {
    let mut fields = line.split(',').map(|field| field.trim().trim_matches('"'));
    let Some(id) = fields
        .next()
        .filter(|id| id.len() == 16)
        .and_then(hex::decode)
    else {
        return Ok(None);
    };
    let id = u64::from_le_bytes(id.try_into().map_err(|_| "a session id has 16 digits")?);
    let mut key = || match fields.next() {
        None | Some("") => Ok(None),
        Some(text) => match hex::decode(text) {
            Some(bytes) if matches!(bytes.len(), 16 | 32) => Ok(Some(Key::new(&bytes))),
            _ => Err("a key has 32 or 64 hexadecimal digits"),
        },
    };
    let (session, to_client, to_server) = (key()?, key()?, key()?);
    Ok(Some((
        id,
        Material {
            session,
            to_server,
            to_client,
        },
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sambas_and_wiresharks_forms_are_read() {
        let samba = "debug encryption: dumping generated session keys\n\
                     Session Id    [0000] 49 00 00 00 00 24 00 00                             I....$.. \n\
                     Session Key   [0000] 00 01 02 03 04 05 06 07   08 09 0A 0B 0C 0D 0E 0F   ........ ........\n\
                     Signing Key   [0000] FF 01 02 03 04 05 06 07   08 09 0A 0B 0C 0D 0E 0F   ........ ........\n\
                     ServerIn Key  [0000] 11 01 02 03 04 05 06 07   08 09 0A 0B 0C 0D 0E 0F   ........ ........\n\
                     ServerOut Key [0000] 22 01 02 03 04 05 06 07   08 09 0A 0B 0C 0D 0E 0F   ........ ........\n\
                     [0010] 23 01 02 03 04 05 06 07   08 09 0A 0B 0C 0D 0E 0F   ........ ........\n";
        let keys = CaptureKeys::parse(samba).expect("keys");
        let material = &keys.0[&0x2400_0000_0049];
        let bytes = |key: &Option<Key>| key.as_ref().map(|key| key.as_bytes().to_vec());
        assert_eq!(
            bytes(&material.session).map(|key| (key.len(), key[1])),
            Some((16, 1))
        );
        assert_eq!(
            bytes(&material.to_server).map(|key| (key.len(), key[0])),
            Some((16, 0x11))
        );
        assert_eq!(
            bytes(&material.to_client).map(|key| (key.len(), key[16])),
            Some((32, 0x23))
        );

        let line = "4900000000240000,000102030405060708090a0b0c0d0e0f,\"\",\"\"";
        let keys = CaptureKeys::parse(line).expect("keys");
        assert!(bytes(&keys.0[&0x2400_0000_0049].session).is_some());
        assert!(CaptureKeys::parse("4900000000240000,00").is_err());
        assert!(!format!("{keys:?}").contains("0e0f"));
        assert_eq!(
            CaptureKeys::parse("any, other text\n").map(|keys| keys.sessions()),
            Ok(0)
        );
    }
}
