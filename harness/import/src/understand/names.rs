//! Names of the capture as the trace has them.

use super::anonymize::NameKey;
use super::maps::Maps;
use super::paths::base;
use super::security::is_of_accounts;
use smb_vocabulary::paths;
use smb_wire::UnicodeString;
use smb_wire::security::Sid;
use std::collections::{BTreeMap, HashMap};

/// A path of the capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WirePath {
    /// It can be below the trace's root: parts joined by `/`.
    Below(String),
    /// It can only be sent as it is.
    Raw(String),
}

/// Reads a name as it was on the wire.
pub(super) fn wire_path(name: &UnicodeString, dfs: bool) -> Result<WirePath, &'static str> {
    let text = name.to_utf8().ok_or("a name that is not UTF-16")?;
    let text = match dfs {
        // \server\share\path
        true => text
            .trim_start_matches('\\')
            .splitn(3, '\\')
            .nth(2)
            .unwrap_or("")
            .to_owned(),
        false => text,
    };
    if text.contains('/') || text.starts_with('\\') {
        return Ok(WirePath::Raw(text));
    }
    let path = text.replace('\\', "/");
    Ok(match paths::check(&path) {
        Ok(()) => WirePath::Below(path),
        Err(_) => WirePath::Raw(text),
    })
}

/// The wildcards of MS-FSA 2.1.4.4.
const WILDCARDS: [char; 5] = ['*', '?', '<', '>', '"'];

/// What the first users of a capture are called in the trace.
const USERS: [&str; 8] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi",
];

/// Which names become which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Naming {
    /// The key under which names are replaced; without one they stay.
    pub key: Option<NameKey>,
    /// Names, parts of paths, that stay.
    pub keep: Vec<String>,
    /// Accounts as `DOMAIN\user` or `user`, and the identities that they become.
    pub identities: Vec<(String, String)>,
    /// Paths and what they become, with all that is below them. Longer ones go before shorter ones.
    pub paths: Vec<(String, String)>,
}

/// How names of the capture become names of the trace.
#[derive(Debug, Default)]
pub(super) struct Names {
    key: Option<NameKey>,
    /// Names that stay in small letters, with whether the capture has one.
    keep: BTreeMap<String, bool>,
    maps: Maps,
    replaced: HashMap<String, String>,
    users: BTreeMap<String, String>,
}

impl Names {
    pub(super) fn new(naming: Naming) -> Self {
        let kept = naming.keep.iter();
        Self {
            key: naming.key,
            keep: kept.map(|name| (name.to_lowercase(), false)).collect(),
            maps: Maps::new(naming.identities, naming.paths),
            ..Self::default()
        }
    }

    /// A path, with a stream's name if it has one.
    pub(super) fn path(&mut self, path: &str) -> String {
        let new = match self.maps.path(path) {
            None => self.parts(path, '/'),
            Some((to, "")) => to,
            Some((to, below)) => to + &self.parts(below, '/'),
        };
        self.maps.became(path, &new);
        new
    }

    /// A path as it was on the wire.
    pub(super) fn raw_path(&mut self, path: &str) -> String {
        let separator = if path.contains('/') { '/' } else { '\\' };
        self.parts(path, separator)
    }

    fn parts(&mut self, path: &str, separator: char) -> String {
        let file = base(path);
        let stream = path[file.len()..].to_owned();
        let other = if separator == '/' { '\\' } else { '/' };
        let parts: Vec<String> = file
            .split(separator)
            .map(|part| {
                let parts: Vec<String> = part.split(other).map(|part| self.part(part)).collect();
                parts.join(&other.to_string())
            })
            .collect();
        parts.join(&separator.to_string()) + &self.stream(&stream)
    }

    /// A part of a path, or a name without a path.
    fn part(&mut self, name: &str) -> String {
        let Some(key) = &self.key else {
            return name.to_owned();
        };
        if let Some(known) = self.replaced.get(name) {
            return known.clone();
        }
        if let Some(seen) = self.keep.get_mut(&name.to_lowercase()) {
            *seen = true;
            return name.to_owned();
        }
        if is_made_up(name) {
            return name.to_owned();
        }
        let mut replaced = key.replace(name);
        // Again, until it is none that stays: still no two names give the same, and it ends, at the latest with the name
        // itself.
        while self.keep.contains_key(&replaced.to_lowercase()) || is_made_up(&replaced) {
            replaced = key.replace(&replaced);
        }
        self.replaced.insert(name.to_owned(), replaced.clone());
        replaced
    }

    /// Whether names are replaced.
    pub(super) fn replaces(&self) -> bool {
        self.key.is_some()
    }

    /// The name of an extended attribute.
    pub(super) fn attribute(&mut self, name: &str) -> String {
        self.part(name)
    }

