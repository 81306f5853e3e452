//! Weighted k-means: what it finds, what it keeps, and what it refuses.

use ndarray::{Array2, ArrayView2, ShapeBuilder};
use whylight::data::{Cells, Column, View};
use whylight::summarise::{Clusters, KMeans, kmeans, kmeans_while};
use whylight::{Device, Result, Table};

use crate::support::random::Random;

#[cfg(feature = "gpu")]
mod gpu;
mod medians;
mod reference;
mod refused;
mod weights;

fn on_cpu(clusters: usize) -> KMeans {
    KMeans::new(clusters, Device::cpu())
}

fn cluster(table: &Table, options: &KMeans) -> Result<Clusters> {
    kmeans(&View::from(table), options)
}

fn f64s(rows: &[&[f64]]) -> Table {
    let cells = rows.concat();
    let matrix = Array2::from_shape_vec((rows.len(), rows[0].len()), cells).unwrap();
    Table::new(None, Cells::F64(matrix)).unwrap()
}

/// Numbers that stand about places far from each other, one row after the other from each place.
fn blobs(rows: usize, places: &[[f64; 3]], seed: u64) -> Array2<f64> {
    let mut random = Random(seed);
    Array2::from_shape_fn((rows, 3), |(row, column)| {
        places[row % places.len()][column] + random.unit() - 0.5
    })
}

fn table(matrix: Array2<f64>) -> Table {
    Table::new(None, Cells::F64(matrix)).unwrap()
}

/// The cells of the centres by row.
fn rows(clusters: &Clusters) -> Vec<Vec<f64>> {
    let matrix = match &clusters.table.cells {
        Cells::F64(matrix) => matrix.clone(),
        Cells::F32(matrix) => matrix.mapv(f64::from),
        Cells::Columns(_) => panic!("a matrix was expected"),
    };
    matrix.rows().into_iter().map(|row| row.to_vec()).collect()
}

fn bits(clusters: &Clusters) -> Vec<u64> {
    let cells = rows(clusters).concat();
    let numbers = cells.iter().chain(&clusters.weights);
    numbers.map(|number| number.to_bits()).collect()
}

const PLACES: [[f64; 3]; 3] = [[0.0, 0.0, 7.0], [100.0, 3e6, 57.0], [-100.0, 9e6, 7.0]];

#[test]
fn clusters_that_are_far_apart_are_found_with_their_weights() {
    // Two rows in five are about the first place, two about the second, one about the third.
    let places = [PLACES[0], PLACES[1], PLACES[0], PLACES[1], PLACES[2]];
    for seed in 0..20 {
        let table = table(blobs(1000, &places, seed));
        let options = KMeans { seed, ..on_cpu(3) };
        let clusters = cluster(&table, &options).unwrap();
        assert!(clusters.converged && clusters.iterations >= 1);
        let mut found: Vec<_> = (rows(&clusters).into_iter())
            .zip(clusters.weights.iter().zip(&clusters.rows))
            .collect();
        found.sort_by(|a, b| a.0[1].total_cmp(&b.0[1]));
        for ((centre, (&weight, &count)), (place, expected)) in
            found.into_iter().zip(PLACES.iter().zip([400, 400, 200]))
        {
            assert_eq!(count, expected);
            assert_eq!(weight, expected as f64 / 1000.0);
            for (cell, place) in centre.iter().zip(place) {
                assert!((cell - place).abs() < 0.1, "{centre:?} is not {place}");
            }
        }
    }
}

