//! `wire=`: a request that is changed on its way, so that it is wrong on purpose.
//!
//! An edit is `PLACE=VALUE`. A place is a field of the header or of the body by its name, bytes at an offset, or
//! something of the frame as a whole. What is edited is the message as it was composed, before it is signed; so the
//! signature is right unless the trace says otherwise.

mod fields;

use crate::args::{self, ArgError, Args};
use replay_ir::{Step, Value, VerbSpec, parse_int};

use fields::{BODIES, BODY, Field, HEADER, STRUCTURE_SIZE};

/// Everything that is to be done to one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WireEdits {
    /// Changes of the message, in their order, before it is signed.
    pub edits: Vec<Edit>,
    /// What becomes of the signature.
    pub signature: Option<SignatureEdit>,
    /// A byte of the encrypted frame is changed.
    pub flip_ciphertext: bool,
    /// What the length prefix of the frame says.
    pub length: Option<Change>,
    /// How many bytes of the frame are sent, its length prefix not counted.
    pub cut: Option<usize>,
    /// When so many nanoseconds have passed without an answer, the step ends as IO_TIMEOUT.
    pub silence: Option<u64>,
}

/// One change of a message. Offsets count from the beginning of its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A number in little-endian order.
    Field {
        /// Where it is.
        offset: usize,
        /// Its size in bytes: 1, 2, 4 or 8.
        size: usize,
        /// What becomes of it; what does not fit is cut off.
        change: Change,
    },
    /// Bytes are replaced.
    Bytes {
        /// Where they begin.
        offset: usize,
        /// What is there instead.
        bytes: Vec<u8>,
    },
    /// The message gets this many bytes.
    Truncate(usize),
    /// Bytes behind the message.
    Append(Vec<u8>),
}

/// What becomes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// This one.
    To(u64),
    /// So much more.
    Add(u64),
    /// So much less.
    Subtract(u64),
}

/// What becomes of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureEdit {
    /// A bit of it is changed.
    Flip,
    /// Zeros, and SMB2_FLAGS_SIGNED stays set.
    Zero,
    /// The request is not signed.
    None,
}

impl Change {
    /// The number that becomes of `old`.
    pub fn of(self, old: u64) -> u64 {
        match self {
            Change::To(new) => new,
            Change::Add(more) => old.wrapping_add(more),
            Change::Subtract(less) => old.wrapping_sub(less),
        }
    }
}

impl WireEdits {
    /// What a step wants changed; `None` for one that is sent as it is.
    ///
    /// # Errors
    /// An edit that its verb does not have, and `silence=` without `wire=`.
    pub fn decode(step: &Step<'_>) -> Result<Option<Self>, ArgError> {
        Self::read(step.verb(), &args::of_step(step))
    }

    pub(crate) fn read<'t>(
        verb: &'static VerbSpec,
        args: &Args<impl Fn(&str) -> Option<Value<'t>>>,
    ) -> Result<Option<Self>, ArgError> {
        let silence = args.nanoseconds("silence");
        if !args.has("wire") {
            // `raw` has a `silence=` of its own.
            let is_edit = silence.is_some() && verb.args.iter().any(|arg| arg.name == "wire");
            return match is_edit {
                false => Ok(None),
                true => Err(ArgError::Conflict(
                    "`silence=` is for requests that are changed by `wire=`".to_owned(),
                )),
            };
        }
        let mut edits = Self {
            silence,
            ..Self::default()
        };
        for value in args.list("wire") {
            let text = value.as_str().unwrap_or_default();
            let parsed = Part::parse(text, Some(verb.name));
            let part = parsed.map_err(|reason| ArgError::Value {
                name: "wire",
                reason,
            })?;
            edits.add(part);
        }
        Ok(Some(edits))
    }

    fn add(&mut self, part: Part) {
        match part {
            Part::Edit(edit) => self.edits.push(edit),
            Part::Signature(signature) => self.signature = Some(signature),
            Part::FlipCiphertext => self.flip_ciphertext = true,
            Part::Length(change) => self.length = Some(change),
            Part::Cut(length) => self.cut = Some(length),
        }
    }
}

