//! What cannot be clustered.

use ndarray::Array2;
use whylight::Table;
use whylight::data::{Cells, Column};
use whylight::summarise::KMeans;

use super::{cluster, f64s, on_cpu, table};

#[test]
fn what_cannot_be_clustered_is_refused_by_name() {
    let message = |table: &Table, options: &KMeans| cluster(table, options).unwrap_err();
    let names = |cells| Table::new(Some(vec!["a".to_owned(), "b".to_owned()]), cells).unwrap();
    let good = || Column::F64(vec![1.0, 2.0]);
    let labels = names(Cells::Columns(vec![
        good(),
        Column::Labels {
            codes: vec![0, 0],
            labels: vec!["x".to_owned()],
        },
    ]));
    let endless = names(Cells::Columns(vec![
        good(),
        Column::F32(vec![0.0, f32::NEG_INFINITY]),
    ]));
    let fine = f64s(&[&[1.0], &[2.0]]);
    let weights = |weights: &[f64]| KMeans {
        weights: Some(weights.to_vec()),
        ..on_cpu(1)
    };
    insta::assert_snapshot!(
        message(&labels, &on_cpu(1)),
        @r#"<memory>: at column "b": the column holds strings, expected numbers; encode them as numbers, or take a sample of the rows instead"#
    );
    insta::assert_snapshot!(
        message(&endless, &on_cpu(1)),
        @r#"<memory>: at row 2, column "b": -inf cannot be summarised; expected a finite number, or NaN for a missing one"#
    );
    insta::assert_snapshot!(
        message(&fine, &on_cpu(0)),
        @"clusters: 0 is not allowed: at least 1"
    );
    insta::assert_snapshot!(
        message(&fine, &KMeans { max_iterations: 0, ..on_cpu(1) }),
        @"max_iterations: 0 is not allowed: at least 1"
    );
    insta::assert_snapshot!(
        message(&table(Array2::zeros((0, 3))), &on_cpu(1)),
        @"<memory>: at its end: no rows; expected the rows to summarise"
    );
    insta::assert_snapshot!(
        message(&fine, &weights(&[1.0])),
        @"weights: expected one for each of the 2 rows, got 1"
    );
    insta::assert_snapshot!(
        message(&fine, &weights(&[1.0, -0.5])),
        @"weights: -0.5 for row 2 is not allowed: finite numbers from 0"
    );
    insta::assert_snapshot!(
        message(&fine, &weights(&[f64::NAN, 1.0])),
        @"weights: NaN for row 1 is not allowed: finite numbers from 0"
    );
    insta::assert_snapshot!(
        message(&fine, &weights(&[0.0, 0.0])),
        @"weights: 0 for every row is not allowed: some weight above 0"
    );
}
