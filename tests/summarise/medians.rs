//! Columns by their medians.

use ndarray::Array2;
use whylight::Table;
use whylight::data::{Cells, Column, View};
use whylight::summarise::medians;

use super::{f64s, table};

fn of(table: &Table) -> Vec<f64> {
    match medians(&View::from(table)).unwrap().cells {
        Cells::F64(matrix) => {
            assert_eq!(matrix.nrows(), 1);
            matrix.into_iter().collect()
        }
        other => panic!("float64 gives float64, not {other:?}"),
    }
}

#[test]
fn medians_leave_missing_cells_out() {
    let nan = f64::NAN;
    let rows = f64s(&[
        &[5.0, 1.0, nan, nan, 1.7e308],
        &[1.0, nan, nan, -2.0, 1.6e308],
        &[2.0, 4.0, nan, nan, 1.7e308],
        &[9.0, 2.0, nan, nan, 1.6e308],
    ]);
    let got = of(&rows);
    assert_eq!(got[..2], [3.5, 2.0]);
    assert!(got[2].is_nan());
    // Their sum leaves float64.
    assert_eq!(got[3..], [-2.0, 1.7e308 / 2.0 + 1.6e308 / 2.0]);
    assert_eq!(of(&f64s(&[&[7.0, -0.5]])), [7.0, -0.5]);
}

#[test]
fn medians_are_those_of_sorted_columns() {
    for rows in 1..40 {
        let matrix = Array2::from_shape_fn((rows, 3), |(r, c)| ((r * 7 + c * 3) % 11) as f64);
        for (got, column) in of(&table(matrix.clone())).iter().zip(matrix.columns()) {
            let mut sorted = column.to_vec();
            sorted.sort_by(f64::total_cmp);
            let expected = f64::midpoint(sorted[(rows - 1) / 2], sorted[rows / 2]);
            assert_eq!(*got, expected);
        }
    }
}

#[test]
fn medians_of_strings_of_nothing_and_of_infinities_are_refused() {
    let labels = Column::Labels {
        codes: vec![0],
        labels: vec!["x".to_owned()],
    };
    let message = |table: &Table| medians(&View::from(table)).unwrap_err().to_string();
    let strings = Table::new(None, Cells::Columns(vec![labels])).unwrap();
    assert!(message(&strings).contains("at column 1: the column holds strings"));
    assert!(message(&table(Array2::zeros((0, 2)))).contains("no rows"));
    let endless = f64s(&[&[0.0], &[f64::INFINITY]]);
    assert!(message(&endless).contains("at row 2, column 1: inf cannot be summarised"));
}
