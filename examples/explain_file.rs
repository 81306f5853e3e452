//! Explains the rows of a table by a model: `cargo run --example explain_file [MODEL TABLE]`.

#![expect(clippy::print_stdout, reason = "this is what the example is for")]

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use whylight::{Explainer, Options, data, model, report};

fn main() -> whylight::Result<()> {
    let mut files = env::args_os().skip(1).map(PathBuf::from);
    let example = |name| PathBuf::from("examples/breast_cancer").join(name);
    let model_file = files.next().unwrap_or_else(|| example("model.json"));
    let table_file = files.next().unwrap_or_else(|| example("rows.csv"));

    let model = Arc::new(model::load(&model_file)?);
    let explainer = Explainer::new(model, None, Options::default())?;
    let table = data::read(&table_file, &explainer.read_options())?;
    let explanation = explainer.explain(&table)?;

    let features = &explanation.header.feature_names;
    let text = report::ranking(features, &explanation.ranking(), 10);
    let error = explanation.trailer.additivity_error;
    println!("{text}\nadditivity error {error:.1e}");
    Ok(())
}
