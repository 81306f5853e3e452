//! Sparse rows: the same values as the dense ones, for trees and linear models.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, array};
use whylight::data::View;
use whylight::explain::ValueFunction;
use whylight::model::{self, Model};
use whylight::{Device, Explainer, Options};

use crate::support::random::Random;

/// Compressed sparse rows; the entries of a row are in falling order of their columns.
struct Csr {
    data: Vec<f64>,
    indices: Vec<i64>,
    indptr: Vec<i64>,
}

impl Csr {
    fn of(dense: &ArrayView2<'_, f64>) -> Self {
        let mut csr = Self {
            data: Vec::new(),
            indices: Vec::new(),
            indptr: vec![0],
        };
        for row in dense.outer_iter() {
            for (column, &cell) in row.iter().enumerate().rev() {
                if cell != 0.0 {
                    csr.data.push(cell);
                    csr.indices.push(column as i64);
                }
            }
            csr.indptr.push(csr.data.len() as i64);
        }
        csr
    }

    fn view<'a>(&'a self, columns: usize, names: Option<&'a [String]>) -> View<'a> {
        let (indices, indptr) = (&self.indices[..], &self.indptr[..]);
        View::csr_f64(&self.data, indices, indptr, columns, names).unwrap()
    }
}

/// Three of four cells are 0; some of the others are missing where the model allows it.
fn holes(mut dense: Array2<f64>, missing: bool, random: &mut Random) -> Array2<f64> {
    for cell in &mut dense {
        if random.chance(0.75) {
            *cell = 0.0;
        } else if missing && random.chance(0.2) {
            *cell = f64::NAN;
        }
    }
    dense
}

fn bits(explainer: &Explainer, rows: &View<'_>) -> Vec<u32> {
    let explained = explainer.explain_while(rows, &mut |_| true).unwrap();
    let values = explained.unwrap().values;
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn sparse_rows_of_a_linear_model_have_the_values_of_dense_ones() {
    let mut random = Random(11);
    let mut model = super::model(2, 13, &mut random);
    let mut names: Vec<String> = (0..13).map(|f| format!("x{f}")).collect();
    if let Some(Model::Linear(linear)) = Arc::get_mut(&mut model) {
        for (feature, name) in linear.features.iter_mut().zip(&names) {
            feature.name = Some(name.clone());
        }
    }
    // The table has the columns in another order.
    names.rotate_left(5);
    let background = holes(super::matrix(20, 13, &mut random), false, &mut random);
    let rows = holes(super::matrix(700, 13, &mut random), false, &mut random);
    let (sparse_background, sparse) = (Csr::of(&background.view()), Csr::of(&rows.view()));
    for value_function in [ValueFunction::Interventional, ValueFunction::Conditional] {
        let options = || super::options(value_function);
        let view = View::f64(background.view(), Some(&names));
        let explainer = Explainer::with_background(model.clone(), Some(view), options()).unwrap();
        let expected = bits(&explainer, &View::f64(rows.view(), Some(&names)));
        let view = sparse_background.view(13, Some(&names));
        let other = Explainer::with_background(model.clone(), Some(view), options()).unwrap();
        assert_eq!(explainer.header(), other.header());
        assert_eq!(expected, bits(&other, &sparse.view(13, Some(&names))));
        let narrow: Vec<i32> = sparse.indices.iter().map(|&index| index as i32).collect();
        let data: Vec<f32> = sparse.data.iter().map(|&cell| cell as f32).collect();
        let csr = View::csr_f32(&data, &narrow[..], &sparse.indptr[..], 13, Some(&names)).unwrap();
        let dense = rows.mapv(|cell| cell as f32);
        assert_eq!(
            bits(&explainer, &View::f32(dense.view(), Some(&names))),
            bits(&explainer, &csr)
        );
    }
}

#[test]
fn sparse_rows_of_trees_have_the_values_of_dense_ones() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = path.join("examples/breast_cancer/model.json");
    let explainer = Explainer::new(
        Arc::new(model::load(&example).unwrap()),
        None,
        Options::on(Device::cpu()),
    )
    .unwrap();
    let mut random = Random(12);
    let names = explainer.header().feature_names.clone();
    for rows in [3, 200, 1700] {
        let dense = holes(
            100.0 * super::matrix(rows, 30, &mut random),
            true,
            &mut random,
        );
        let sparse = Csr::of(&dense.view());
        assert_eq!(
            bits(&explainer, &View::f64(dense.view(), Some(&names))),
            bits(&explainer, &sparse.view(30, Some(&names))),
            "{rows}"
        );
    }
}

#[test]
fn a_missing_cell_of_sparse_rows_is_named() {
    let model = super::model(1, 3, &mut Random(1));
    let background = array![[0.0, 1.0, 2.0], [1.0, 0.0, 0.5]];
    let view = View::f64(background.view(), None);
    let options = super::options(ValueFunction::Auto);
    let explainer = Explainer::with_background(model, Some(view), options).unwrap();
    let rows = Csr::of(&array![[0.0, 0.0, 1.0], [0.0, f64::NAN, 0.0]].view());
    let error = explainer
        .explain_while(&rows.view(3, None), &mut |_| true)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("row 2, column 2: the cell is missing"),
        "{error}"
    );
}

#[test]
fn sparse_rows_that_do_not_fit_together_are_refused() {
    let refused = |data: &[f32], indices: &[i32], indptr: &[i32]| {
        View::csr_f32(data, indices, indptr, 3, None)
            .unwrap_err()
            .to_string()
    };
    for (error, part) in [
        (
            refused(&[1.0], &[0, 1], &[0, 1]),
            "one for each of 1 entries, got 2",
        ),
        (
            refused(&[1.0], &[0], &[]),
            "one number more than rows, got none",
        ),
        (refused(&[1.0], &[0], &[0, 2]), "position 1 of the indptr"),
        (refused(&[1.0], &[0], &[-1, 1]), "position 0 of the indptr"),
        (
            refused(&[1.0, 2.0], &[0, 1], &[0, 2, 1]),
            "a number from 2 to 2, got 1",
        ),
        (
            refused(&[1.0], &[3], &[0, 1]),
            "row 1, the entry of column 3 (from 0): expected one of 3",
        ),
        (refused(&[1.0], &[-1], &[0, 1]), "column -1"),
        (refused(&[1.0, 2.0], &[1, 1], &[0, 2]), "two entries"),
    ] {
        assert!(error.contains(part), "{error}");
    }
    let view = View::csr_f32(&[1.0], &[2_i32][..], &[0_i64, 0, 1][..], 3, None).unwrap();
    assert_eq!((view.rows(), view.columns()), (2, 3));
    assert_eq!(view.slice(1..2).unwrap().rows(), 1);
    assert!(view.slice(1..3).is_err());
}
