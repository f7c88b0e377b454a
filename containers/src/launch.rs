//! What starting a server needs to know, whatever it is started as.

use std::ffi::OsString;

use crate::{
    ServerError, StartOptions,
    keeper::{Keeper, KeptFor},
    process::Owner,
    registry::{Record, Registry, Resource},
};

/// The NetBIOS name of the server of this id.
pub(crate) fn netbios_name(id: &str) -> String {
    format!("SR{id}").to_ascii_uppercase()
}

/// One start.
pub(crate) struct Launch<'a> {
    /// The server's random name.
    pub(crate) id: &'a str,
    /// For people: `samba-4.17`.
    pub(crate) spec: &'a str,
    /// What makes two requests the same; empty when the server is this process's own.
    pub(crate) key: &'a str,
    /// Who the server ends with.
    pub(crate) owner: &'a Owner,
    /// The caller's wishes.
    pub(crate) options: &'a StartOptions,
    /// Where it is written down.
    pub(crate) registry: &'a Registry,
}

impl Launch<'_> {
    /// Says what takes long.
    pub(crate) fn say(&self, line: &str) {
        tracing::info!("{line}");
        if let Some(progress) = &self.options.progress {
            progress(line);
        }
    }

    /// The NetBIOS name, by which a NEGOTIATE response shows that it is this server which answers; at most 15 letters.
    pub(crate) fn netbios_name(&self) -> String {
        netbios_name(self.id)
    }

    /// Starts the keeper of this server.
    pub(crate) fn keep(
        &self,
        arguments: &[OsString],
        variables: &[(&str, OsString)],
    ) -> Result<Keeper, ServerError> {
        let kept_for = if self.key.is_empty() {
            KeptFor::ThisProcess
        } else {
            KeptFor::Process(self.owner)
        };
        Keeper::start(kept_for, &self.registry.path(self.id), arguments, variables)
    }

    /// The record of the server, now that it listens at `address`.
    pub(crate) fn record(&self, address: std::net::SocketAddr, resource: Resource) -> Record {
        Record {
            id: self.id.to_owned(),
            key: self.key.to_owned(),
            spec: self.spec.to_owned(),
            owner: self.owner.clone(),
            started: Record::now(),
            address,
            resource,
        }
    }
}