/// One element of `wire=`.
enum Part {
    Edit(Edit),
    Signature(SignatureEdit),
    FlipCiphertext,
    Length(Change),
    Cut(usize),
}

impl Part {
    /// Reads an edit. Without a verb a name of any body will do.
    fn parse(text: &str, verb: Option<&str>) -> Result<Self, String> {
        let Some((place, value)) = text.split_once('=') else {
            return Err(format!(
                "`{text}` is no edit; an edit is `PLACE=VALUE`, for instance `header.command=0x7fff`"
            ));
        };
        if let Some(name) = place.strip_prefix("header.") {
            if name == "signature" {
                let bytes = bytes(value)?;
                return Ok(Self::Edit(Edit::Bytes { offset: 48, bytes }));
            }
            return field(name, HEADER, 0, value, "the header");
        }
        if let Some(name) = place.strip_prefix("body.") {
            return match verb {
                Some(verb) => {
                    let fields = BODIES.iter().find(|(of, _)| *of == verb);
                    let fields: Vec<Field> = std::iter::once(STRUCTURE_SIZE)
                        .chain(fields.map_or(&[][..], |(_, fields)| fields).iter().copied())
                        .collect();
                    field(name, &fields, BODY, value, &format!("the body of `{verb}`"))
                }
                None => Ok(Self::Edit(Edit::Field {
                    offset: BODY,
                    size: 8,
                    change: change(value)?,
                })),
            };
        }
        if let Some(offset) = place.strip_prefix("at.") {
            let (offset, bytes) = (size(offset)?, bytes(value)?);
            return Ok(Self::Edit(Edit::Bytes { offset, bytes }));
        }
        Ok(match place {
            "signature" => Self::Signature(match value {
                "flip" => SignatureEdit::Flip,
                "zero" => SignatureEdit::Zero,
                "none" => SignatureEdit::None,
                _ => {
                    return Err(format!(
                        "a signature is `flip`, `zero` or `none`, not `{value}`"
                    ));
                }
            }),
            "ciphertext" if value == "flip" => Self::FlipCiphertext,
            "ciphertext" => return Err(format!("ciphertext can only `flip`, not `{value}`")),
            "truncate" => Self::Edit(Edit::Truncate(size(value)?)),
            "append" => Self::Edit(Edit::Append(bytes(value)?)),
            "length" => Self::Length(change(value)?),
            "cut" => Self::Cut(size(value)?),
            _ => {
                return Err(format!(
                    "`{place}` is no place; there are `header.NAME`, `body.NAME`, `at.OFFSET`, `signature`, \
                     `ciphertext`, `truncate`, `append`, `length` and `cut`"
                ));
            }
        })
    }
}

/// What a word of `wire=` may be, whatever the verb.
pub(crate) fn check_edit(text: &str) -> Result<(), String> {
    Part::parse(text, None).map(drop)
}

fn field(name: &str, fields: &[Field], base: usize, value: &str, of: &str) -> Result<Part, String> {
    let found = fields.iter().find(|(known, ..)| *known == name);
    let Some((_, offset, size)) = found else {
        let known: Vec<&str> = fields.iter().map(|(known, ..)| *known).collect();
        return Err(format!(
            "{of} has no field `{name}`; it has {}",
            known.join(", ")
        ));
    };
    Ok(Part::Edit(Edit::Field {
        offset: base + offset,
        size: *size,
        change: change(value)?,
    }))
}

/// `13`, `0x1f`, `+5`, `-10`.
fn change(text: &str) -> Result<Change, String> {
    let (make, digits): (fn(u64) -> Change, _) =
        match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(digits), _) => (Change::Add, digits),
            (_, Some(digits)) => (Change::Subtract, digits),
            _ => (Change::To, text),
        };
    parse_int(digits)
        .map(make)
        .ok_or_else(|| format!("`{text}` is no number; write `13`, `0x1f`, `+5` or `-10`"))
}