#[test]
fn rounded_cells_occur_in_their_columns_and_others_are_means() {
    let mut random = Random(5);
    let matrix = Array2::from_shape_fn((500, 4), |(_, column)| match column {
        0 => random.below(10) as f64,
        1 => random.unit(),
        2 => 3.25,
        _ => (random.unit() * 1e9).exp2().min(1e6),
    });
    let table = table(matrix.clone());
    let rounded = cluster(&table, &on_cpu(12)).unwrap();
    let options = KMeans {
        round: false,
        ..on_cpu(12)
    };
    let means = cluster(&table, &options).unwrap();
    assert_eq!(rounded.weights, means.weights);
    let mut differ = 0;
    for (rounded, mean) in rows(&rounded).iter().zip(rows(&means)) {
        for (column, (&cell, mean)) in rounded.iter().zip(mean).enumerate() {
            let nearest = |least: f64, other: &f64| least.min((other - mean).abs());
            let least = matrix.column(column).iter().fold(f64::INFINITY, nearest);
            assert!(matrix.column(column).iter().any(|&other| other == cell));
            assert_eq!((cell - mean).abs(), least);
            differ += usize::from(cell != mean);
        }
        assert_eq!(rounded[2], 3.25);
    }
    assert!(differ > 20, "the means are numbers of the columns");
    assert_eq!(rounded.rows.iter().sum::<usize>(), 500);
    assert!((rounded.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn bits_depend_on_the_seed_but_not_on_threads_or_layout() {
    let matrix = blobs(3000, &[[0.0; 3]], 9);
    let options = KMeans {
        seed: 3,
        round: false,
        ..on_cpu(20)
    };
    let on = |threads, view: &View<'_>| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let clusters = pool.build().unwrap().install(|| kmeans(view, &options));
        bits(&clusters.unwrap())
    };
    let view = View::f64(matrix.view(), None);
    let expected = on(1, &view);
    assert_eq!(on(8, &view), expected);
    assert_eq!(on(3, &view), expected);
    let mut by_columns = Array2::zeros((3000, 3).f());
    by_columns.assign(&matrix);
    assert_eq!(on(2, &View::f64(by_columns.view(), None)), expected);
    let columns: Vec<Column> = (matrix.columns().into_iter())
        .map(|column| Column::F64(column.to_vec()))
        .collect();
    let clusters = kmeans(&View::columns_of(&columns, None), &options).unwrap();
    let Cells::Columns(columns) = &clusters.table.cells else {
        panic!("columns give columns");
    };
    let Column::F64(first) = &columns[0] else {
        panic!("float64 gives float64");
    };
    let firsts: Vec<u64> = first.iter().map(|cell| cell.to_bits()).collect();
    let of_matrix: Vec<u64> = expected[..60].iter().step_by(3).copied().collect();
    assert_eq!(firsts, of_matrix);
    let other = KMeans {
        seed: 4,
        ..options.clone()
    };
    assert_ne!(bits(&kmeans(&view, &other).unwrap()), expected);
}

#[test]
fn names_and_precision_are_those_of_the_table() {
    let names = vec!["a".to_owned(), "b".to_owned()];
    let cells = [0.1_f32, 5.0, 0.2, 6.0, 9.1, 5.0, 9.3, 6.0];
    let matrix = ArrayView2::from_shape((4, 2), &cells).unwrap();
    let clusters = kmeans(&View::f32(matrix, Some(&names)), &on_cpu(2)).unwrap();
    assert_eq!(clusters.table.names, Some(names));
    assert!(matches!(clusters.table.cells, Cells::F32(_)));
    for row in rows(&clusters) {
        assert!(cells.iter().any(|&cell| f64::from(cell) == row[0]));
    }
}

#[test]
fn as_many_clusters_as_distinct_rows_are_those_rows() {
    let (a, b, c): (&[f64], &[f64], &[f64]) = (&[0.1, 5.0], &[0.1, 7.0], &[1e-300, 7.0]);
    let table = f64s(&[a, b, a, c, a, b]);
    for (clusters, round) in [(3, true), (3, false), (4, true), (1000, false)] {
        let options = KMeans {
            round,
            ..on_cpu(clusters)
        };
        let found = cluster(&table, &options).unwrap();
        assert_eq!(rows(&found), [a, b, c]);
        assert_eq!(found.rows, [3, 2, 1]);
        assert_eq!(found.weights, [3.0 / 6.0, 2.0 / 6.0, 1.0 / 6.0]);
        assert!(found.converged);
    }
    let one = cluster(&f64s(&[&[2.5, f64::NAN]]), &on_cpu(5)).unwrap();
    assert_eq!(one.weights, [1.0]);
    assert_eq!(rows(&one)[0][0], 2.5);
    assert!(rows(&one)[0][1].is_nan());
}

#[test]
fn one_cluster_is_the_mean() {
    let matrix = blobs(700, &PLACES, 4);
    let options = KMeans {
        round: false,
        ..on_cpu(1)
    };
    let clusters = cluster(&table(matrix.clone()), &options).unwrap();
    assert_eq!(clusters.weights, [1.0]);
    for (cell, column) in rows(&clusters)[0].iter().zip(matrix.columns()) {
        let mean = column.sum() / 700.0;
        assert!((cell - mean).abs() <= 1e-12 * mean.abs().max(1.0));
    }
}

#[test]
fn missing_cells_are_at_the_mean_and_no_centre_is_missing() {
    let nan = f64::NAN;
    let table = f64s(&[
        &[0.0, 1.0, nan, nan],
        &[0.5, nan, nan, nan],
        &[9.0, 1.0, nan, 4.0],
        &[nan, 1.0, nan, 8.0],
        &[10.0, 1.0, nan, nan],
    ]);
    for round in [true, false] {
        let options = KMeans { round, ..on_cpu(2) };
        for row in rows(&cluster(&table, &options).unwrap()) {
            assert!(row[0].is_finite() && row[3].is_finite());
            assert_eq!(row[1], 1.0);
            assert!(row[2].is_nan());
            let occurs = [0.0, 0.5, 9.0, 10.0].contains(&row[0]);
            assert!(!round || occurs && [4.0, 8.0].contains(&row[3]));
        }
    }
    // A row of nothing but missing cells is at the mean of the others, and so is its centre.
    let table = f64s(&[&[1.0], &[nan], &[2.0], &[6.0]]);
    let options = KMeans {
        round: false,
        ..on_cpu(4)
    };
    let found = rows(&cluster(&table, &options).unwrap());
    assert_eq!(found, [[1.0], [3.0], [2.0], [6.0]]);
}

#[test]
fn no_cluster_is_empty_however_the_rows_lie() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let distinct = 2 + random.below(30);
        let values: Vec<f64> = (0..distinct)
            .map(|_| 10_f64.powf(random.unit() * 60.0 - 30.0))
            .collect();
        let rows = 1 + random.below(600);
        let matrix = Array2::from_shape_fn((rows, 2), |_| values[random.below(distinct)]);
        let wanted = 1 + random.below(40);
        let options = KMeans {
            seed,
            max_iterations: 1 + random.below(5),
            ..on_cpu(wanted)
        };
        let clusters = cluster(&table(matrix), &options).unwrap();
        assert!(clusters.table.rows() <= wanted);
        assert_eq!(clusters.table.rows(), clusters.weights.len());
        assert!(clusters.rows.iter().all(|&rows| rows > 0));
        assert!(clusters.weights.iter().all(|&weight| weight > 0.0));
        assert!(clusters.iterations <= options.max_iterations);
    }
}

