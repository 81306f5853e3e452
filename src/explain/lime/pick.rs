//! SP-LIME: few rows that show what a model does.

use ndarray::ArrayView3;

/// The rows, of those whose values (rows, features, outputs) are given, that cover the most of what the model does
/// (Ribeiro, Singh & Guestrin 2016, "Why should I trust you?", §4): at most `budget`, in the order in which a greedy
/// choice takes them.
///
/// `components` (rows, features) are numbers of what a feature is in a row, such as its bin: two rows show the same if
/// they show the same component. One weighs the root of the sum of its values' sizes over all rows and outputs, so that
/// opposite ones do not cancel. Of rows that add as much, the first is taken.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a view is a pointer and a shape"
)]
pub fn pick(values: ArrayView3<'_, f32>, components: &[usize], budget: usize) -> Vec<usize> {
    let (rows, features, _) = values.dim();
    let width = components.iter().max().map_or(0, |most| most + 1);
    let place = |row: usize, feature: usize| {
        let component = components.get(row * features + feature).copied();
        feature * width + component.unwrap_or_default()
    };
    let mut shown: Vec<Vec<usize>> = Vec::with_capacity(rows);
    let mut weights = vec![0.0; features * width.max(1)];
    for (row, values) in values.outer_iter().enumerate() {
        let mut places = Vec::new();
        for (feature, values) in values.outer_iter().enumerate() {
            let size: f64 = values.iter().map(|value| f64::from(value.abs())).sum();
            if size > 0.0 {
                places.push(place(row, feature));
                weights[place(row, feature)] += size;
            }
        }
        shown.push(places);
    }
    for weight in &mut weights {
        *weight = f64::sqrt(*weight);
    }
    let mut picked: Vec<usize> = Vec::new();
    let mut is_picked = vec![false; rows];
    while picked.len() < budget.min(rows) {
        let mut best: Option<(usize, f64)> = None;
        for row in (0..rows).filter(|&row| !is_picked[row]) {
            let gain: f64 = shown[row].iter().map(|&place| weights[place]).sum();
            if best.is_none_or(|(_, most)| gain > most) {
                best = Some((row, gain));
            }
        }
        let Some((row, _)) = best else { break };
        is_picked[row] = true;
        picked.push(row);
        // What is covered adds nothing more.
        for &place in &shown[row] {
            weights[place] = 0.0;
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::pick;

    #[test]
    fn rows_that_show_something_new_come_first() {
        // As the example of the paper: the second feature is that of the most rows.
        let values = array![
            [[1.0], [1.0], [0.0], [0.0]],
            [[0.0], [1.0], [0.0], [0.0]],
            [[0.0], [1.0], [1.0], [0.0]],
            [[0.0], [0.0], [0.0], [-1.0]]
        ];
        let one = [0; 16];
        assert_eq!(pick(values.view(), &one, 3), [0, 2, 3]);
        assert_eq!(pick(values.view(), &one, 9), [0, 2, 3, 1]);
        assert_eq!(pick(values.view(), &[], 1), [0]);
        assert!(pick(values.view(), &one, 0).is_empty());
    }

    #[test]
    fn another_bin_of_a_feature_is_another_component() {
        let values = array![[[3.0], [2.0]], [[3.0], [2.0]], [[1.0], [0.0]]];
        assert_eq!(pick(values.view(), &[0; 6], 2), [0, 1]);
        assert_eq!(pick(values.view(), &[0, 0, 0, 0, 1, 0], 2), [0, 2]);
    }
}
