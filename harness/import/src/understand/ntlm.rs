//! NTLM log-ins whose password is known: the session key that comes of one.

use smb_wire::crypto::Key;
use smb_wire::crypto::ntlm::{Authenticate, password_hash};

/// Accounts with their passwords, of which only hashes are kept. `Debug` never shows one.
#[derive(Clone, Default)]
pub struct Passwords(Vec<(String, Key)>);

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Passwords({})", self.0.len())
    }
}

impl Passwords {
    /// Reads lines `DOMAIN\user = password` or `user = password`. Empty lines and those that begin with `#` mean nothing.
    /// A password begins behind the blank that follows `=`, and is all that is left of the line.
    ///
    /// # Errors
    /// The number of a line that is none of this.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut all = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let (account, password) = line.split_once('=').ok_or(at + 1)?;
            let password = password.strip_prefix(' ').unwrap_or(password);
            let account = account.trim();
            if account.is_empty() {
                return Err(at + 1);
            }
            all.push((account.to_lowercase(), password_hash(password)));
        }
        Ok(Self(all))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&self, domain: &str, user: &str) -> Option<&Key> {
        let (user, full) = (
            user.to_lowercase(),
            format!("{domain}\\{user}").to_lowercase(),
        );
        let mut known = self.0.iter();
        let found = known.find(|(account, _)| *account == full || *account == user);
        found.map(|(_, hash)| hash)
    }
}

/// What a log-in with a known password came to.
#[derive(Debug)]
pub(super) enum LogIn {
    /// No password of its account is known, or it is none of NTLM version 2.
    Unknown,
    /// The password is another one.
    OtherPassword,
    /// The session key.
    Key(Key),
}

/// The session key of a log-in.
pub(super) fn log_in(token: &[u8], challenge: Option<[u8; 8]>, passwords: &Passwords) -> LogIn {
    if passwords.is_empty() {
        return LogIn::Unknown;
    }
    exchanged(token, challenge, passwords).unwrap_or(LogIn::Unknown)
}

fn exchanged(token: &[u8], challenge: Option<[u8; 8]>, passwords: &Passwords) -> Option<LogIn> {
    let message = Authenticate::find(token)?;
    let hash = passwords.of(&message.domain, &message.user)?;
    match message.proves(hash, challenge?)? {
        true => message.session_key(hash).map(LogIn::Key),
        false => Some(LogIn::OtherPassword),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let text = "a = secret one\nb=\n";
        let passwords = Passwords::parse(text).expect("a list");
        assert_eq!(
            (passwords.len(), passwords.of("x", "A").is_some()),
            (2, true)
        );
        assert!(!format!("{passwords:?}").contains("secret"));
        assert_eq!(Passwords::parse("a = b\nno password\n").err(), Some(2));
    }
}
