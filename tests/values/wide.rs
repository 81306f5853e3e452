//! Models of very many features, few of which are used: the values of the narrow model, from sparse
//! rows, within the memory of the features that are used.

use std::sync::Arc;

use ndarray::{Array2, Array3};
use whylight::data::View;
use whylight::explain::{Group, ValueFunction};
use whylight::model::{Feature, Model, Node, Trees};
use whylight::{Device, Error, Explainer, Explanation, Options};

use super::subject::{Subject, subject};

/// Features of the wide model, and between two of them that the narrow one has.
const WIDE: usize = 400_000;
const EVERY: usize = 40_000;

/// Rows that are explained.
const ROWS: usize = 40;

/// The model among very many features that it does not use.
fn widened(trees: &Trees) -> Trees {
    let mut wide = trees.clone();
    let mut features = vec![Feature::default(); WIDE];
    for (f, feature) in trees.features.iter().enumerate() {
        features[place(f)] = Feature {
            name: None,
            ..feature.clone()
        };
    }
    wide.features = features;
    for node in wide.trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
        if let Node::Split(split) = node {
            split.feature = place(split.feature as usize) as u32;
        }
    }
    wide
}

fn place(feature: usize) -> usize {
    feature * EVERY + 17
}

/// The rows of a case as sparse rows of the wide table, with entries in columns that no split tests.
struct Sparse {
    entries: Vec<f64>,
    indices: Vec<i64>,
    starts: Vec<i64>,
}

impl Sparse {
    fn of(subject: &Subject) -> Self {
        let mut rows = Self {
            entries: Vec::new(),
            indices: Vec::new(),
            starts: vec![0],
        };
        for row in 0..ROWS {
            for (f, &cell) in subject.rows.row(row).iter().enumerate() {
                rows.entries.extend([cell, 3.5]);
                rows.indices.extend([place(f) as i64, place(f) as i64 + 1]);
            }
            rows.starts.push(rows.entries.len() as i64);
        }
        rows
    }

    fn view(&self) -> View<'_> {
        View::csr_f64(
            &self.entries,
            &self.indices[..],
            &self.starts[..],
            WIDE,
            None,
        )
        .unwrap()
    }
}

fn explain(model: &Arc<Model>, rows: &View<'_>, options: &Options) -> Result<Explanation, Error> {
    let background = (options.value_function == ValueFunction::Interventional)
        .then(|| rows.slice(0..6).unwrap());
    let explainer = Explainer::with_background(model.clone(), background, options.clone())?;
    Ok(explainer.explain_while(rows, &mut |_| true)?.unwrap())
}

/// The explanations of the narrow model and of the wide one.
fn both(options: &Options) -> [Explanation; 2] {
    let subject = subject("xgboost", "softprob_3_4");
    let cells: Vec<f64> = (0..ROWS)
        .flat_map(|row| subject.rows.row(row).to_vec())
        .collect();
    let features = subject.trees.features.len();
    let table = Array2::from_shape_vec((ROWS, features), cells).unwrap();
    let narrow = explain(&subject.model, &View::f64(table.view(), None), options).unwrap();
    let rows = Sparse::of(&subject);
    let wide = Options {
        groups: (options.groups.iter())
            .map(|group| Group {
                name: group.name.clone(),
                features: group.features.iter().map(|&f| place(f)).collect(),
            })
            .collect(),
        ..options.clone()
    };
    let model = Arc::new(Model::Trees(widened(&subject.trees)));
    let wide = explain(&model, &rows.view(), &wide).unwrap();
    [narrow, wide]
}

fn bits(values: &Array3<f32>) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn options(value_function: ValueFunction) -> Options {
    Options {
        value_function,
        ..Options::on(Device::cpu())
    }
}

#[test]
fn a_wide_model_has_the_values_of_its_used_features_and_zeros() {
    for value_function in [ValueFunction::PathDependent, ValueFunction::Interventional] {
        let [narrow, wide] = both(&options(value_function));
        assert_eq!(wide.header.feature_names.len(), WIDE);
        assert_eq!(wide.values.dim().1, WIDE);
        let used = (0..narrow.values.dim().1).map(place).collect::<Vec<_>>();
        assert_eq!(
            bits(&wide.values.select(ndarray::Axis(1), &used)),
            bits(&narrow.values)
        );
        let all: f64 = wide.values.iter().map(|v| f64::from(v.abs())).sum();
        let of_used: f64 = narrow.values.iter().map(|v| f64::from(v.abs())).sum();
        assert!(
            (all - of_used).abs() < 1e-9 * of_used,
            "{all} but {of_used}"
        );
        assert_eq!(wide.header.base_values, narrow.header.base_values);
        assert!(wide.trailer.additivity_error < 1e-5);
    }
}

#[test]
fn a_result_of_the_used_features_alone_names_them() {
    for value_function in [ValueFunction::PathDependent, ValueFunction::Interventional] {
        for interactions in [false, true] {
            let options = Options {
                used_only: true,
                interactions,
                ..options(value_function)
            };
            let [narrow, wide] = both(&options);
            assert_eq!(bits(&wide.values), bits(&narrow.values));
            let names = narrow.values.dim().1;
            let names = if interactions { names.isqrt() } else { names };
            let expected: Vec<String> = (0..names).map(|f| format!("f{}", place(f))).collect();
            assert_eq!(wide.header.feature_names, expected);
            assert_eq!(wide.header.columns.len(), WIDE);
        }
    }
}

#[test]
fn groups_of_a_wide_model_may_have_members_that_are_not_used() {
    let group = |features: Vec<usize>| Group {
        name: "pair".to_owned(),
        features,
    };
    let grouped = Options {
        groups: vec![group(vec![1, 3])],
        used_only: true,
        ..options(ValueFunction::PathDependent)
    };
    let [narrow, wide] = both(&grouped);
    assert_eq!(bits(&wide.values), bits(&narrow.values));
    assert_eq!(wide.header.feature_names[1], "pair");
    // Unused members change nothing; a group of nothing but such has the value 0.
    let subject = subject("xgboost", "softprob_3_4");
    let model = Arc::new(Model::Trees(widened(&subject.trees)));
    let rows = Sparse::of(&subject);
    let mut idle = group(vec![place(1) + 1, place(2) + 1]);
    idle.name = "idle".to_owned();
    let with_unused = Options {
        groups: vec![group(vec![2, place(1), place(3), WIDE - 1]), idle],
        ..options(ValueFunction::PathDependent)
    };
    let whole = explain(&model, &rows.view(), &with_unused).unwrap();
    let player = |name: &str| {
        whole
            .header
            .feature_names
            .iter()
            .position(|known| known == name)
    };
    let values = |player: Option<usize>| {
        let values = whole.values.index_axis(ndarray::Axis(1), player.unwrap());
        values.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    };
    let expected = narrow.values.index_axis(ndarray::Axis(1), 1);
    let expected: Vec<u32> = expected.iter().map(|v| v.to_bits()).collect();
    assert_eq!(values(player("pair")), expected);
    assert!(values(player("idle")).iter().all(|&bits| bits == 0));
}

#[test]
fn interactions_of_all_features_of_a_wide_model_are_refused_before_they_are_computed() {
    let subject = subject("xgboost", "softprob_3_4");
    let model = Arc::new(Model::Trees(widened(&subject.trees)));
    let pairs = Options {
        interactions: true,
        ..options(ValueFunction::PathDependent)
    };
    let error = Explainer::new(model, None, pairs).unwrap_err().to_string();
    assert!(
        error.contains("400000 features") && error.contains("used_only"),
        "{error}"
    );
}
