//! What `--help` says: every option, with its default.

use super::Place;

#[test]
fn the_command_lists_its_subcommands() {
    insta::assert_snapshot!(Place::new().ok("--help"), @"");
}

#[test]
fn explain_lists_its_options() {
    insta::assert_snapshot!(Place::new().ok("explain -h"), @"");
}

#[test]
fn bench_lists_its_options() {
    insta::assert_snapshot!(Place::new().ok("bench -h"), @"");
}

#[test]
fn demo_lists_its_options() {
    insta::assert_snapshot!(Place::new().ok("demo -h"), @"");
}

#[test]
fn the_version_is_the_crates() {
    let version = Place::new().ok("--version");
    assert_eq!(
        version.trim(),
        concat!("whylight ", env!("CARGO_PKG_VERSION"))
    );
}
