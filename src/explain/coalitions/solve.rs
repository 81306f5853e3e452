//! Systems of linear equations with a positive definite matrix.

/// The Cholesky factor of a symmetric positive definite matrix, row by row.
#[derive(Debug)]
pub(in crate::explain) struct Factor {
    size: usize,
    cells: Vec<f64>,
}

impl Factor {
    /// `None` if the matrix is not positive definite, up to rounding.
    pub(in crate::explain) fn new(size: usize, mut cells: Vec<f64>) -> Option<Self> {
        let largest = (0..size).map(|i| cells[i * size + i]).fold(0.0, f64::max);
        for i in 0..size {
            let (above, row) = cells.split_at_mut(i * size);
            for j in 0..=i {
                let done: f64 = if j < i {
                    let other = &above[j * size..][..j];
                    other.iter().zip(&row[..j]).map(|(a, b)| a * b).sum()
                } else {
                    row[..j].iter().map(|a| a * a).sum()
                };
                let rest = row[j] - done;
                row[j] = if j < i {
                    rest / above[j * size + j]
                } else if rest > 1e-12 * largest {
                    rest.sqrt()
                } else {
                    return None;
                };
            }
        }
        Some(Self { size, cells })
    }

    /// Replaces the right side by the solution.
    pub(in crate::explain) fn solve(&self, x: &mut [f64]) {
        let size = self.size;
        for i in 0..size {
            let row = &self.cells[i * size..][..=i];
            let done: f64 = row[..i].iter().zip(&*x).map(|(a, b)| a * b).sum();
            x[i] = (x[i] - done) / row[i];
        }
        for i in (0..size).rev() {
            x[i] /= self.cells[i * size + i];
            let solved = x[i];
            for (j, x) in x[..i].iter_mut().enumerate() {
                *x -= self.cells[i * size + j] * solved;
            }
        }
    }

    /// The inverse of the matrix (row, column).
    pub(in crate::explain) fn inverse(&self) -> Vec<f64> {
        let mut inverse = vec![0.0; self.size * self.size];
        for (i, row) in inverse.chunks_exact_mut(self.size.max(1)).enumerate() {
            // Symmetric: the solution of a column is a row.
            row[i] = 1.0;
            self.solve(row);
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::Factor;

    #[test]
    fn solves_what_is_positive_definite_and_refuses_the_rest() {
        let matrix = vec![4.0, 2.0, -1.0, 2.0, 5.0, 0.5, -1.0, 0.5, 3.0];
        let x = [1.5, -2.0, 0.25];
        let mut b: Vec<f64> = (0..3)
            .map(|i| (0..3).map(|j| matrix[3 * i + j] * x[j]).sum())
            .collect();
        Factor::new(3, matrix)
            .expect("positive definite")
            .solve(&mut b);
        for (b, x) in b.iter().zip(x) {
            assert!((b - x).abs() < 1e-14, "{b} is not {x}");
        }
        assert!(Factor::new(2, vec![1.0, 1.0, 1.0, 1.0]).is_none());
    }
}
