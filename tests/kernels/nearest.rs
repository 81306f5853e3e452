//! Nearest centres on every instruction set of this machine, against their definition.

use whylight_kernels::{Block, Level, ROWS, kmeans_assign};

use crate::support::points::{Assignment, KINDS, Kind, Points};

/// Assigns all rows, by so many centres at a time.
fn assign(level: Level, points: &Points, step: usize) -> Assignment {
    let mut got = Assignment {
        // What is there before the first centres must not matter.
        nearest: vec![77; points.cells.len() / points.columns],
        distances: vec![f32::NAN; points.cells.len() / points.columns],
    };
    for (block, cells) in points.cells.chunks(points.columns * ROWS).enumerate() {
        let rows = ROWS.min(points.rows - block * ROWS);
        let nearest = got.nearest[block * ROWS..].first_chunk_mut().unwrap();
        let distances = got.distances[block * ROWS..].first_chunk_mut().unwrap();
        let mut first = 0;
        for centres in points.centres.chunks(step * points.columns) {
            let block = Block::new(cells, rows);
            kmeans_assign::run(level, block, centres, first, nearest, distances);
            first += (centres.len() / points.columns) as u32;
        }
    }
    got.nearest.truncate(points.rows);
    got.distances.truncate(points.rows);
    got
}

#[test]
fn nearest_centres_are_as_defined() {
    for (seed, kind) in (0..).zip(KINDS.into_iter().cycle().take(60)) {
        let rows = [1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 600][seed as usize % 11];
        let columns = 1 + seed as usize % 13;
        let centres = [1, 2, 3, 4, 5, 7, 8, 30][seed as usize % 8];
        let points = Points::random(kind, rows, columns, centres, seed);
        let expected = assign(Level::Portable, &points, centres);
        points
            .check(&expected)
            .unwrap_or_else(|e| panic!("{kind:?}, seed {seed}: {e}"));
        for level in Level::available() {
            for step in [1, 3, 4, centres] {
                let got = assign(level, &points, step);
                assert_eq!(got, expected, "{kind:?}, seed {seed}, {level:?}");
            }
        }
    }
}

#[test]
fn ties_go_to_the_lower_number() {
    for (seed, kind) in [(1, Kind::Ties), (2, Kind::Duplicates)] {
        let points = Points::random(kind, 300, 4, 21, seed);
        for level in Level::available() {
            let got = assign(level, &points, 21);
            for row in 0..300 {
                let (nearest, distance) = points.nearest(row);
                assert_eq!(got.nearest[row] as usize, nearest, "row {row}");
                assert_eq!(f64::from(got.distances[row]), distance, "row {row}");
            }
        }
    }
}

#[test]
fn a_distance_beyond_float32_counts_as_its_largest_number() {
    let points = Points {
        columns: 1,
        rows: 1,
        cells: [vec![3e38], vec![0.0; ROWS - 1]].concat(),
        centres: vec![-3e38, -2e38],
    };
    let got = assign(Level::detect(), &points, 2);
    assert_eq!((got.nearest[0], got.distances[0]), (0, f32::MAX));
}

#[test]
fn rows_without_columns_are_all_at_the_first_centre() {
    let (mut nearest, mut distances) = ([7; ROWS], [f32::NAN; ROWS]);
    let block = Block::new(&[], 3);
    kmeans_assign::run(Level::detect(), block, &[], 0, &mut nearest, &mut distances);
    assert_eq!((nearest, distances), ([0; ROWS], [0.0; ROWS]));
}
