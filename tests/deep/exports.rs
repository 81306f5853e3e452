//! Networks that torch exported, of every kind: what their values add up to.

use ndarray::Array2;
use whylight::model::network::{Shapes, load};

use super::{explain, options};
use crate::corpus::{Matrix, cases};

fn table(matrix: &Matrix) -> Array2<f32> {
    let rows = matrix.shape[0];
    let cells = matrix.cells.iter().map(|&cell| cell as f32).collect();
    Array2::from_shape_vec((rows, matrix.cells.len() / rows), cells).unwrap()
}

/// Each row against the others, by the answers of torch itself.
#[test]
fn values_add_up_to_what_the_module_answers() {
    for case in cases("onnx_network") {
        let network = load(&case.model(), &Shapes::default()).unwrap();
        let rows = table(&case.array("rows").unwrap());
        let answers = table(&case.array("answers").unwrap());
        let others = rows.slice(ndarray::s![1.., ..]).to_owned();
        let found = explain(&network, &others, &rows, options());
        let largest = answers.iter().fold(1.0_f32, |a, b| a.max(b.abs()));
        for ((row, output), answer) in answers.indexed_iter() {
            let base: f32 = answers.slice(ndarray::s![1.., output]).mean().unwrap();
            let values = found.values.slice(ndarray::s![row, .., output]);
            let off = (base + values.sum() - answer).abs() / largest;
            assert!(
                off < 2e-5,
                "{}, row {row}, output {output}: {off}",
                case.name
            );
        }
    }
}