    /// Another identifier for one of an account: of the same form, the relative ones below 1000 as they are.
    pub(super) fn security_identifier(&self, sid: &Sid) -> Sid {
        let Some(key) = self.key.as_ref().filter(|_| is_of_accounts(sid)) else {
            return sid.clone();
        };
        let (authority, parts) = (sid.authority(), sid.sub_authorities());
        let own = usize::from(authority == 5 || authority == 22);
        let replaced: Vec<u32> = parts
            .iter()
            .enumerate()
            .map(
                |(place, &part)| match place < own || place + 1 == parts.len() && part < 1000 {
                    true => part,
                    false => key.number(&parts[..=place]),
                },
            )
            .collect();
        Sid::new(authority, &replaced).unwrap_or_else(|| sid.clone())
    }

    /// A search pattern: what stands between its wildcards is replaced like a name.
    pub(super) fn pattern(&mut self, pattern: &str) -> String {
        if self.key.is_none() {
            return pattern.to_owned();
        }
        if !pattern.contains(WILDCARDS) {
            return self.parts(pattern, '\\');
        }
        let mut out = String::new();
        let mut literal = String::new();
        for char in pattern.chars() {
            if WILDCARDS.contains(&char) {
                out.push_str(&self.literal(&literal, out.is_empty()));
                literal.clear();
                out.push(char);
            } else {
                literal.push(char);
            }
        }
        let first = out.is_empty();
        out.push_str(&self.literal(&literal, first));
        out
    }

    /// A piece of a pattern. A dot and an extension behind a wildcard stay.
    fn literal(&mut self, literal: &str, first: bool) -> String {
        match literal.strip_prefix('.') {
            Some(extension) if !first && extension.len() <= 4 => literal.to_owned(),
            _ => self.part(literal),
        }
    }

    /// Whether a pattern finds the same files under their new names.
    pub(super) fn finds_the_same(&self, pattern: &str) -> bool {
        let literal = pattern.trim_start_matches(WILDCARDS);
        self.key.is_none()
            || !pattern.contains(WILDCARDS)
            || literal.is_empty()
            || literal.len() < pattern.len()
                && literal
                    .strip_prefix('.')
                    .is_some_and(|rest| rest.len() <= 4 && !rest.contains(WILDCARDS))
    }

    /// The name of a stream as FileStreamInformation has it: `:name:$DATA`.
    pub(super) fn stream(&mut self, stream: &str) -> String {
        let parts: Vec<String> = stream.split(':').map(|part| self.part(part)).collect();
        parts.join(":")
    }

    /// An account.
    pub(super) fn identity(&mut self, domain: &str, user: &str) -> String {
        if let Some(identity) = self.maps.identity(domain, user) {
            return identity;
        }
        if self.key.is_none() && !user.is_empty() {
            let allowed = |char: char| char.is_alphanumeric() || "_.-".contains(char);
            let chars = user.chars();
            let mut name: String = chars
                .map(|char| if allowed(char) { char } else { '_' })
                .collect();
            while self.maps.gives(&name) {
                name.push('_');
            }
            return name;
        }
        let full = format!("{domain}\\{user}").to_lowercase();
        if let Some(known) = self.users.get(&full) {
            return known.clone();
        }
        let names = (0..usize::MAX).map(|number| match USERS.get(number) {
            Some(user) => (*user).to_owned(),
            None => format!("user{}", number + 1),
        });
        let mut free = names.filter(|name| !self.maps.gives(name));
        let next = free.nth(self.users.len()).unwrap_or_default();
        self.users.insert(full, next.clone());
        next
    }

    /// A path of the trace that different ones of the capture have become.
    pub(super) fn twice(&self) -> Option<&str> {
        self.maps.twice()
    }

    /// Of what was to be kept or mapped, what the capture does not have: by the names that the trace would have.
    pub(super) fn unused(&self) -> Vec<String> {
        let kept = self.keep.iter().filter(|(_, seen)| !**seen);
        let kept = kept.map(|(name, _)| name.as_str());
        kept.chain(self.maps.unused()).map(str::to_owned).collect()
    }

    /// How many different names and accounts were replaced.
    pub(super) fn counts(&self) -> (usize, usize) {
        let changed = self.replaced.iter().filter(|(from, to)| from != to).count();
        (changed, self.users.len())
    }

    /// Every replacement, sorted: what it was, and what it became.
    pub(super) fn replacements(&self) -> Vec<(String, String)> {
        let all = self.replaced.iter().chain(&self.users);
        let mut all: Vec<_> = all
            .filter(|(from, to)| from != to)
            .map(|(from, to)| (from.clone(), to.clone()))
            .collect();
        all.sort();
        all
    }
}

