//! What a person says of names: accounts that become certain identities, paths that become certain ones.

use super::paths::base;
use std::collections::{BTreeSet, HashMap};

/// Both maps, and what came of them.
#[derive(Debug, Default)]
pub(super) struct Maps {
    /// Accounts as `DOMAIN\user` or `user`.
    identities: Vec<(String, String)>,
    /// Longer ones before shorter ones.
    paths: Vec<(String, String)>,
    /// The entries that were of something, by what they give.
    used: BTreeSet<String>,
    /// By a path of the trace: the one of the capture. Both in small letters.
    before: HashMap<String, String>,
    /// Paths of the trace that two of the capture have become.
    twice: BTreeSet<String>,
}

impl Maps {
    pub(super) fn new(identities: Vec<(String, String)>, mut paths: Vec<(String, String)>) -> Self {
        paths.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        Self {
            identities,
            paths,
            ..Self::default()
        }
    }

    /// The identity of an account.
    pub(super) fn identity(&mut self, domain: &str, user: &str) -> Option<String> {
        let (full, user) = (
            format!("{domain}\\{user}").to_lowercase(),
            user.to_lowercase(),
        );
        let (_, identity) = self.identities.iter().find(|(account, _)| {
            let account = account.to_lowercase();
            account == full || account == user
        })?;
        self.used.insert(identity.clone());
        Some(identity.clone())
    }

    /// Whether an account has this identity, so that no other one gets it by itself.
    pub(super) fn gives(&self, identity: &str) -> bool {
        let mut all = self.identities.iter();
        all.any(|(_, given)| given.eq_ignore_ascii_case(identity))
    }

    /// What a path becomes, and what of it stands behind that: nothing, or something that begins with `/` or `:`.
    pub(super) fn path<'p>(&mut self, path: &'p str) -> Option<(String, &'p str)> {
        let file = base(path);
        let (to, length) = self
            .paths
            .iter()
            .find_map(|(from, to)| Some((to, beginning(file, from)?)))?;
        self.used.insert(to.clone());
        Some((to.clone(), &path[length..]))
    }

    /// A path has become another one.
    pub(super) fn became(&mut self, path: &str, new: &str) {
        if self.paths.is_empty() {
            return;
        }
        let path = path.to_lowercase();
        match self.before.get(&new.to_lowercase()) {
            Some(other) if *other == path => {}
            Some(_) => {
                self.twice.insert(new.to_owned());
            }
            None => {
                self.before.insert(new.to_lowercase(), path);
            }
        }
    }

    /// A path of the trace that different ones of the capture have become.
    pub(super) fn twice(&self) -> Option<&str> {
        self.twice.first().map(String::as_str)
    }

    /// What entries would have given that were of nothing in the capture, each once.
    pub(super) fn unused(&self) -> BTreeSet<&str> {
        let all = self.identities.iter().chain(&self.paths);
        let given = all.map(|(_, given)| given.as_str());
        given.filter(|given| !self.used.contains(*given)).collect()
    }
}

/// How many bytes of `path` are `from`, in whatever letters; `None` if it does not begin with its parts.
fn beginning(path: &str, from: &str) -> Option<usize> {
    let (mut length, mut parts) = (0, path.split('/'));
    for (place, wanted) in from.split('/').enumerate() {
        let part = parts.next()?;
        if part.to_lowercase() != wanted.to_lowercase() {
            return None;
        }
        length += part.len() + usize::from(place > 0);
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps() -> Maps {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        Maps::new(
            vec![pair("CORP\\boss", "carol"), pair("Jürgen", "dave")],
            vec![
                pair("Home", "h"),
                pair("Home/Müller", "lab/m"),
                pair("never", "n"),
            ],
        )
    }

    #[test]
    fn letters_do_not_matter_and_longer_paths_go_first() {
        let mut maps = maps();
        let mut of = |path: &'static str| maps.path(path);
        assert_eq!(of("home"), Some(("h".to_owned(), "")));
        assert_eq!(of("HOME/MÜLLER"), Some(("lab/m".to_owned(), "")));
        assert_eq!(of("home/müller/a:s"), Some(("lab/m".to_owned(), "/a:s")));
        assert_eq!(of("home/müller:s"), Some(("lab/m".to_owned(), ":s")));
        assert_eq!(of("home/müllers"), Some(("h".to_owned(), "/müllers")));
        assert_eq!(of("homes"), None);
        assert_eq!(maps.identity("", "JÜRGEN").as_deref(), Some("dave"));
        assert_eq!(maps.identity("lab", "boss"), None);
        assert!(maps.gives("Carol") && !maps.gives("alice"));
        assert_eq!(maps.unused(), BTreeSet::from(["carol", "n"]));
    }

    #[test]
    fn two_paths_that_become_one_are_found() {
        let mut maps = maps();
        maps.became("home/x", "h/x");
        maps.became("HOME/X", "h/X");
        assert_eq!(maps.twice(), None);
        maps.became("h/x", "h/x");
        assert_eq!(maps.twice(), Some("h/x"));
    }
}
