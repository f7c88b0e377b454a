//! Tickets that end soon. sspi asks for ones of days and cannot be told otherwise, so its request for the service's ticket
//! (TGS-REQ) is changed on its way: the end that it asks for, and the checksum over the request, which the key of the
//! ticket-granting ticket protects (RFC 4120 5.4.1, 5.5.1). That key is taken from the answer that brought the ticket.
//!
//! The ticket-granting ticket itself keeps its length: Samba takes one of two minutes or less for one that may change a
//! password only.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use md5::{Digest, Md5};
use picky_krb::constants::key_usages::TGS_REQ_PA_DATA_AP_REQ_AUTHENTICATOR;
use picky_krb::crypto::CipherSuite;
use picky_krb::messages::AsRep;
use secrecy::{ExposeSecret, SecretString};
use sspi::Secret;
use sspi::kerberos::EncryptionParams;
use sspi::kerberos::client::extractors;

use super::kdc::element;
use crate::quiet::quietly;

/// AS-REP `[APPLICATION 11]` (RFC 4120 5.4.2).
const AS_REP: u8 = 0x6b;
/// TGS-REQ `[APPLICATION 12]` (RFC 4120 5.4.1).
const TGS_REQ: u8 = 0x6c;
const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
/// `req-body [4]` of a TGS-REQ.
const BODY: &[u8] = &[TGS_REQ, SEQUENCE, 0xa4];
/// `till [5]` of the body, a GeneralizedTime.
const TILL: &[u8] = &[TGS_REQ, SEQUENCE, 0xa4, SEQUENCE, 0xa5, 0x18];
/// The first of `padata [3]` is PA-TGS-REQ, an AP-REQ `[APPLICATION 14]`; of that `authenticator [4]`, of that `cipher [2]`.
const AUTHENTICATOR: &[u8] = &[
    TGS_REQ,
    SEQUENCE,
    0xa3,
    SEQUENCE,
    SEQUENCE,
    0xa2,
    OCTET_STRING,
    0x6e,
    SEQUENCE,
    0xa4,
    SEQUENCE,
    0xa2,
    OCTET_STRING,
];
/// Authenticator `[APPLICATION 2]`, `cksum [3]`, `checksum [1]` (RFC 4120 5.5.1).
const CHECKSUM: &[u8] = &[0x62, SEQUENCE, 0xa3, SEQUENCE, 0xa1, OCTET_STRING];
/// The length in front of a message (RFC 4120 7.2.2).
const LENGTH: usize = 4;

/// The tickets of one login.
pub(super) struct ShortTickets {
    password: SecretString,
    /// In seconds.
    lifetime: u64,
    key: Option<(CipherSuite, Secret<Vec<u8>>)>,
}

impl ShortTickets {
    /// Tickets of this many seconds, for whoever has this password.
    pub(super) fn new(password: SecretString, lifetime: u64) -> Self {
        Self {
            password,
            lifetime,
            key: None,
        }
    }

    /// Changes a request for the service's ticket; others stay. The error says what of it is not as expected.
    pub(super) fn asked(&self, message: &mut [u8]) -> Result<(), &'static str> {
        let request = message.get_mut(LENGTH..).unwrap_or_default();
        if request.first() != Some(&TGS_REQ) {
            return Ok(());
        }
        let (suite, key) = self.key.as_ref().ok_or("nothing was answered before")?;
        let till = place(request, TILL).ok_or("it has no end")?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let end = now
            .map_or(0, |now| now.as_secs())
            .saturating_add(self.lifetime);
        replace(request, till, generalized_time(end).as_bytes())
            .ok_or("its end has another form")?;
        let body = place(request, BODY).ok_or("it has no body")?;
        let digest = Md5::digest(&request[body]);
        let sealed = place(request, AUTHENTICATOR).ok_or("it has no authenticator")?;
        let cipher = suite.cipher();
        let usage = TGS_REQ_PA_DATA_AP_REQ_AUTHENTICATOR;
        let opened = quietly(|| cipher.decrypt(key.as_ref(), usage, &request[sealed.clone()]));
        let mut opened = opened.map_err(|_| "its authenticator cannot be read")?;
        let checksum = place(&opened, CHECKSUM).ok_or("its authenticator has no checksum")?;
        replace(&mut opened, checksum, &digest).ok_or("its checksum is of another kind")?;
        let again = quietly(|| cipher.encrypt(key.as_ref(), usage, &opened));
        let again = again.map_err(|_| "its authenticator cannot be written")?;
        replace(request, sealed, &again).ok_or("its authenticator has another length")
    }

    /// Takes the key from the answer that brings the ticket-granting ticket.
    pub(super) fn answered(&mut self, message: &[u8]) {
        let answer = message.get(LENGTH..).unwrap_or_default();
        if answer.first() == Some(&AS_REP) {
            self.key = quietly(|| session_key(answer, self.password.expose_secret()));
        }
    }
}

