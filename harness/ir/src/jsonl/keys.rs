//! The keys of a line, and which kinds of lines have them.

/// The keys of the outermost object of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Do,
    Client,
    At,
    Compound,
    Label,
    With,
    Expect,
    After,
    Within,
    Declare,
    On,
    Given,
    Check,
    Version,
    Title,
    Mode,
    Needs,
}

/// Their names, those of steps first and in the order in which they are written.
pub(super) const NAMES: [(Key, &str); 17] = [
    (Key::Client, "c"),
    (Key::At, "at"),
    (Key::Do, "do"),
    (Key::Compound, "compound"),
    (Key::Label, "label"),
    (Key::With, "with"),
    (Key::Expect, "expect"),
    (Key::After, "after"),
    (Key::Within, "within"),
    (Key::Declare, "client"),
    (Key::On, "on"),
    (Key::Given, "given"),
    (Key::Check, "check"),
    (Key::Version, "ir"),
    (Key::Title, "title"),
    (Key::Mode, "mode"),
    (Key::Needs, "needs"),
];

impl Key {
    /// The key of a name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "do" => Key::Do,
            "c" => Key::Client,
            "at" => Key::At,
            "compound" => Key::Compound,
            "label" => Key::Label,
            "with" => Key::With,
            "expect" => Key::Expect,
            "after" => Key::After,
            "within" => Key::Within,
            "client" => Key::Declare,
            "on" => Key::On,
            "given" => Key::Given,
            "check" => Key::Check,
            "ir" => Key::Version,
            "title" => Key::Title,
            "mode" => Key::Mode,
            "needs" => Key::Needs,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(key, _)| *key == self)
            .map_or("", |&(_, name)| name)
    }

    /// Its bit in a set of keys.
    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A kind of line: the key that only it has, and all that it may have.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) mark: Key,
    pub(super) keys: &'static [Key],
}

impl Kind {
    /// The bits of its keys.
    pub(super) const fn allowed(&self) -> u32 {
        let (mut bits, mut index) = (0, 0);
        while index < self.keys.len() {
            bits |= self.keys[index].bit();
            index += 1;
        }
        bits
    }
}

/// The keys of a step.
pub(super) const STEP_KEYS: u32 = KINDS[KINDS.len() - 1].allowed();

/// All kinds; steps last.
pub(super) const KINDS: [Kind; 5] = [
    Kind {
        name: "header",
        mark: Key::Version,
        keys: &[Key::Version, Key::Title, Key::Mode, Key::Needs],
    },
    Kind {
        name: "client",
        mark: Key::Declare,
        keys: &[Key::Declare, Key::On, Key::With],
    },
    Kind {
        name: "given",
        mark: Key::Given,
        keys: &[Key::Given, Key::With],
    },
    Kind {
        name: "check",
        mark: Key::Check,
        keys: &[Key::Check],
    },
    Kind {
        name: "step",
        mark: Key::Do,
        keys: &[
            Key::Do,
            Key::Client,
            Key::At,
            Key::Compound,
            Key::Label,
            Key::With,
            Key::Expect,
            Key::After,
            Key::Within,
        ],
    },
];