#[test]
fn numbers_of_any_magnitude_are_clustered() {
    for scale in [1e-310, 1e-200, 1e200, 1.7e308] {
        let table = f64s(&[&[-scale], &[-0.9 * scale], &[0.9 * scale], &[scale]]);
        let options = KMeans {
            round: false,
            ..on_cpu(2)
        };
        let mut found = rows(&cluster(&table, &options).unwrap()).concat();
        found.sort_by(f64::total_cmp);
        for (found, expected) in found.iter().zip([-0.95, 0.95]) {
            assert!(
                (found / scale - expected).abs() < 1e-12,
                "{scale:e}: {found:e}"
            );
        }
    }
    // Times of one day, in seconds since 1970: float32 would not tell them apart.
    let table = f64s(&[&[1.7e9], &[1.7e9 + 1.0], &[1.7e9 + 50.0], &[1.7e9 + 51.0]]);
    let mut counts = cluster(&table, &on_cpu(2)).unwrap().rows;
    counts.sort_unstable();
    assert_eq!(counts, [2, 2]);
}

#[test]
fn whoever_watches_can_stop() {
    let table = table(blobs(500, &[[0.0; 3]], 2));
    let view = View::from(&table);
    let mut seen = Vec::new();
    let all = kmeans_while(&view, &on_cpu(8), &mut |passes| {
        seen.push(passes);
        true
    });
    let all = all.unwrap().unwrap();
    assert_eq!(seen, (1..=8 + all.iterations).collect::<Vec<_>>());
    for last in [1, 8, 9] {
        let stopped = kmeans_while(&view, &on_cpu(8), &mut |passes| passes < last);
        assert!(stopped.unwrap().is_none());
    }
}

#[test]
fn iterations_end_where_they_are_told_to() {
    let table = table(blobs(2000, &[[0.0; 3]], 6));
    let options = KMeans {
        max_iterations: 2,
        ..on_cpu(30)
    };
    let clusters = cluster(&table, &options).unwrap();
    assert_eq!((clusters.iterations, clusters.converged), (2, false));
}
