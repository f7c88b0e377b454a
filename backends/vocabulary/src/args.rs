//! Reading arguments by name, with an error that says which one is wrong.

use replay_ir::{Step, Value};

/// An argument that cannot be what it is. Its text is a sentence fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgError {
    /// The verb needs it.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// It holds something that it cannot hold.
    #[error("`{name}`: {reason}")]
    Value {
        /// The argument.
        name: &'static str,
        /// What is wrong, for a person.
        reason: String,
    },
    /// It does not go together with the others.
    #[error("{0}")]
    Conflict(String),
}

/// The arguments of a step, a client or a `given`.
pub(crate) struct Args<F>(pub(crate) F);

/// Those of a step, read once: a decoder asks for many more than there are.
pub(crate) fn of_step<'t>(step: &Step<'t>) -> Args<impl Fn(&str) -> Option<Value<'t>> + use<'t>> {
    let there: Vec<_> = step.args().collect();
    Args(move |name: &str| {
        let found = there.iter().find(|(spec, _)| spec.name == name);
        found.map(|(_, value)| value.clone())
    })
}

impl<'t, F: Fn(&str) -> Option<Value<'t>>> Args<F> {
    pub(crate) fn has(&self, name: &'static str) -> bool {
        (self.0)(name).is_some()
    }

    /// A word or text.
    pub(crate) fn str(&self, name: &'static str) -> Option<&'t str> {
        (self.0)(name).and_then(|value| value.as_str())
    }

    pub(crate) fn required(&self, name: &'static str) -> Result<&'t str, ArgError> {
        self.str(name).ok_or(ArgError::Missing(name))
    }

    /// An integer in the range of `T`.
    pub(crate) fn int<T: TryFrom<u64>>(&self, name: &'static str) -> Result<Option<T>, ArgError> {
        let Some(value) = (self.0)(name).and_then(|value| value.as_int()) else {
            return Ok(None);
        };
        T::try_from(value).map(Some).map_err(|_| ArgError::Value {
            name,
            reason: format!(
                "{value} is too large; at most {} bits fit",
                8 * size_of::<T>()
            ),
        })
    }

    /// Text that `parse` reads.
    pub(crate) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&'t str) -> Result<T, String>,
    ) -> Result<Option<T>, ArgError> {
        let text = self.str(name);
        text.map(|text| parse(text).map_err(|reason| ArgError::Value { name, reason }))
            .transpose()
    }

    /// A length of time in nanoseconds.
    pub(crate) fn nanoseconds(&self, name: &'static str) -> Option<u64> {
        match (self.0)(name) {
            Some(Value::Duration(nanoseconds)) => Some(nanoseconds),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self, name: &'static str) -> Option<&'t [u8]> {
        match (self.0)(name) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// A range, its start and its end.
    pub(crate) fn range(&self, name: &'static str) -> Option<(u64, u64)> {
        match (self.0)(name) {
            Some(Value::Range { start, end }) => Some((start, end)),
            _ => None,
        }
    }

    /// The elements of a list, empty without it.
    pub(crate) fn list(&self, name: &'static str) -> Vec<Value<'t>> {
        match (self.0)(name) {
            Some(Value::List(values)) => values,
            _ => Vec::new(),
        }
    }
}
