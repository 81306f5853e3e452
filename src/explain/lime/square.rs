//! Symmetric matrices.

/// Numbers that are added at a time.
const LANES: usize = 8;

/// Σ a b, in lanes that are added last, as the registers of a processor have them.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (of_a, of_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let left = of_a.remainder().iter().zip(of_b.remainder());
    let left: f64 = left.map(|(a, b)| a * b).sum();
    let mut sums = [0.0; LANES];
    for (a, b) in of_a.zip(of_b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + left
}

/// A symmetric, positive definite matrix as L Lᵀ.
#[derive(Debug, Clone)]
pub(super) struct Cholesky {
    size: usize,
    /// L, (size, size); zeros above the diagonal.
    cells: Vec<f64>,
}

impl Cholesky {
    /// Of a matrix (size, size), of which the lower part is read; `None` if it is not positive definite.
    pub(super) fn new(size: usize, matrix: &[f64]) -> Option<Self> {
        let mut cells = vec![0.0; size * size];
        for i in 0..size {
            let (above, row) = cells.split_at_mut(i * size);
            for j in 0..=i {
                if i == j {
                    let pivot = matrix[i * size + i] - dot(&row[..i], &row[..i]);
                    if pivot <= 0.0 || !pivot.is_finite() {
                        return None;
                    }
                    row[i] = pivot.sqrt();
                } else {
                    let other = &above[j * size..][..size];
                    row[j] = (matrix[i * size + j] - dot(&row[..j], &other[..j])) / other[j];
                }
            }
        }
        Some(Self { size, cells })
    }

    /// The solution of L Lᵀ x = b, in the place of b.
    pub(super) fn solve(&self, b: &mut [f64]) {
        let row = |i: usize| &self.cells[i * self.size..][..self.size];
        for i in 0..self.size {
            b[i] = (b[i] - dot(&row(i)[..i], &b[..i])) / row(i)[i];
        }
        for i in (0..self.size).rev() {
            b[i] /= row(i)[i];
            let x = b[i];
            for (b, l) in b[..i].iter_mut().zip(row(i)) {
                *b -= l * x;
            }
        }
    }

    /// The inverse, (size, size).
    pub(super) fn inverse(&self) -> Vec<f64> {
        let size = self.size;
        let mut cells = vec![0.0; size * size];
        for (i, row) in cells.chunks_mut(size.max(1)).enumerate() {
            row[i] = 1.0;
            self.solve(row);
        }
        cells
    }
}
