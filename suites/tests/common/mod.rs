//! Pages of the book that tests write.

/// Holds that `docs/NAME.md` is this page, or makes it so where `UPDATE_DOCS` asks for that. `NAME` is the test's, too.
pub(crate) fn assert_current(name: &str, page: &str) {
    let path = format!("{}/../docs/{name}.md", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page).expect("the page can be written");
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/{name}.md is not current; run UPDATE_DOCS=1 cargo test --test {name}"
    );
}
