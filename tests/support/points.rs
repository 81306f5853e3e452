//! Rows and centres for the assignment of one to the other, and what two assignments may differ in.

use whylight_kernels::ROWS;

use super::random::Random;

/// Rows and centres without a NaN.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    /// (block, column, [`ROWS`])
    pub(crate) cells: Vec<f32>,
    /// (centre, column)
    pub(crate) centres: Vec<f32>,
}

/// The nearest centre and its squared distance, by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Assignment {
    pub(crate) nearest: Vec<u32>,
    pub(crate) distances: Vec<f32>,
}

/// What the cells are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Numbers about 0, of which float32 squares lose bits.
    Numbers,
    /// Small integers: every distance is exact, and many are equal.
    Ties,
    /// Rows that are centres, among them centres that stand twice.
    Duplicates,
    /// The first half of the columns has the same number everywhere.
    Constant,
    /// From numbers whose squares vanish to numbers whose squares almost overflow.
    Magnitudes,
}

pub(crate) const KINDS: [Kind; 5] = [
    Kind::Numbers,
    Kind::Ties,
    Kind::Duplicates,
    Kind::Constant,
    Kind::Magnitudes,
];

impl Points {
    pub(crate) fn random(
        kind: Kind,
        rows: usize,
        columns: usize,
        centres: usize,
        seed: u64,
    ) -> Self {
        let mut random = Random(seed);
        let mut cell = |column: usize| match kind {
            Kind::Ties | Kind::Duplicates => random.below(4) as f32 - 2.0,
            Kind::Constant if column < columns / 2 => 0.75,
            Kind::Magnitudes => {
                let sign = if random.chance(0.5) { 1.0 } else { -1.0 };
                sign * 10_f32.powf((random.unit() * 40.0 - 25.0) as f32)
            }
            Kind::Numbers | Kind::Constant => (random.unit() * 6.0 - 3.0) as f32,
        };
        let blocks = rows.div_ceil(ROWS);
        let columns_of = (0..blocks).flat_map(|_| 0..columns);
        let mut cells: Vec<f32> = columns_of
            .flat_map(|column| (0..ROWS).map(|_| cell(column)).collect::<Vec<_>>())
            .collect();
        let mut numbers: Vec<f32> = (0..centres)
            .flat_map(|_| (0..columns).map(&mut cell).collect::<Vec<_>>())
            .collect();
        if kind == Kind::Duplicates {
            for centre in (1..centres).step_by(3) {
                numbers.copy_within((centre - 1) * columns..centre * columns, centre * columns);
            }
            for row in 0..rows {
                let centre = (row * 7) % centres * columns;
                for column in 0..columns {
                    let at = (row / ROWS * columns + column) * ROWS + row % ROWS;
                    cells[at] = numbers[centre + column];
                }
            }
        }
        Self {
            columns,
            rows,
            cells,
            centres: numbers,
        }
    }

    pub(crate) fn centres(&self) -> usize {
        self.centres.len() / self.columns
    }

    /// The squared distance between a row and a centre in float64.
    pub(crate) fn distance(&self, row: usize, centre: usize) -> f64 {
        let cell = |column| self.cells[(row / ROWS * self.columns + column) * ROWS + row % ROWS];
        (0..self.columns)
            .map(|c| f64::from(cell(c)) - f64::from(self.centres[centre * self.columns + c]))
            .map(|difference| difference * difference)
            .sum()
    }

    /// The nearest centre and its distance by definition.
    pub(crate) fn nearest(&self, row: usize) -> (usize, f64) {
        let mut nearest = (0, f64::INFINITY);
        for centre in 0..self.centres() {
            let distance = self.distance(row, centre);
            if distance < nearest.1 {
                nearest = (centre, distance);
            }
        }
        nearest
    }

    /// How far a float32 distance may be from this one: a rounding of each difference, product and
    /// sum. Squares of tiny numbers may be flushed to 0.
    fn rounding(&self, distance: f64) -> f64 {
        let roundings = (self.columns + 2) as f64 * f64::from(f32::EPSILON);
        roundings * distance + self.columns as f64 * f64::from(f32::MIN_POSITIVE)
    }

    /// Checks an assignment against the definition: every row has a centre that, within the rounding
    /// of float32, no other is nearer than.
    pub(crate) fn check(&self, got: &Assignment) -> Result<(), String> {
        if got.nearest.len() < self.rows || got.distances.len() < self.rows {
            return Err(format!("{} of {} rows", got.nearest.len(), self.rows));
        }
        for row in 0..self.rows {
            let (expected, least) = self.nearest(row);
            let (centre, distance) = (got.nearest[row] as usize, f64::from(got.distances[row]));
            if centre >= self.centres() {
                return Err(format!("row {row}: there is no centre {centre}"));
            }
            let far = self.distance(row, centre);
            let rounding = self.rounding(least);
            // NaN is at most nothing.
            let is_near = far - least <= 2.0 * rounding && (distance - least).abs() <= rounding;
            if !is_near {
                return Err(format!(
                    "row {row}: centre {centre} at {far:e}, told as {distance:e}; \
                     expected {expected} at {least:e}"
                ));
            }
        }
        Ok(())
    }
}

#[test]
fn a_wrong_assignment_is_refused() {
    let points = Points::random(Kind::Numbers, 70, 5, 9, 1);
    let by_definition = |row| points.nearest(row);
    let right = Assignment {
        nearest: (0..70).map(|row| by_definition(row).0 as u32).collect(),
        distances: (0..70).map(|row| by_definition(row).1 as f32).collect(),
    };
    assert_eq!(points.check(&right), Ok(()));
    for row in [0, 31, 69] {
        let mut wrong = right.clone();
        wrong.nearest[row] = (wrong.nearest[row] + 1) % 9;
        assert!(points.check(&wrong).is_err());
        wrong.nearest[row] = 9;
        assert!(points.check(&wrong).is_err());
        let mut wrong = right.clone();
        wrong.distances[row] *= 1.00001;
        assert!(points.check(&wrong).is_err());
        wrong.distances[row] = f32::NAN;
        assert!(points.check(&wrong).is_err());
    }
    let mut short = right.clone();
    short.nearest.pop();
    assert!(points.check(&short).is_err());
}
