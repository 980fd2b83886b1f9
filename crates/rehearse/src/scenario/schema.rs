//! docs/scenario.schema.json is what the code reads. `UPDATE_EXPECT=1 cargo test -p hustings-rehearse schema` writes it anew.

use super::file::File;

#[test]
fn the_schema_that_is_checked_in_is_the_codes() {
    let schema = schemars::schema_for!(File);
    let text = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
    expect_test::expect_file!["../../../../docs/scenario.schema.json"].assert_eq(&text);
}
