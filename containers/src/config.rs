//! The smb.conf of a server, filled in from one template for the container and for the private `smbd`.

use std::path::Path;

use crate::ServerError;

const TEMPLATE: &str = include_str!("../standalone/smb.conf");
/// The share that cases work in.
pub(crate) const SHARE: &str = "data";

/// What differs between servers.
#[derive(Debug)]
pub(crate) struct Config<'a> {
    /// The NetBIOS name, which the server's NEGOTIATE response shows.
    pub(crate) name: &'a str,
    /// The folder with everything the server has.
    pub(crate) directory: &'a Path,
    /// The TCP port.
    pub(crate) port: u16,
    /// Listens on the loopback interface only.
    pub(crate) loopback: bool,
    /// Further lines for `[global]`.
    pub(crate) extra: &'a [String],
}

impl Config<'_> {
    /// The text of the file.
    pub(crate) fn render(&self) -> Result<String, ServerError> {
        let extra = lines(self.extra)?;
        let interfaces = if self.loopback {
            "interfaces = lo\n    bind interfaces only = yes"
        } else {
            ""
        };
        Ok(TEMPLATE
            .replace("@NAME@", self.name)
            .replace("@DIR@", &self.directory.display().to_string())
            .replace("@PORT@", &self.port.to_string())
            .replace("@INTERFACES@", interfaces)
            .replace("@EXTRA@", extra.trim()))
    }
}

/// Lines for the `[global]` section, each `name = value`.
pub(crate) fn lines(extra: &[String]) -> Result<String, ServerError> {
    let mut text = String::new();
    for line in extra {
        if line.contains(['\n', '\r', '\0'])
            || !line.contains('=')
            || line.trim_start().starts_with('[')
        {
            return Err(ServerError::Program {
                program: "smb.conf".into(),
                reason: format!("{line:?} is not a line `name = value`"),
            });
        }
        text.push_str("    ");
        text.push_str(line.trim());
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_template_is_left_open() {
        let extra = ["smb2 max credits = 64".to_owned()];
        let config = Config {
            name: "SR1",
            directory: Path::new("/x"),
            port: 4450,
            loopback: true,
            extra: &extra,
        };
        let text = config.render().expect("good lines");
        let body: String = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(!body.contains('@'), "{text}");
        for line in [
            "smb2 max credits = 64",
            "smb ports = 4450",
            "path = /x/data",
            "bind interfaces only = yes",
        ] {
            assert!(
                text.lines().any(|candidate| candidate.trim() == line),
                "{line} in {text}"
            );
        }
    }

    #[test]
    fn a_line_that_is_none_is_refused() {
        for line in ["[evil]", "a = b\nc = d", "no value", "[x] = y"] {
            let extra = [line.to_owned()];
            let config = Config {
                name: "SR1",
                directory: Path::new("/x"),
                port: 1,
                loopback: true,
                extra: &extra,
            };
            assert!(config.render().is_err(), "{line:?}");
        }
    }
}
