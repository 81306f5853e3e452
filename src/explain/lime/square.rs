//! Symmetric matrices.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayRef2, ArrayViewMut2, Axis, Zip, s};
use whylight_kernels::symmetric::{add_lower, in_blocks, mirror};

/// Numbers that are added at a time.
const LANES: usize = 8;

/// Rows and columns that are not halved any more.
const FEW: usize = 16;

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
    /// L, (size, size); zeros above the diagonal.
    factor: Array2<f64>,
}

impl Cholesky {
    /// Of a matrix (size, size), of which the lower part is read; `None` if it is not positive definite.
    pub(super) fn new(size: usize, matrix: Vec<f64>) -> Option<Self> {
        let mut factor = Array2::from_shape_vec((size, size), matrix).ok()?;
        factorise(factor.view_mut())?;
        for (i, mut row) in factor.outer_iter_mut().enumerate() {
            row.slice_mut(s![i + 1..]).fill(0.0);
        }
        Some(Self { factor })
    }

    /// The solution of L Lᵀ x = b, in the place of b.
    pub(super) fn solve(&self, b: &mut [f64]) {
        let size = b.len();
        let cells = self.factor.as_slice().unwrap_or_default();
        let row = |i: usize| &cells[i * size..][..size];
        for i in 0..size {
            b[i] = (b[i] - dot(&row(i)[..i], &b[..i])) / row(i)[i];
        }
        for i in (0..size).rev() {
            b[i] /= row(i)[i];
            let x = b[i];
            for (b, l) in b[..i].iter_mut().zip(row(i)) {
                *b -= l * x;
            }
        }
    }

    /// The inverse, (size, size): L⁻ᵀ L⁻¹.
    pub(super) fn inverse(&self) -> Array2<f64> {
        let mut root = Array2::zeros(self.factor.raw_dim());
        invert(&self.factor, root.view_mut());
        let mut inverse = Array2::zeros(root.raw_dim());
        in_blocks(inverse.view_mut(), |rows, mut to| {
            // Above the diagonal, the root is 0.
            let root = root.slice(s![rows.start.., ..rows.end]);
            let own = root.slice(s![.., rows]);
            let mut to = to.slice_mut(s![.., ..root.ncols()]);
            general_mat_mul(1.0, &own.t(), &root, 0.0, &mut to);
        });
        mirror(inverse.view_mut());
        inverse
    }
}

/// Puts L where the lower part of L Lᵀ is, by halves, so that nearly all is a product of matrices.
fn factorise(mut matrix: ArrayViewMut2<'_, f64>) -> Option<()> {
    let size = matrix.nrows();
    if size <= FEW {
        for i in 0..size {
            let (above, mut row) = matrix.multi_slice_mut((s![..i, ..], s![i, ..]));
            substitute(&above, row.as_slice_mut()?);
            let row = row.as_slice_mut()?;
            let pivot = row[i] - dot(&row[..i], &row[..i]);
            if pivot <= 0.0 || !pivot.is_finite() {
                return None;
            }
            row[i] = pivot.sqrt();
        }
        return Some(());
    }
    let half = size / 2;
    let (top, bottom) = matrix.split_at(Axis(0), half);
    let (mut first, _) = top.split_at(Axis(1), half);
    let (mut between, mut last) = bottom.split_at(Axis(1), half);
    factorise(first.view_mut())?;
    in_blocks(between.view_mut(), |_, rows| divide(&first, rows));
    add_lower(-1.0, &between, &between, last.view_mut());
    factorise(last)
}

/// Puts X where X Lᵀ is.
fn divide(factor: &ArrayRef2<f64>, mut rows: ArrayViewMut2<'_, f64>) {
    let size = factor.nrows();
    if size <= FEW {
        for mut row in rows.outer_iter_mut() {
            substitute(factor, row.as_slice_mut().unwrap_or_default());
        }
        return;
    }
    let half = size / 2;
    let (mut first, mut last) = rows.split_at(Axis(1), half);
    divide(&factor.slice(s![..half, ..half]), first.view_mut());
    let between = factor.slice(s![half.., ..half]);
    general_mat_mul(-1.0, &first, &between.t(), 1.0, &mut last);
    divide(&factor.slice(s![half.., half..]), last);
}

/// Puts x where L x is, in the first numbers.
fn substitute(factor: &ArrayRef2<f64>, x: &mut [f64]) {
    for (i, row) in factor.outer_iter().enumerate() {
        let row = row.to_slice().unwrap_or_default();
        x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
    }
}

/// Writes L⁻¹ over zeros.
fn invert(factor: &ArrayRef2<f64>, mut to: ArrayViewMut2<'_, f64>) {
    let size = factor.nrows();
    if size <= FEW {
        for column in 0..size {
            let mut unit = [0.0; FEW];
            unit[column] = 1.0;
            substitute(factor, &mut unit);
            for (to, x) in to.column_mut(column).iter_mut().zip(unit) {
                *to = x;
            }
        }
        return;
    }
    let half = size / 2;
    let (top, bottom) = to.split_at(Axis(0), half);
    let (mut first, _) = top.split_at(Axis(1), half);
    let (between, mut last) = bottom.split_at(Axis(1), half);
    invert(&factor.slice(s![..half, ..half]), first.view_mut());
    invert(&factor.slice(s![half.., half..]), last.view_mut());
    let through = times(&factor.slice(s![half.., ..half]), &first);
    in_blocks(between, |rows, mut to| {
        general_mat_mul(-1.0, &last.slice(s![rows, ..]), &through, 0.0, &mut to);
    });
}

/// a b.
fn times(a: &ArrayRef2<f64>, b: &ArrayRef2<f64>) -> Array2<f64> {
    let mut product = Array2::zeros((a.nrows(), b.ncols()));
    in_blocks(product.view_mut(), |rows, mut to| {
        general_mat_mul(1.0, &a.slice(s![rows, ..]), b, 0.0, &mut to);
    });
    product
}

/// The diagonal of B S B, both symmetric, of which the lower part of S is given. It is twice that of B T B, where S is T
/// and its mirror image, so that half of the products are 0.
pub(super) fn diagonal(b: &ArrayRef2<f64>, mut half: Array2<f64>) -> Vec<f64> {
    for (i, mut row) in half.outer_iter_mut().enumerate() {
        row[i] /= 2.0;
        row.slice_mut(s![i + 1..]).fill(0.0);
    }
    let mut products = Array2::zeros(b.raw_dim());
    in_blocks(products.view_mut(), |rows, mut to| {
        let (before, b) = (
            half.slice(s![rows.clone(), ..rows.end]),
            b.slice(s![..rows.end, ..]),
        );
        general_mat_mul(1.0, &before, &b, 0.0, &mut to);
    });
    let mut sums = Array1::zeros(b.ncols());
    for (b, product) in b.outer_iter().zip(products.outer_iter()) {
        Zip::from(&mut sums)
            .and(b)
            .and(product)
            .for_each(|sum, b, product| *sum += 2.0 * b * product);
    }
    sums.to_vec()
}
