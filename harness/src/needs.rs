//! What a trace `needs` and a server lacks: a skip with that reason, not a failure.
//!
//! Of our own Samba it is known. Of a server at an address a person says it, in `SMB_REPLAY_LACKS`.

use replay_ir::Trace;
use samba_servers::{Server, Source};
use smb_vocabulary::VOCABULARY;

/// What a standalone Samba of ours does not have: it is in no domain, in no cluster, and its share
/// has no snapshots.
const STANDALONE_LACKS: &[&str] = &[
    "directory-leases",
    "domain",
    "guest",
    "persistent-handles",
    "snapshots",
];
/// What a server in a container does not have: its overlay file system may tell of no holes.
const CONTAINER_LACKS: &[&str] = &["sparse-files"];
/// What a domain controller of ours does not have.
const DOMAIN_LACKS: &[&str] = &[
    "directory-leases",
    "guest",
    "persistent-handles",
    "snapshots",
];

/// Reads `SMB_REPLAY_LACKS`: words of `needs` lines, separated by commas or blanks. The error is a
/// sentence.
pub(crate) fn parse(text: &str) -> Result<Vec<String>, String> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let known = |word: &str| VOCABULARY.needs.iter().any(|need| need.name == word);
    words
        .map(|word| match known(word) {
            true => Ok(word.to_owned()),
            false => {
                let all: Vec<_> = VOCABULARY.needs.iter().map(|need| need.name).collect();
                Err(format!(
                    "SMB_REPLAY_LACKS names `{word}`; there is: {}",
                    all.join(", ")
                ))
            }
        })
        .collect()
}

/// Why this server cannot serve this trace; `None` when it can.
pub(crate) fn skip_reason(trace: &Trace, server: &Server, lacks: &[String]) -> Option<String> {
    let known = match (server.source(), server.domain()) {
        (Source::External, _) => &[],
        (_, Some(_)) => DOMAIN_LACKS,
        (_, None) => STANDALONE_LACKS,
    };
    let source: &[&str] = match server.source() {
        Source::Docker => CONTAINER_LACKS,
        _ => &[],
    };
    let lacked = |need: &&String| {
        lacks.contains(need) || [known, source].iter().any(|of| of.contains(&need.as_str()))
    };
    let missing: Vec<&str> = trace
        .needs()
        .iter()
        .filter(lacked)
        .map(String::as_str)
        .collect();
    (!missing.is_empty()).then(|| format!("the server lacks {}", missing.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_vocabulary() {
        assert_eq!(
            parse("leases, oplocks"),
            Ok(vec!["leases".to_owned(), "oplocks".to_owned()])
        );
        assert_eq!(parse(""), Ok(Vec::new()));
        let error = parse("leases,lease").expect_err("no such word");
        assert!(
            error.contains("`lease`") && error.contains("directory-leases"),
            "{error}"
        );
        for word in [STANDALONE_LACKS, CONTAINER_LACKS, DOMAIN_LACKS].concat() {
            assert_eq!(parse(word), Ok(vec![word.to_owned()]));
        }
    }
}
