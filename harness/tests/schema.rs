//! The committed JSON schemas are those of the types, and they tell real files from broken ones.
//!
//! `LBCURVE_WRITE_SCHEMAS=1 cargo test -p lbcurve --test schema` rewrites them.

mod synthetic;

use std::path::PathBuf;

use jsonschema::Validator;
use lbcurve::compare::{Side, compare};
use lbcurve::result::schema;
use serde_json::{Value, json};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../results/schema").join(name)
}

fn check_committed(name: &str, generated: &schemars::Schema) {
    let mut text = serde_json::to_string_pretty(generated).expect("a schema is JSON");
    text.push('\n');
    if std::env::var_os("LBCURVE_WRITE_SCHEMAS").is_some() {
        std::fs::write(path(name), &text).expect("the schema can be written");
    }
    let committed = std::fs::read_to_string(path(name)).expect("the schema is committed");
    assert_eq!(committed, text, "{name} is stale; the head of this file names the command that rewrites it");
}

#[test]
fn committed_schemas_are_current() {
    check_committed("run.schema.json", &schema::run());
    check_committed("trial.schema.json", &schema::trial());
    check_committed("compare.schema.json", &schema::comparison());
}

fn validator(schema: &schemars::Schema) -> Validator {
    jsonschema::validator_for(schema.as_value()).expect("the schema is one")
}

fn run_value() -> Value {
    serde_json::to_value(synthetic::run()).expect("a run is JSON")
}

#[test]
fn a_run_file_is_valid() {
    let errors: Vec<_> = validator(&schema::run()).iter_errors(&run_value()).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_comparison_is_valid() {
    let run = synthetic::run();
    let comparison = compare(&Side::run("a", &run), &Side::run("b", &run), 0.01);
    let value = serde_json::to_value(comparison).expect("a comparison is JSON");
    let validator = validator(&schema::comparison());
    let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    for member in ["/rows/0/verdict", "/rows/0/metric", "/summary/improved", "/a/name"] {
        let mut broken = value.clone();
        remove(&mut broken, member);
        assert!(!validator.is_valid(&broken), "{member}");
    }
}

#[test]
fn every_trial_is_valid() {
    let validator = validator(&schema::trial());
    for trial in synthetic::trials() {
        assert!(validator.is_valid(&serde_json::to_value(trial).expect("a trial is JSON")));
    }
}

#[test]
fn altered_run_files_are_not_valid() {
    let validator = validator(&schema::run());
    let alterations: [(&str, Value); 10] = [
        ("/schema_version", json!("one")),
        ("/environment/cpus", json!(-1)),
        ("/environment/command", Value::Null),
        ("/plan/seed", json!(1.5)),
        ("/plan/backends/0", json!("haproxy")),
        ("/curves/0/unit", json!("latency")),
        ("/curves/0/fit/classes/0", json!("quadratic")),
        ("/curves/0/fit/slope_ci95", json!([1.0])),
        ("/curves/0/points/0/p50", json!("fast")),
        ("/skipped/0/reason", Value::Null),
    ];
    for (pointer, value) in alterations {
        let mut run = run_value();
        *run.pointer_mut(pointer).expect(pointer) = value;
        assert!(!validator.is_valid(&run), "{pointer}");
    }
}

/// Removes the member that a JSON pointer names.
fn remove(value: &mut Value, pointer: &str) {
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer has a slash");
    let object = value.pointer_mut(parent).and_then(Value::as_object_mut).expect("the parent is an object");
    object.remove(member).expect("the member is there");
}

#[test]
fn run_files_with_a_member_missing_are_not_valid() {
    let validator = validator(&schema::run());
    for pointer in [
        "/environment",
        "/plan",
        "/programming",
        "/throughput",
        "/curves",
        "/curves/0/kernel",
        "/curves/0/fit",
        "/curves/0/points/0/trials",
        "/skipped/0/position",
    ] {
        let mut run = run_value();
        remove(&mut run, pointer);
        assert!(!validator.is_valid(&run), "{pointer}");
    }
}
