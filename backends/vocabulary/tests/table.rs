//! The table itself is sound: every word can be written and read in both encodings.

#[test]
fn the_table_has_no_problems() {
    assert_eq!(smb_vocabulary::VOCABULARY.problems(), [""; 0]);
}
