//! Rows that weigh more or less than others.

use ndarray::Array2;
use whylight::summarise::KMeans;

use super::{blobs, cluster, f64s, on_cpu, rows, table};
use crate::support::random::Random;

#[test]
fn a_weight_counts_as_so_many_rows() {
    let matrix = blobs(200, &[[0.0; 3]], 8);
    let mut random = Random(1);
    let weights: Vec<f64> = (0..200).map(|_| random.below(4) as f64).collect();
    let mut repeated = Vec::new();
    for (row, &weight) in matrix.rows().into_iter().zip(&weights) {
        repeated.extend(std::iter::repeat_n(row.to_vec(), weight as usize));
    }
    let shape = (repeated.len(), 3);
    let repeated = Array2::from_shape_vec(shape, repeated.concat()).unwrap();
    for clusters in [1, 3, 170] {
        let weighted = KMeans {
            weights: Some(weights.clone()),
            ..on_cpu(clusters)
        };
        let weighted = cluster(&table(matrix.clone()), &weighted).unwrap();
        let expected = cluster(&table(repeated.clone()), &on_cpu(clusters)).unwrap();
        assert_eq!(rows(&weighted), rows(&expected));
        for (weight, expected) in weighted.weights.iter().zip(&expected.weights) {
            assert!((weight - expected).abs() < 1e-12);
        }
    }
}

#[test]
fn a_row_without_weight_counts_for_nothing() {
    let table = f64s(&[&[1.0], &[1e300], &[2.0], &[5.0]]);
    let options = KMeans {
        weights: Some(vec![1.0, 0.0, 1.0, 2.0]),
        ..on_cpu(2)
    };
    let clusters = cluster(&table, &options).unwrap();
    let mut found = rows(&clusters).concat();
    found.sort_by(f64::total_cmp);
    assert_eq!(found, [1.0, 5.0]);
    assert_eq!(clusters.weights, [0.5, 0.5]);
    assert_eq!(clusters.rows.iter().sum::<usize>(), 3);
    for factor in [1e308, 1e-308, 1.0 / 3.0] {
        let weights = [1.0, 0.0, 0.5, 0.75].map(|weight| weight * factor);
        let options = KMeans {
            weights: Some(weights.to_vec()),
            ..on_cpu(3)
        };
        let clusters = cluster(&table, &options).unwrap();
        for (weight, expected) in clusters.weights.iter().zip([4.0, 2.0, 3.0]) {
            assert!((weight - expected / 9.0).abs() < 1e-12);
        }
    }
}
