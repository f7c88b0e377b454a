//! The arrows between the crates: which may depend on which. Held against `cargo metadata`.

use serde_json::Value;

/// Every crate of the workspace with the crates of the workspace that it may use, tests included.
/// A crate that is not listed is refused, so that a new one gets its place here.
const ALLOWED: &[(&str, &[&str])] = &[
    ("replay-ir", &[]),
    ("replay-engine", &["replay-ir"]),
    ("smb-wire", &[]),
    ("smb-vocabulary", &["replay-ir", "smb-wire"]),
    (
        "samba-servers",
        &["replay-engine", "smb-vocabulary", "smb-wire"],
    ),
    ("ldap-provision", &[]),
    (
        "smb-backends",
        &[
            "replay-engine",
            "replay-ir",
            "samba-servers",
            "smb-vocabulary",
            "smb-wire",
        ],
    ),
    (
        "replay-import",
        &["replay-ir", "smb-vocabulary", "smb-wire"],
    ),
    ("smb-replay-macros", &["replay-ir", "smb-vocabulary"]),
    (
        "smb-replay",
        &[
            "ldap-provision",
            "replay-engine",
            "replay-import",
            "replay-ir",
            "samba-servers",
            "smb-backends",
            "smb-replay-macros",
            "smb-vocabulary",
            "smb-wire",
        ],
    ),
    (
        "smb-replay-suites",
        &[
            "replay-engine",
            "replay-ir",
            "smb-backends",
            "smb-replay",
            "smb-vocabulary",
        ],
    ),
    (
        "smb-replay-mutation",
        &[
            "replay-engine",
            "replay-ir",
            "smb-backends",
            "smb-replay",
            "smb-vocabulary",
            "smb-wire",
        ],
    ),
    ("xtask", &[]),
];

/// Used by tests of that crate only, never by the crate itself.
const ONLY_IN_TESTS: &[(&str, &str)] = &[("smb-backends", "samba-servers")];

/// What breaks the rules, a sentence each; the error says why the metadata cannot be read.
pub(crate) fn broken(metadata: &str) -> Result<Vec<String>, String> {
    let metadata: Value =
        serde_json::from_str(metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"]
        .as_array()
        .ok_or("cargo metadata has no packages")?;
    let names: Vec<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut broken = Vec::new();
    for package in packages {
        let name = package["name"].as_str().ok_or("a package without a name")?;
        let Some((_, allowed)) = ALLOWED.iter().find(|(listed, _)| *listed == name) else {
            broken.push(format!("{name} has no place in xtask/src/arrows.rs"));
            continue;
        };
        let dependencies = package["dependencies"]
            .as_array()
            .ok_or("no dependencies")?;
        for dependency in dependencies {
            let Some(other) = dependency["name"]
                .as_str()
                .filter(|other| names.contains(other))
            else {
                continue;
            };
            let in_tests = dependency["kind"] == "dev";
            if other == name && in_tests {
                continue;
            }
            if !allowed.contains(&other) {
                broken.push(format!("{name} must not use {other}"));
            } else if ONLY_IN_TESTS.contains(&(name, other)) && !in_tests {
                broken.push(format!("{name} may use {other} in its tests only"));
            }
        }
    }
    Ok(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(name: &str, uses: &str, kind: &str) -> String {
        let kind = if kind.is_empty() {
            "null".to_owned()
        } else {
            format!("{kind:?}")
        };
        format!(
            r#"{{"packages":[{{"name":"replay-ir","dependencies":[]}},
                {{"name":"samba-servers","dependencies":[]}},
                {{"name":"{name}","dependencies":[{{"name":"{uses}","kind":{kind}}},
                {{"name":"serde","kind":null}}]}}]}}"#
        )
    }

    #[test]
    fn arrows_point_down_only() {
        let broken = |name, uses, kind| broken(&metadata(name, uses, kind)).expect("metadata");
        assert!(broken("replay-engine", "replay-ir", "").is_empty());
        assert_eq!(
            broken("smb-wire", "replay-ir", ""),
            ["smb-wire must not use replay-ir"]
        );
        assert_eq!(broken("smb-wire", "replay-ir", "dev").len(), 1);
        assert!(broken("smb-backends", "samba-servers", "dev").is_empty());
        assert_eq!(broken("smb-backends", "samba-servers", "").len(), 1);
        assert_eq!(broken("newcomer", "serde", "").len(), 1);
    }
}
