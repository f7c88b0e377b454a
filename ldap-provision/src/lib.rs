//! Users and groups over LDAP: the Python package `ldap_provision`, called inside this process.
//!
//! The package stands next to this crate and is compiled in; what it needs besides (`ldap3`) is looked for in the
//! virtual environment that `SMB_REPLAY_VENV` names, in `ldap-provision/.venv` of the source tree, and where Python
//! looks by itself. Without the cargo feature `python` everything is here, and [`Session::open`] says what is missing.
//!
//! All calls block: an asynchronous program makes them on a thread that may.

mod error;
mod plan;
#[cfg(feature = "python")]
mod python;

pub use error::Error;
pub use plan::{Account, Group, Plan, Report, Schema, Settings, State, User};

/// Told how many of how many accounts are done.
pub type Progress = Box<dyn Fn(u64, u64) + Send + Sync>;

/// A connection to a directory that is logged in.
pub struct Session {
    #[cfg(feature = "python")]
    inner: python::Session,
    #[cfg(not(feature = "python"))]
    never: std::convert::Infallible,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

#[cfg(feature = "python")]
impl Session {
    /// Connects and logs in. Takes ten seconds at most where nobody answers.
    ///
    /// # Errors
    ///
    /// What cannot be used here ([`Error::NotBuilt`], [`Error::MissingPackage`]), and a server that is not reached, not
    /// trusted or does not let us in.
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            inner: python::Session::open(settings)?,
        })
    }

    /// Brings a plan about: what is there already is made the same as new, what is in the unit beyond the plan goes.
    ///
    /// # Errors
    ///
    /// A plan that cannot be carried out, before anything is changed; a server that refuses, with the DN and the result
    /// code. The next call goes on from there.
    pub fn apply(&self, plan: &Plan, progress: Option<Progress>) -> Result<Report, Error> {
        self.inner.apply(plan, progress)
    }

    /// Removes a unit that this package made, with all in it; false when it is not there.
    ///
    /// # Errors
    ///
    /// A unit of somebody else, or a server that refuses.
    pub fn remove(&self, unit: &str) -> Result<bool, Error> {
        self.inner.remove(unit)
    }

    /// The units that this package made, whose names begin with `prefix`.
    ///
    /// # Errors
    ///
    /// A server that refuses.
    pub fn units(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.inner.units(prefix)
    }

    /// Logs out.
    ///
    /// # Errors
    ///
    /// A connection that was lost.
    pub fn close(self) -> Result<(), Error> {
        self.inner.close()
    }
}

#[cfg(not(feature = "python"))]
impl Session {
    /// Always [`Error::NotBuilt`].
    ///
    /// # Errors
    ///
    /// See above.
    pub fn open(_: &Settings) -> Result<Self, Error> {
        Err(Error::NotBuilt)
    }

    /// Cannot be called, since no session can be had.
    ///
    /// # Errors
    ///
    /// None.
    pub fn apply(&self, _: &Plan, _: Option<Progress>) -> Result<Report, Error> {
        match self.never {}
    }

    /// Cannot be called, since no session can be had.
    ///
    /// # Errors
    ///
    /// None.
    pub fn remove(&self, _: &str) -> Result<bool, Error> {
        match self.never {}
    }

    /// Cannot be called, since no session can be had.
    ///
    /// # Errors
    ///
    /// None.
    pub fn units(&self, _: &str) -> Result<Vec<String>, Error> {
        match self.never {}
    }

    /// Cannot be called, since no session can be had.
    ///
    /// # Errors
    ///
    /// None.
    pub fn close(self) -> Result<(), Error> {
        match self.never {}
    }
}

/// Whether accounts can be made here: the build has Python, and Python has what the package needs.
///
/// # Errors
///
/// [`Error::NotBuilt`] or [`Error::MissingPackage`], with what helps.
pub fn available() -> Result<(), Error> {
    #[cfg(feature = "python")]
    return python::available();
    #[cfg(not(feature = "python"))]
    Err(Error::NotBuilt)
}
