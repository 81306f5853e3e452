//! First centres: k-means++ (Arthur & Vassilvitskii 2007).

use rayon::prelude::*;
use whylight_kernels::{Block, Level, ROWS, kmeans_assign};

use super::lloyd::{Cells, State};
use crate::random::SplitMix64;

/// Draws up to `clusters` rows as centres, each with a chance in proportion to its weight and its
/// squared distance from the nearest centre so far, and assigns all rows to them. Fewer are drawn
/// where no row is away from all centres. `None` if `go_on` says no.
///
/// This runs on the CPU whatever the device, so that all devices begin with the same centres.
pub(super) fn draw(
    cells: &Cells<'_>,
    clusters: usize,
    seed: u64,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<State> {
    let mut random = SplitMix64::new(seed);
    let mut state = State::new(cells.weights.len());
    let block_mass = |weights: &[f64]| weights.iter().sum::<f64>();
    let mut masses: Vec<f64> = cells.weights.par_chunks(ROWS).map(block_mass).collect();
    let mut first = 0;
    while first < clusters {
        let share = random.unit();
        let mass = |row: usize| {
            let distance = state.distances[row];
            cells.weights[row] * if first == 0 { 1.0 } else { f64::from(distance) }
        };
        let Some(row) = pick(&masses, mass, share) else {
            break;
        };
        let centre = cells.row(row);
        near(cells, &centre, first as u32, &mut state, &mut masses);
        state.centres.extend(centre);
        first += 1;
        if !go_on() {
            return None;
        }
    }
    Some(state)
}

/// The row at a share (0 to 1) of the mass of all rows, given the mass of each block; `None` if there
/// is no mass.
fn pick(masses: &[f64], mass: impl Fn(usize) -> f64, share: f64) -> Option<usize> {
    let wanted = masses.iter().sum::<f64>() * share;
    let mut block = None;
    let mut passed = 0.0;
    for (number, &block_mass) in masses.iter().enumerate() {
        if block_mass > 0.0 {
            block = Some((number, passed));
            passed += block_mass;
            if passed > wanted {
                break;
            }
        }
    }
    let (block, mut passed) = block?;
    // Rounding can leave the share beyond the last row that has mass.
    let mut last = None;
    for row in block * ROWS..(block + 1) * ROWS {
        if mass(row) > 0.0 {
            last = Some(row);
            passed += mass(row);
            if passed > wanted {
                break;
            }
        }
    }
    last
}

/// Takes one more centre into account.
fn near(cells: &Cells<'_>, centre: &[f32], number: u32, state: &mut State, masses: &mut [f64]) {
    let level = Level::detect();
    let nearest = state.nearest.par_chunks_exact_mut(ROWS);
    let distances = state.distances.par_chunks_exact_mut(ROWS);
    let rows = nearest.zip(distances).zip(masses.par_iter_mut());
    rows.enumerate()
        .for_each(|(block, ((nearest, distances), mass))| {
            let (Some(nearest), Some(distances)) =
                (nearest.first_chunk_mut(), distances.first_chunk_mut())
            else {
                return;
            };
            let cells_of = Block::new(cells.block(block), ROWS);
            kmeans_assign::run(level, cells_of, centre, number, nearest, distances);
            let weights = &cells.weights[block * ROWS..][..ROWS];
            let of_row = weights.iter().zip(&*distances);
            *mass = of_row
                .map(|(weight, distance)| weight * f64::from(*distance))
                .sum();
        });
}

#[cfg(test)]
mod tests {
    use super::pick;
    use whylight_kernels::ROWS;

    #[test]
    fn a_row_is_picked_by_its_share_and_never_without_mass() {
        let mut rows = vec![0.0; 3 * ROWS];
        rows[5] = 1.0;
        rows[ROWS + 7] = 2.0;
        rows[ROWS + 9] = 1.0;
        let masses: Vec<f64> = rows.chunks(ROWS).map(|rows| rows.iter().sum()).collect();
        let at = |share| pick(&masses, |row| rows[row], share);
        assert_eq!(at(0.0), Some(5));
        assert_eq!(at(0.24), Some(5));
        assert_eq!(at(0.25), Some(ROWS + 7));
        assert_eq!(at(0.74), Some(ROWS + 7));
        assert_eq!(at(0.75), Some(ROWS + 9));
        assert_eq!(at(1.0), Some(ROWS + 9));
        assert_eq!(pick(&[0.0; 3], |_| 0.0, 0.5), None);
    }
}