fn session_key(answer: &[u8], password: &str) -> Option<(CipherSuite, Secret<Vec<u8>>)> {
    let answer: AsRep = picky_asn1_der::from_bytes(answer).ok()?;
    let (kind, salt) = extractors::extract_encryption_params_from_as_rep(&answer).ok()?;
    let suite = || CipherSuite::try_from(usize::from(kind)).ok();
    let parameters = EncryptionParams {
        encryption_type: suite(),
        ..EncryptionParams::default_for_client()
    };
    let key = extractors::extract_session_key_from_as_rep(&answer, &salt, password, &parameters);
    // The session key's own kind is that of the answer, since the requests offer the two AES kinds alone.
    Some((suite()?, key.ok()?))
}

/// Where the content of the element at the end of a path of tags stands.
fn place(message: &[u8], path: &[u8]) -> Option<Range<usize>> {
    let mut place = 0..message.len();
    for wanted in path {
        place = loop {
            let (tag, content, rest) = element(message.get(place.clone())?)?;
            let end = place.end - rest.len();
            if tag == *wanted {
                break end - content.len()..end;
            }
            place.start = end;
        };
    }
    Some(place)
}

/// `None` when the new content has another length.
fn replace(message: &mut [u8], place: Range<usize>, content: &[u8]) -> Option<()> {
    let old = message.get_mut(place)?;
    (old.len() == content.len()).then(|| old.copy_from_slice(content))
}

/// `YYYYMMDDHHMMSSZ` of a number of seconds since 1970 (RFC 4120 5.2.3).
fn generalized_time(seconds: u64) -> String {
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let day = days + 1;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::super::kdc::tagged;
    use super::*;

    /// The element at the end of `path`, in others.
    fn nested(path: &[u8], content: &[u8]) -> Vec<u8> {
        let around = |content: Vec<u8>, tag: &u8| tagged(*tag, &content);
        path.iter().rev().fold(content.to_vec(), around)
    }

    const KEY: [u8; 32] = [7; 32];

    fn request() -> Vec<u8> {
        let usage = TGS_REQ_PA_DATA_AP_REQ_AUTHENTICATOR;
        let cipher = CipherSuite::Aes256CtsHmacSha196.cipher();
        let sealed = cipher
            .encrypt(&KEY, usage, &nested(CHECKSUM, &[1; 16]))
            .unwrap();
        let body = [
            tagged(0xa0, &[3, 1, 0]),
            nested(&[0xa5, 0x18], b"20370913024805Z"),
        ]
        .concat();
        let fields = [
            nested(&AUTHENTICATOR[2..], &sealed),
            nested(&[0xa4, SEQUENCE], &body),
        ];
        let request = nested(&[TGS_REQ, SEQUENCE], &fields.concat());
        [vec![0; LENGTH], request].concat()
    }

    fn tickets() -> ShortTickets {
        let key = (CipherSuite::Aes256CtsHmacSha196, Secret::from(KEY.to_vec()));
        ShortTickets {
            key: Some(key),
            ..ShortTickets::new("secret".into(), 5)
        }
    }

    #[test]
    fn a_request_asks_for_another_end_and_is_sound() {
        let mut changed = request();
        tickets().asked(&mut changed).expect("a request");
        assert_eq!(changed.len(), request().len());
        let changed = &changed[LENGTH..];
        let end = &changed[place(changed, TILL).unwrap()];
        assert!(end.starts_with(b"20") && end < b"20370913".as_slice());
        let usage = TGS_REQ_PA_DATA_AP_REQ_AUTHENTICATOR;
        let cipher = CipherSuite::Aes256CtsHmacSha196.cipher();
        let sealed = &changed[place(changed, AUTHENTICATOR).unwrap()];
        let opened = cipher.decrypt(&KEY, usage, sealed).unwrap();
        let checksum = &opened[place(&opened, CHECKSUM).unwrap()];
        let body = &changed[place(changed, BODY).unwrap()];
        assert_eq!(checksum, Md5::digest(body).as_slice());
    }

    #[test]
    fn other_requests_stay_and_what_is_none_is_no_panic() {
        let mut first = [vec![0; LENGTH], nested(&[0x6a, SEQUENCE], b"AS-REQ")].concat();
        let before = first.clone();
        ShortTickets::new("secret".into(), 5)
            .asked(&mut first)
            .expect("left alone");
        assert_eq!(first, before);
        let mut early = request();
        assert!(
            ShortTickets::new("secret".into(), 5)
                .asked(&mut early)
                .is_err()
        );
        for length in 0..request().len() {
            let _ = tickets().asked(&mut request()[..length]);
            tickets().answered(&[&[0; LENGTH], &[AS_REP][..], &request()[..length]].concat());
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(generalized_time(0), "19700101000000Z");
        assert_eq!(generalized_time(951_782_399), "20000228235959Z");
        assert_eq!(generalized_time(951_868_799), "20000229235959Z");
        assert_eq!(generalized_time(1_798_761_599), "20261231235959Z");
    }
}
