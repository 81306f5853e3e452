//! Points on the lines from background rows to explained ones, and what else their lanes begin with.
//! Twin: `shaders/lines.wgsl`

use crate::binding::{bindings, params};
use crate::simd::{Simd, instances};
use crate::tile::{LANES, Side, read, write};

bindings! {
    x: Read,
    r: Read,
    sources: Read,
    at: Read,
    y: Write,
}

params! {
    /// Parameters of the shader.
    {
        /// What is written: a [`Task`].
        task,
        /// Cells.
        cells,
        /// Points of a row.
        points,
        /// Rows.
        rows,
        /// The first point.
        first_point,
        /// The first row.
        first_row,
        /// Background rows that there are.
        others,
        /// The number of the first of these.
        first_other,
        /// Numbers from one cell of rows to the next.
        row_stride,
        /// Numbers from one cell of background rows to the next.
        other_stride,
        /// Numbers from one cell of what is written to the next.
        stride,
    }
}

/// What a launch writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The points, given the background rows of the points: [`place`].
    Points,
    /// What the rows of the points have: [`spread`].
    Rows,
    /// What the background rows of the points of one row have: [`spread`].
    Others,
}

impl Task {
    /// Its number in the shader.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

/// Writes what examples have, (cell, example) of `from` numbers a cell, to `y`, (cell, lane) of `to` numbers a cell, whose
/// first lanes are these examples.
pub fn spread(x: &[f32], from: usize, lanes: &[usize], y: &mut [f32], to: usize) {
    for (y, x) in y.chunks_mut(to).zip(x.chunks(from)) {
        for (y, &lane) in y.iter_mut().zip(lanes) {
            *y = x[lane];
        }
    }
}

instances! { wide
    /// Writes points to `y`, (cell, lane), as many lanes as `at` has numbers: so far from the background's side of the lane
    /// to the explained one. Lanes are whole vectors.
    pub fn place = run(sides: [Side<'_>; 2], at: &[f32], y: &mut [f32])
}

#[inline(always)]
fn run<S: Simd>(sides: [Side<'_>; 2], at: &[f32], y: &mut [f32]) {
    let stride = at.len();
    for (cell, y) in y.chunks_mut(stride).enumerate() {
        for lane in (0..stride).step_by(LANES) {
            let (end, start) = (sides[0].read(cell, lane), sides[1].read(cell, lane));
            let at = read(at, lane);
            let mut points = [0.0; LANES];
            for l in 0..LANES {
                let point = S::fused(at[l], end[l] - start[l], start[l]);
                // What is equal, and infinite, has no difference.
                points[l] = if end[l] == start[l] { end[l] } else { point };
            }
            write(y, lane, &points);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{place, spread};
    use crate::Level;
    use crate::tile::{LANES, Side};

    #[test]
    fn points_are_as_far_on_their_lines_as_they_say() {
        let at: Vec<f32> = (0..2 * LANES).map(|lane| lane as f32 / 31.0).collect();
        // Two rows of three cells, the second of which is explained.
        let mut x = vec![7.0; 3 * LANES];
        for (cell, end) in [5.0, -2.0, f32::NEG_INFINITY].into_iter().enumerate() {
            x[cell * LANES + 1] = end;
        }
        let others = [vec![1.0, -2.0, f32::NEG_INFINITY], vec![0.5, 4.0, 1.0]];
        let mut r = vec![0.0; 3 * LANES];
        for (other, cells) in others.iter().enumerate() {
            for (cell, &number) in cells.iter().enumerate() {
                r[cell * LANES + other] = number;
            }
        }
        let sources: Vec<usize> = (0..2 * LANES).map(|lane| lane % 2).collect();
        let mut starts = vec![0.0; 6 * LANES];
        spread(&r, LANES, &sources, &mut starts, 2 * LANES);
        let rows = Side {
            numbers: &x,
            stride: LANES,
            first: 1,
            is_one: true,
        };
        let background = Side {
            numbers: &starts,
            stride: 2 * LANES,
            first: 0,
            is_one: false,
        };
        for level in Level::available() {
            let mut y = vec![f32::NAN; 6 * LANES];
            place(level, [rows, background], &at, &mut y);
            for (lane, (&source, &at)) in sources.iter().zip(&at).enumerate() {
                let at = f64::from(at);
                let expected = f64::from(others[source][0]);
                let expected = expected + at * (5.0 - expected);
                assert!((f64::from(y[lane]) - expected).abs() < 1e-6, "{lane}");
                let second = f64::from(y[2 * LANES + lane]);
                let expected = [-2.0, 4.0 - 6.0 * at][source];
                assert!((second - expected).abs() < 1e-6, "{lane}: {second}");
                if source == 0 {
                    assert_eq!(y[4 * LANES + lane], f32::NEG_INFINITY);
                }
            }
        }
    }
}
