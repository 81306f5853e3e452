//! Nearest centres on a GPU.

use whylight::gpu::Gpu;
use whylight::gpu_rows::GpuRows;
use whylight_kernels::{Block, Level, ROWS, kmeans_assign};

use super::gpu;
use crate::support::points::{Assignment, KINDS, Kind, Points};

fn on_cpu(points: &Points) -> Assignment {
    let mut got = empty(points);
    for (block, cells) in points.cells.chunks(points.columns * ROWS).enumerate() {
        kmeans_assign::run(
            Level::detect(),
            Block::new(cells, ROWS),
            &points.centres,
            0,
            got.nearest[block * ROWS..].first_chunk_mut().unwrap(),
            got.distances[block * ROWS..].first_chunk_mut().unwrap(),
        );
    }
    got
}

fn on_gpu(gpu: &Gpu, points: &Points, limit: Option<u64>) -> (Assignment, usize) {
    let rows = GpuRows::new(gpu, &points.cells, points.columns, limit).unwrap();
    let mut got = empty(points);
    rows.nearest(&points.centres, &mut got.nearest, &mut got.distances)
        .unwrap();
    (got, rows.parts())
}

fn empty(points: &Points) -> Assignment {
    let rows = points.cells.len() / points.columns;
    Assignment {
        nearest: vec![u32::MAX; rows],
        distances: vec![f32::NAN; rows],
    }
}

#[test]
fn nearest_centres_agree() {
    let Some(gpu) = gpu() else { return };
    let mut others = 0;
    for (seed, kind) in (0..).zip(KINDS.into_iter().cycle().take(60)) {
        let rows = [1, 63, 64, 65, 255, 256, 257, 600][seed as usize % 8];
        let columns = 1 + seed as usize % 13;
        let centres = [1, 2, 3, 4, 5, 7, 30][seed as usize % 7];
        let points = Points::random(kind, rows, columns, centres, seed);
        let expected = on_cpu(&points);
        let (got, _) = on_gpu(gpu, &points, None);
        points
            .check(&got)
            .unwrap_or_else(|e| panic!("{kind:?}, seed {seed}: {e}"));
        let differ = |row: &usize| got.nearest[*row] != expected.nearest[*row];
        others += (0..rows).filter(differ).count();
        if matches!(kind, Kind::Ties | Kind::Duplicates) {
            // These distances are exact, fused or not.
            let exact = |a: &Assignment| (a.nearest[..rows].to_vec(), a.distances[..rows].to_vec());
            assert_eq!(exact(&got), exact(&expected), "{kind:?}, seed {seed}");
        }
    }
    eprintln!("{others} rows of 60 tables are equally far from two centres");
    assert!(others < 10, "the twins differ in {others} rows");
}

#[test]
fn dividing_the_rows_and_the_centres_changes_no_bit() {
    let Some(gpu) = gpu() else { return };
    // More loop iterations than a software adapter has, so that the centres are divided there.
    for (rows, columns, centres) in [(600, 7, 40), (300, 500, 301)] {
        let points = Points::random(Kind::Numbers, rows, columns, centres, 3);
        let (whole, parts) = on_gpu(gpu, &points, None);
        assert_eq!(parts, 1);
        points.check(&whole).unwrap();
        let limit = (4 * ROWS * columns).max(16 * columns * centres.div_ceil(4)) as u64;
        let (divided, parts) = on_gpu(gpu, &points, Some(limit));
        assert_eq!(
            parts,
            rows.div_ceil(ROWS)
                .div_ceil(limit as usize / (4 * ROWS * columns))
        );
        assert!(parts > 1);
        assert_eq!(divided, whole);
    }
}

#[test]
fn what_a_gpu_cannot_hold_is_refused() {
    let Some(gpu) = gpu() else { return };
    let points = Points::random(Kind::Numbers, 10, 8, 5, 1);
    let new = |columns, limit| GpuRows::new(gpu, &points.cells, columns, limit);
    let error = new(8, Some(1000)).unwrap_err();
    assert!(error.to_string().contains("device cpu"), "{error}");
    assert!(new(0, None).is_err());
    assert!(new(7, None).is_err());
    let rows = new(8, None).unwrap();
    let (mut nearest, mut distances) = ([0; ROWS], [0.0; ROWS]);
    assert!(rows.nearest(&[], &mut nearest, &mut distances).is_err());
    assert!(
        rows.nearest(&[0.0; 9], &mut nearest, &mut distances)
            .is_err()
    );
    assert!(
        rows.nearest(&[0.0; 8], &mut nearest[1..], &mut distances)
            .is_err()
    );
    assert!(
        rows.nearest(&[0.0; 8], &mut nearest, &mut distances)
            .is_ok()
    );
}
