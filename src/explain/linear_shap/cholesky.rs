//! The Cholesky factor of a correlation matrix that may be singular.

/// The share of a feature's variance below which the features before it determine it.
pub(super) const DETERMINED: f64 = 1e-10;

/// Partial sums of a dot product.
const LANES: usize = 8;

/// A square matrix, row by row.
#[derive(Debug, Clone)]
pub(in crate::explain) struct Square {
    pub(in crate::explain) size: usize,
    pub(in crate::explain) cells: Vec<f64>,
}

impl Square {
    pub(in crate::explain) fn from_fn(
        size: usize,
        mut cell: impl FnMut(usize, usize) -> f64,
    ) -> Self {
        let cells = (0..size * size).map(|at| cell(at / size, at % size));
        Self {
            size,
            cells: cells.collect(),
        }
    }

    pub(in crate::explain) fn row(&self, row: usize) -> &[f64] {
        &self.cells[row * self.size..][..self.size]
    }

    pub(in crate::explain) fn at(&self, row: usize, column: usize) -> f64 {
        self.cells[row * self.size + column]
    }
}

/// The factor L of some features in the order in which they came, R = L Lᵀ. A feature that those
/// before it determine opens no column, so L has as many columns as the rank.
#[derive(Debug, Clone)]
pub(in crate::explain) struct Factor<'a> {
    matrix: &'a Square,
    /// The features.
    pub(in crate::explain) members: Vec<usize>,
    /// Row after row, `matrix.size` apart.
    cells: Vec<f64>,
    /// The row that opened each column.
    opened: Vec<usize>,
}

impl<'a> Factor<'a> {
    pub(in crate::explain) fn new(matrix: &'a Square) -> Self {
        Self {
            matrix,
            members: Vec::new(),
            cells: Vec::new(),
            opened: Vec::new(),
        }
    }

    pub(in crate::explain) fn rank(&self) -> usize {
        self.opened.len()
    }

    pub(in crate::explain) fn is_singular(&self) -> bool {
        self.rank() < self.members.len()
    }

    /// The row of the member that came as number `index`: its columns up to the rank.
    pub(in crate::explain) fn row(&self, index: usize) -> &[f64] {
        &self.cells[index * self.matrix.size..][..self.rank()]
    }

    /// Appends a feature. Whether it opened a column.
    pub(in crate::explain) fn push(&mut self, feature: usize) -> bool {
        let size = self.matrix.size;
        let start = self.cells.len();
        self.cells.resize(start + size, 0.0);
        let (known, new) = self.cells.split_at_mut(start);
        let mut pivot = self.matrix.at(feature, feature);
        for (column, &opener) in self.opened.iter().enumerate() {
            let row = &known[opener * size..][..=column];
            let done: f64 = (new.iter().zip(row).take(column)).map(|(a, b)| a * b).sum();
            let cell = (self.matrix.at(feature, self.members[opener]) - done) / row[column];
            new[column] = cell;
            pivot -= cell * cell;
        }
        let opens = pivot > DETERMINED;
        if opens {
            new[self.opened.len()] = pivot.sqrt();
            self.opened.push(self.members.len());
        }
        self.members.push(feature);
        opens
    }

    /// Takes the last feature back.
    pub(in crate::explain) fn pop(&mut self) {
        self.members.pop();
        self.cells.truncate(self.members.len() * self.matrix.size);
        if self.opened.last() == Some(&self.members.len()) {
            self.opened.pop();
        }
    }

    /// The next entry of the solution of L y = c, for the feature that just opened a column.
    pub(in crate::explain) fn forward(&self, c: f64, y: &[f64]) -> f64 {
        let row = self.row(self.members.len() - 1);
        let done: f64 = row.iter().zip(y).map(|(a, b)| a * b).sum();
        (c - done) / row[y.len()]
    }

    /// The shortest x with Lᵀ x = z; z is lost.
    pub(in crate::explain) fn shortest(&self, z: &mut [f64], x: &mut [f64]) {
        if self.is_singular() {
            // L (Lᵀ L)⁻¹ z
            let rank = self.rank();
            let rows = || (0..self.members.len()).map(|index| self.row(index));
            let gram = Square::from_fn(rank, |i, j| rows().map(|row| row[i] * row[j]).sum());
            solve(gram, z);
            for (x, row) in x.iter_mut().zip(rows()) {
                *x = row.iter().zip(&*z).map(|(a, b)| a * b).sum();
            }
            return;
        }
        for index in (0..z.len()).rev() {
            let row = self.row(index);
            x[index] = z[index] / row[index];
            for (z, cell) in z[..index].iter_mut().zip(row) {
                *z -= cell * x[index];
            }
        }
    }

    /// The largest |R − L Lᵀ|.
    pub(in crate::explain) fn residual(&self) -> f64 {
        let mut worst: f64 = 0.0;
        for i in 0..self.members.len() {
            for j in 0..=i {
                let product: f64 = (self.row(i).iter().zip(self.row(j)))
                    .map(|(a, b)| a * b)
                    .sum();
                let cell = self.matrix.at(self.members[i], self.members[j]);
                worst = worst.max((cell - product).abs());
            }
        }
        worst
    }
}

/// A dot product in an order of additions that is the same with and without vectors.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + rest
}

/// Solves M x = z for a positive definite M; z becomes x.
fn solve(mut matrix: Square, z: &mut [f64]) {
    let size = matrix.size;
    for column in 0..size {
        // Rounding may leave a pivot at zero where the matrix is all but singular.
        let pivot = matrix.at(column, column).max(f64::MIN_POSITIVE);
        for row in column + 1..size {
            let factor = matrix.at(row, column) / pivot;
            for k in column..size {
                matrix.cells[row * size + k] -= factor * matrix.cells[column * size + k];
            }
            z[row] -= factor * z[column];
        }
    }
    for row in (0..size).rev() {
        let done: f64 = (row + 1..size).map(|k| matrix.at(row, k) * z[k]).sum();
        z[row] = (z[row] - done) / matrix.at(row, row).max(f64::MIN_POSITIVE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_of_a_singular_matrix_multiplies_to_it_and_solves_for_the_shortest() {
        // The third is the first, the fourth is correlated with all.
        let corr = [
            [1.0, 0.5, 1.0, 0.25],
            [0.5, 1.0, 0.5, 0.0],
            [1.0, 0.5, 1.0, 0.25],
            [0.25, 0.0, 0.25, 1.0],
        ];
        let matrix = Square::from_fn(4, |i, j| corr[i][j]);
        let mut factor = Factor::new(&matrix);
        let opened: Vec<bool> = (0..4).map(|feature| factor.push(feature)).collect();
        assert_eq!(opened, [true, true, false, true]);
        assert!(factor.residual() < 1e-15);
        let (mut z, mut x) = (vec![1.0, 2.0, 3.0], vec![0.0; 4]);
        factor.shortest(&mut z, &mut x);
        assert!((x[0] - x[2]).abs() < 1e-14, "{x:?}");
        for (column, expected) in [1.0, 2.0, 3.0].into_iter().enumerate() {
            let sum: f64 = (0..4).map(|row| factor.row(row)[column] * x[row]).sum();
            assert!((sum - expected).abs() < 1e-13, "{column}: {sum}");
        }
        factor.pop();
        factor.pop();
        assert!(!factor.is_singular() && factor.rank() == 2);
    }
}
