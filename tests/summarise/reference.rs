//! The end of Lloyd's iterations by its definition, in float64: every row belongs to the nearest
//! mean, and every mean is that of its rows.

use ndarray::{Array2, Axis};

use super::{blobs, cluster, on_cpu, rows, table};
use whylight::summarise::KMeans;

/// The centres by which the iterations cannot move on, by a plain assignment and plain means of
/// standardised columns.
fn moved(matrix: &Array2<f64>, centres: &[Vec<f64>]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let deviation: Vec<f64> = matrix.std_axis(Axis(0), 0.0).to_vec();
    let mut sums = vec![vec![0.0; matrix.ncols()]; centres.len()];
    let mut counts = vec![0.0; centres.len()];
    for row in matrix.rows() {
        let distance = |centre: &Vec<f64>| -> f64 {
            let cells = row.iter().zip(centre).zip(&deviation);
            cells.map(|((a, b), scale)| ((a - b) / scale).powi(2)).sum()
        };
        let distances: Vec<f64> = centres.iter().map(distance).collect();
        let nearest = (0..centres.len())
            .min_by(|&a, &b| distances[a].total_cmp(&distances[b]))
            .unwrap();
        counts[nearest] += 1.0;
        for (sum, cell) in sums[nearest].iter_mut().zip(row) {
            *sum += cell;
        }
    }
    for (sums, count) in sums.iter_mut().zip(&counts) {
        for sum in sums {
            *sum /= count;
        }
    }
    let total = matrix.nrows() as f64;
    (sums, counts.iter().map(|count| count / total).collect())
}

#[test]
fn converged_centres_are_the_means_of_their_nearest_rows() {
    for seed in 0..10 {
        let mut matrix = blobs(1500, &[[0.0; 3], [2.0, 0.0, 1.0]], seed);
        // Another unit must not matter.
        matrix.column_mut(2).mapv_inplace(|cell| cell * 1e5 + 1e7);
        let options = KMeans {
            seed,
            round: false,
            max_iterations: 1000,
            ..on_cpu(9)
        };
        let clusters = cluster(&table(matrix.clone()), &options).unwrap();
        assert!(clusters.converged);
        let (centres, weights) = moved(&matrix, &rows(&clusters));
        assert_eq!(weights, clusters.weights);
        for (expected, got) in centres
            .iter()
            .flatten()
            .zip(rows(&clusters).iter().flatten())
        {
            assert!((expected - got).abs() <= 1e-9 * expected.abs().max(1.0));
        }
    }
}