/// An offset or a length within a frame.
fn size(text: &str) -> Result<usize, String> {
    parse_int(text)
        .and_then(|value| usize::try_from(value).ok())
        .filter(|value| *value <= smb_wire::framing::MAX_FRAME)
        .ok_or_else(|| format!("`{text}` is no offset or length within a frame"))
}

/// `hex:0a1b`.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("`{text}` is no bytes; write `hex:0a1b`");
    let digits = text.strip_prefix("hex:").ok_or_else(wrong)?;
    smb_wire::hex::decode(digits).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VOCABULARY;

    fn decode(arguments: &str) -> Result<Option<WireEdits>, String> {
        let text = format!("ir 1\nclient A user=alice\nA echo {arguments}\n");
        let trace = replay_ir::load_str("x.ir", &text, &VOCABULARY).map_err(|e| e.to_string())?;
        let step = trace.steps().next().expect("a step");
        WireEdits::decode(&step).map_err(|error| error.to_string())
    }

    #[test]
    fn places_and_values_are_read() {
        let text = "wire=header.command=0x7fff,header.message-id=+5,body.structure-size=-1,at.0x40=hex:ff00,\
                    signature=flip,length=+10,cut=20,append=hex:01,truncate=64 silence=1s";
        let edits = decode(text).expect("valid").expect("edits");
        let field = |offset, size, change| Edit::Field {
            offset,
            size,
            change,
        };
        assert_eq!(
            edits.edits,
            [
                field(12, 2, Change::To(0x7fff)),
                field(24, 8, Change::Add(5)),
                field(64, 2, Change::Subtract(1)),
                Edit::Bytes {
                    offset: 64,
                    bytes: vec![0xff, 0]
                },
                Edit::Append(vec![1]),
                Edit::Truncate(64),
            ]
        );
        assert_eq!(edits.signature, Some(SignatureEdit::Flip));
        assert_eq!((edits.length, edits.cut), (Some(Change::Add(10)), Some(20)));
        assert_eq!(edits.silence, Some(1_000_000_000));
        assert_eq!(decode(""), Ok(None));
    }

    #[test]
    fn mistakes_say_what_there_is() {
        for (arguments, shown) in [
            ("wire=cut", "an edit is `PLACE=VALUE`"),
            ("wire=header.comand=1", "it has protocol-id, structure-size"),
            (
                "wire=body.name-offset=1",
                "the body of `echo` has no field `name-offset`",
            ),
            ("wire=frame=1", "`frame` is no place"),
            ("wire=at.x=hex:00", "`x` is no offset"),
            ("wire=at.1=00", "write `hex:0a1b`"),
            ("wire=append=hex:0", "write `hex:0a1b`"),
            ("wire=length=+", "`+` is no number"),
            ("wire=header.flags=++1", "`++1` is no number"),
            ("wire=cut=0x1000000", "no offset or length within a frame"),
            ("wire=signature=bad", "`flip`, `zero` or `none`"),
            ("silence=1s", "`silence=` is for requests"),
        ] {
            let error = decode(arguments).expect_err(arguments);
            assert!(error.contains(shown), "{arguments}: {error}");
        }
    }

    #[test]
    fn numbers_wrap_as_on_the_wire() {
        assert_eq!(Change::Subtract(1).of(0), u64::MAX);
        assert_eq!(Change::Add(2).of(u64::MAX), 1);
        assert_eq!(Change::To(7).of(9), 7);
    }

    #[test]
    fn the_bodies_are_those_of_verbs() {
        for (verb, fields) in BODIES {
            let mut names: Vec<&str> = fields.iter().map(|(name, ..)| *name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), fields.len(), "{verb}");
            assert!(
                fields
                    .iter()
                    .all(|(_, _, size)| [1, 2, 4, 8].contains(size)),
                "{verb}"
            );
        }
    }
}
