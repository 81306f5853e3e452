//! How well the answers of one model are those of another.

use ndarray::{Array2, ArrayView1};

/// By output, 1 − Σ (found − expected)² / Σ (expected − mean)² of answers (rows, outputs); NaN where the expected ones are
/// all alike.
pub(crate) fn r2(expected: &Array2<f64>, found: &Array2<f64>) -> Vec<f64> {
    let columns = expected.columns().into_iter().zip(found.columns());
    let share = |(expected, found): (ArrayView1<'_, f64>, ArrayView1<'_, f64>)| {
        let mean = expected.sum() / expected.len().max(1) as f64;
        let all: f64 = expected.iter().map(|a| (a - mean).powi(2)).sum();
        let pairs = expected.iter().zip(found);
        let left: f64 = pairs.map(|(a, b)| (a - b).powi(2)).sum();
        if all > 0.0 {
            1.0 - left / all
        } else {
            f64::NAN
        }
    };
    columns.map(share).collect()
}

/// The mean Kullback–Leibler divergence of probabilities (rows, outputs) from the expected ones, in nats. Of a single
/// probability, the other is what is left.
pub(crate) fn divergence(expected: &Array2<f64>, found: &Array2<f64>) -> f64 {
    let of = |p: f64, q: f64| {
        if p > 0.0 {
            p * (p / q.max(1e-12)).ln()
        } else {
            0.0
        }
    };
    let rows = expected.outer_iter().zip(found.outer_iter());
    let divergences = rows.map(|(a, b)| {
        let own: f64 = a.iter().zip(&b).map(|(&p, &q)| of(p, q)).sum();
        if a.len() == 1 {
            own + of(1.0 - a[0], 1.0 - b[0])
        } else {
            own
        }
    });
    divergences.sum::<f64>() / expected.nrows().max(1) as f64
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::{divergence, r2};

    #[test]
    fn r2_is_about_the_mean_and_of_no_constant() {
        let expected = arr2(&[[11.0, 4.0], [12.0, 4.0], [13.0, 4.0]]);
        let found = arr2(&[[11.0, 4.0], [12.0, 4.0], [12.0, 4.0]]);
        let [first, second] = r2(&expected, &found)[..] else {
            panic!("one for each output")
        };
        assert!((first - 0.5).abs() < 1e-12 && second.is_nan());
    }

    #[test]
    fn divergence_is_the_mean_over_rows_in_nats() {
        let expected = arr2(&[[0.5, 0.5], [0.0, 1.0]]);
        let found = arr2(&[[0.25, 0.75], [0.5, 0.5]]);
        let rows = [
            0.5 * 2.0_f64.ln() + 0.5 * (2.0_f64 / 3.0).ln(),
            2.0_f64.ln(),
        ];
        let mean = f64::midpoint(rows[0], rows[1]);
        assert!((divergence(&expected, &found) - mean).abs() < 1e-12);
        // Of the second class alone.
        let [expected, found] = [[[0.5], [1.0]], [[0.75], [0.5]]].map(|rows| arr2(&rows));
        assert!((divergence(&expected, &found) - mean).abs() < 1e-12);
    }
}
