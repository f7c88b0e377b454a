//! The book: every page is in `docs/SUMMARY.md`, and every relative link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What is wrong, a sentence each.
pub(crate) fn broken(root: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    let docs = root.join("docs");
    let mut pages = BTreeSet::new();
    collect(&docs, &mut pages);
    let summary = docs.join("SUMMARY.md");
    let listed: BTreeSet<PathBuf> = fs::read_to_string(&summary)
        .map(|text| {
            links(&text)
                .map(|link| normal(&docs.join(link.path)))
                .collect()
        })
        .unwrap_or_default();
    for page in pages
        .iter()
        .filter(|page| **page != summary && !listed.contains(*page))
    {
        broken.push(format!("{} is not in docs/SUMMARY.md", shown(root, page)));
    }
    pages.extend([root.join("README.md"), root.join("CHANGELOG.md")]);
    for page in &pages {
        let Ok(text) = fs::read_to_string(page) else {
            broken.push(format!("cannot read {}", shown(root, page)));
            continue;
        };
        for link in links(&text) {
            let target = page.parent().unwrap_or(root).join(link.path);
            if !target.exists() {
                let page = shown(root, page);
                broken.push(format!("{page}:{}: {} leads nowhere", link.line, link.path));
            }
        }
    }
    broken
}

struct Link<'t> {
    line: usize,
    path: &'t str,
}

/// The relative links of a page, without their `#` parts; code is left out.
fn links(text: &str) -> impl Iterator<Item = Link<'_>> {
    let mut in_code = false;
    text.lines().enumerate().flat_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        let line = if in_code { "" } else { line };
        line.split("](").skip(1).filter_map(move |rest| {
            let path = rest.split(')').next()?.split('#').next()?;
            let is_relative = !path.is_empty() && !path.contains("://") && !path.contains(' ');
            (is_relative && !path.starts_with("mailto:")).then_some(Link {
                line: index + 1,
                path,
            })
        })
    })
}

fn collect(directory: &Path, pages: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.insert(path);
        }
    }
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_links_are_checked() {
        let root = tempfile::tempdir().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            fs::write(path, text).expect("written");
        };
        write(
            "README.md",
            "[a](docs/a.md#part) [x](https://example.org) `[n](no.md`",
        );
        write("CHANGELOG.md", "");
        write("docs/SUMMARY.md", "- [A](./a.md)\n");
        write(
            "docs/a.md",
            "```\n[n](nowhere.md)\n```\n[up](../README.md)\n",
        );
        let found = broken(root.path());
        assert_eq!(found, ["README.md:1: no.md` leads nowhere"]);
        write("README.md", "");
        write("docs/deep/b.md", "\n[n](nowhere.md)\n");
        assert_eq!(
            broken(root.path()),
            [
                "docs/deep/b.md is not in docs/SUMMARY.md",
                "docs/deep/b.md:2: nowhere.md leads nowhere"
            ]
        );
    }
}