/// Names that the import itself has made.
fn is_made_up(name: &str) -> bool {
    let number = name
        .strip_prefix("unknown-")
        .or_else(|| name.strip_prefix("share"));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(Naming {
            key: Some(NameKey::of(b"a test")),
            keep: vec!["Public".to_owned()],
            identities: vec![("CORP\\boss".to_owned(), "carol".to_owned())],
            paths: vec![("Home/Smith".to_owned(), "lab/user".to_owned())],
        })
    }

    #[test]
    fn the_same_part_becomes_the_same_name() {
        let mut names = names();
        let path = names.path("Public/Merger Plans/Secret.docx:Comment:$DATA");
        let parts: Vec<&str> = path.split(['/', ':']).collect();
        assert_eq!((parts.len(), parts[0], parts[4]), (5, "Public", "$DATA"));
        assert!(
            parts[2].ends_with(".docx") && !path.contains("Secret"),
            "{path}"
        );
        assert_eq!(names.path("Merger Plans"), parts[1]);
        assert_eq!(names.raw_path("\\Merger Plans"), format!("\\{}", parts[1]));
        assert_eq!(names.pattern("Secret.docx"), parts[2]);
    }

    #[test]
    fn identifiers_of_accounts_get_others_of_their_form() {
        let names = names();
        let replaced = |text: &str| {
            let sid: Sid = text.parse().expect(text);
            names.security_identifier(&sid).to_string()
        };
        for kept in [
            "S-1-1-0",
            "S-1-5-18",
            "S-1-5-32-544",
            "S-1-3-0",
            "S-1-16-8192",
        ] {
            assert_eq!(replaced(kept), kept);
        }
        let (a, b) = (
            "S-1-5-21-11111-22222-33333-1104",
            "S-1-5-21-11111-22222-33333-1105",
        );
        let users = replaced("S-1-5-21-11111-22222-33333-513");
        let (new_a, new_b) = (replaced(a), replaced(b));
        assert!(new_a != new_b && new_a == replaced(a));
        let domain = |text: &str| text.rsplit_once('-').map(|(domain, _)| domain.to_owned());
        assert_eq!(domain(&new_a), domain(&new_b));
        assert!(users.starts_with("S-1-5-21-") && users.ends_with("-513"));
        for secret in ["11111", "22222", "33333", "1104"] {
            assert!(!new_a.contains(secret), "{new_a}");
        }
    }

    #[test]
    fn paths_and_accounts_are_mapped() {
        let mut names = names();
        assert_eq!(names.path("home/smith"), "lab/user");
        assert!(names.path("home/smith/x.txt").starts_with("lab/user/"));
        assert!(!names.path("home/smithy").starts_with("lab"));
        assert_eq!(names.identity("corp", "BOSS"), "carol");
        assert_eq!(names.identity("CORP", "jones"), "alice");
        assert_eq!(names.identity("CORP", "miller"), "bob");
        assert_eq!(names.identity("corp", "Jones"), "alice");
    }

    #[test]
    fn what_is_kept_or_mapped_is_nobody_elses() {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let letters: Vec<String> = ('a'..='y').map(String::from).collect();
        let mut names = Names::new(Naming {
            key: Some(NameKey::of(b"a test")),
            keep: letters.clone(),
            identities: vec![pair("boss", "Alice"), pair("nobody", "zoe")],
            paths: vec![
                pair("Home", "lab"),
                pair("Old", "lab"),
                pair("gone", "attic"),
            ],
        });
        // All other letters stay, so this one does, too.
        assert_eq!(names.path("z/A"), "z/A");
        assert_eq!(names.path("share3/unknown-1"), "share3/unknown-1");
        let users = ["x", "boss", "y", "x"].map(|user| names.identity("", user));
        assert_eq!(users, ["bob", "Alice", "carol", "bob"]);
        let file = names.path("home/file");
        assert_eq!((names.path("HOME/file"), names.twice()), (file, None));
        names.path("old/file");
        assert!(names.twice().is_some_and(|path| path.starts_with("lab/")));
        let unused = names.unused();
        assert_eq!(unused.len(), 24 + 2, "{unused:?}");
        assert!(unused.contains(&"zoe".to_owned()) && unused.contains(&"attic".to_owned()));
        let mut names = Names::new(Naming {
            identities: vec![pair("boss", "x")],
            ..Naming::default()
        });
        assert_eq!(["x", "y"].map(|user| names.identity("", user)), ["x_", "y"]);
    }

    #[test]
    fn patterns_keep_their_wildcards() {
        let mut names = names();
        for kept in ["*", "*.txt", "<.doc", "????????.???"] {
            assert_eq!(names.pattern(kept), kept);
            assert!(kept.contains('?') || names.finds_the_same(kept), "{kept}");
        }
        let pattern = names.pattern("Merger*.docx");
        assert!(
            pattern.ends_with("*.docx") && !pattern.contains("Merger"),
            "{pattern}"
        );
        assert!(!names.finds_the_same("Merger*"));
    }
}
