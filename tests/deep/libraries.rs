//! Values against those of shap's `DeepExplainer` and captum's `DeepLiftShap`, where these are right.

use ndarray::Array2;
use whylight::model::network::{Shapes, load};

use super::{explain, options};
use crate::corpus::{Matrix, cases};

fn table(matrix: &Matrix) -> Array2<f32> {
    let rows = matrix.shape[0];
    let cells = matrix.cells.iter().map(|&cell| cell as f32).collect();
    Array2::from_shape_vec((rows, matrix.cells.len() / rows), cells).unwrap()
}

#[test]
fn values_are_those_of_the_libraries() {
    let mut compared = [0, 0];
    for case in cases("onnx_deep") {
        let network = load(&case.model(), &Shapes::default()).unwrap();
        let (rows, others) = (case.array("rows").unwrap(), case.array("others").unwrap());
        let found = explain(&network, &table(&others), &table(&rows), options());
        for (library, name) in ["shap", "captum"].into_iter().enumerate() {
            let Some(expected) = case.array(name) else {
                continue;
            };
            assert_eq!(expected.cells.len(), found.values.len(), "{}", case.name);
            let largest = expected.cells.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
            for (got, expected) in found.values.iter().zip(&expected.cells) {
                let off = (f64::from(*got) - expected).abs() / largest;
                assert!(off < 1e-5, "{} of {name}: {got} {expected}", case.name);
            }
            compared[library] += 1;
        }
    }
    assert!(compared[0] >= 13 && compared[1] >= 10, "{compared:?}");
}
