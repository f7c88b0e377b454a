//! Every section of a specification that is cited anywhere in the workspace is in `sections.toml`, with its title; and
//! `docs/sections.md` is current.
//!
//! `UPDATE_DOCS=1 cargo test --test sections` writes the page anew. The table is written by hand, from the documents: a
//! citation that is not in it is one that nobody has looked up.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

const INTRODUCTION: &str = "\
# The sections that are cited

Generated from `suites/sections.toml` by `UPDATE_DOCS=1 cargo test --test sections`. Section numbers move from one revision of
a document to the next; those of this project are of the revisions below. A citation of a section that is not here fails
that test: look it up in the document, and add it to the table with its title.

";

/// Files that may cite a section, by their extension.
const CITING: [&str; 5] = ["ir", "rs", "toml", "md", "py"];

#[derive(Deserialize)]
struct Table {
    document: Vec<Document>,
}

#[derive(Deserialize)]
struct Document {
    name: String,
    revision: String,
    date: String,
    sections: BTreeMap<String, String>,
}

/// A section of a document: `MS-SMB2`, `3.3.5.9`.
type Section = (String, String);

fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("a workspace").to_owned()
}

fn table() -> Table {
    let path = workspace().join("suites/sections.toml");
    let text = std::fs::read_to_string(&path).expect("the table");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files that may cite something, but for those that are made of the table.
fn files() -> Vec<PathBuf> {
    let root = workspace();
    let made = [
        root.join("suites/sections.toml"),
        root.join("docs/sections.md"),
        root.join("suites/tests/sections.rs"),
    ];
    let (mut found, mut folders) = (Vec::new(), vec![root]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
                continue;
            }
            let extension = path.extension().unwrap_or_default().to_string_lossy();
            if CITING.contains(&&*extension) && !made.contains(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The words of a text, with its line ends, the signs of its comments and the bars of its tables left out.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split_whitespace();
    words.filter(|word| !["#", "//", "///", "//!", "|", "#:"].contains(word))
}

/// The sections that a text cites: `MS-SMB2 3.3.5.9`, and what follows by a comma, `and`, `or` or `to`. The error is a citation
/// whose number is none, such as `3.3.` or `3..5`.
fn citations(text: &str) -> Result<BTreeSet<Section>, String> {
    let mut found = BTreeSet::new();
    let mut document: Option<&str> = None;
    for word in words(text) {
        if let Some(start) = word.find("MS-") {
            let name = &word[start..];
            let end =
                name.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-'));
            // What stands behind the name, as in `MS-KILE:`, ends the citation before it begins.
            document = end.is_none().then_some(name);
            continue;
        }
        let Some(name) = document else { continue };
        if ["and", "or", "to"].contains(&word) {
            continue;
        }
        let number = word.trim_start_matches('(');
        let length = number.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        let (number, rest) = number.split_at(length.unwrap_or(number.len()));
        // A full stop at its end is that of a sentence.
        let sentence = rest.is_empty() && number.ends_with('.');
        let number = if sentence {
            &number[..number.len() - 1]
        } else {
            number
        };
        if number.is_empty() {
            document = None;
            continue;
        }
        let parts: Vec<&str> = number.split('.').collect();
        let is_part = |part: &&str| {
            part.parse::<u16>().is_ok_and(|part_number| part_number > 0) && !part.starts_with('0')
        };
        if !parts.iter().all(is_part) {
            return Err(format!("{name} {number}{rest}"));
        }
        found.insert((name.to_owned(), number.to_owned()));
        if sentence || !rest.is_empty() && rest != "," {
            document = None;
        }
    }
    Ok(found)
}

/// Who cites what.
fn cited() -> BTreeMap<Section, Vec<PathBuf>> {
    let mut cited = BTreeMap::<Section, Vec<PathBuf>>::new();
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("text");
        let found = citations(&text);
        let found = found.unwrap_or_else(|citation| panic!("{}: {citation}", path.display()));
        for section in found {
            cited.entry(section).or_default().push(path.clone());
        }
    }
    cited
}

fn known(table: &Table) -> BTreeSet<Section> {
    let sections = table.document.iter().flat_map(|document| {
        let numbers = document.sections.keys();
        numbers.map(|number| (document.name.clone(), number.clone()))
    });
    sections.collect()
}

/// What is cited and not in the table.
fn invented(cited: &BTreeMap<Section, Vec<PathBuf>>, table: &Table) -> Vec<String> {
    let known = known(table);
    let unknown = cited
        .iter()
        .filter(|(section, _)| !known.contains(*section));
    unknown
        .map(|((document, number), files)| format!("{document} {number}: {files:?}"))
        .collect()
}

#[test]
fn every_citation_is_of_a_section_that_there_is() {
    let invented = invented(&cited(), &table());
    assert!(
        invented.is_empty(),
        "not in suites/sections.toml: look them up, and add them with their titles:\n{}",
        invented.join("\n")
    );
}

#[test]
fn every_section_of_the_table_is_cited_somewhere() {
    let cited = cited();
    let table = table();
    let unused: Vec<Section> = known(&table)
        .into_iter()
        .filter(|section| !cited.contains_key(section))
        .collect();
    assert!(unused.is_empty(), "nobody cites {unused:?}");
    for document in &table.document {
        assert!(!document.revision.is_empty() && document.date.len() == 10);
        assert!(
            document
                .sections
                .values()
                .all(|title| !title.trim().is_empty())
        );
    }
}

#[test]
fn every_trace_says_what_it_is_about() {
    let traces = workspace().join("suites/traces");
    let silent: Vec<PathBuf> = files()
        .into_iter()
        .filter(|path| path.starts_with(&traces))
        .filter(|path| {
            let text = std::fs::read_to_string(path).expect("text");
            citations(&text).is_ok_and(|found| found.is_empty())
        })
        .collect();
    assert!(silent.is_empty(), "these cite no section: {silent:?}");
}

#[test]
fn citations_are_found_in_lists_and_over_line_ends() {
    let found = |text: &str| {
        let found = citations(text).expect("numbers");
        let found = found
            .into_iter()
            .map(|(document, number)| format!("{document} {number}"));
        found.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found("# MS-SMB2 3.3.5.9: a directory"), "MS-SMB2 3.3.5.9");
    assert_eq!(
        found("(MS-SMB2 2.2.13,\n/// 2.2.14; MS-FSA 2.1.5.3 and 2.1.5.4 with 3 of 4)"),
        "MS-FSA 2.1.5.3 MS-FSA 2.1.5.4 MS-SMB2 2.2.13 MS-SMB2 2.2.14"
    );
    assert_eq!(
        found("as MS-SMB2 3.3.5.9.6 to 3.3.5.9.12 say"),
        "MS-SMB2 3.3.5.9.12 MS-SMB2 3.3.5.9.6"
    );
    assert_eq!(
        found("MS-NLMP, or MS-KILE: 5 tickets. See MS-NLMP 6."),
        "MS-NLMP 6"
    );
    assert_eq!(found("dialect 3.1.1 (MS-SMB2) has 2.2.3.1"), "");
    for wrong in [
        "MS-SMB2 3..5",
        "MS-SMB2 3.3.5.:",
        "MS-SMB2 03.1",
        "MS-SMB2 3.0.1",
    ] {
        assert!(citations(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_invented_section_is_noticed() {
    let section = ("MS-SMB2".to_owned(), "3.3.5.99".to_owned());
    let cited = BTreeMap::from([(section, vec![PathBuf::from("x.ir")])]);
    let invented = invented(&cited, &table());
    assert_eq!(invented, ["MS-SMB2 3.3.5.99: [\"x.ir\"]"]);
}

/// Numbers of sections in their order.
fn order(number: &str) -> Vec<u16> {
    number
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect()
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for document in table().document {
        let Document {
            name,
            revision,
            date,
            sections,
        } = document;
        write!(
            page,
            "## {name}, revision {revision} of {date}\n\n| section | title |\n|---|---|\n"
        )
        .expect("written");
        let mut sections: Vec<_> = sections.iter().collect();
        sections.sort_by_key(|(number, _)| order(number));
        for (number, title) in sections {
            writeln!(page, "| {number} | {title} |").expect("written");
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

#[test]
fn the_page_is_current() {
    common::assert_current("sections", &page());
}
