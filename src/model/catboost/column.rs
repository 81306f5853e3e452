//! The columns of a CatBoost model, and the categories that its one-hot splits test.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::Fault;
use super::tree::SplitInfo;
use crate::model::trees::{Categories, CategorySet, Feature, Missing, Numbers, Split, Test};

/// One-hot categories of one feature beyond this are taken for damage (the library's own limit is
/// 255).
const MAX_ONE_HOT: usize = 4096;

#[derive(Deserialize)]
pub(super) struct FeatureInfo {
    float_features: Option<Vec<FeatureEntry>>,
    categorical_features: Option<Vec<FeatureEntry>>,
    text_features: Option<Vec<FeatureEntry>>,
    embedding_features: Option<Vec<FeatureEntry>>,
    cat_features_hash: Option<Vec<HashEntry>>,
}

/// A feature; its index counts the features of its kind, its flat index the columns.
#[derive(Deserialize)]
struct FeatureEntry {
    feature_index: u32,
    flat_feature_index: u32,
    /// Called `feature_name` by old versions.
    feature_id: Option<String>,
    feature_name: Option<String>,
    nan_value_treatment: Option<String>,
}

/// The hash of a category, and its text (or number).
#[derive(Deserialize)]
struct HashEntry {
    hash: i64,
    value: Value,
}

/// The columns, and how splits refer to them.
pub(super) struct Columns {
    /// In the order of the flat indexes.
    pub(super) features: Vec<Feature>,
    /// By index among the float features: the column, and whether NaN is above every border.
    float: BTreeMap<u32, (u32, bool)>,
    /// By index among the categorical features.
    category: BTreeMap<u32, Category>,
    labels: BTreeMap<u32, String>,
}

#[derive(Default)]
struct Category {
    column: u32,
    /// The hashes that splits test, and the category number of each.
    codes: BTreeMap<u32, u32>,
}

impl Columns {
    pub(super) fn new(info: FeatureInfo) -> Result<Self, Fault> {
        let damage = |reason: String| Fault::Damage("features_info".to_owned(), reason);
        let kinds = [
            info.float_features.unwrap_or_default(),
            info.categorical_features.unwrap_or_default(),
            info.text_features.unwrap_or_default(),
            info.embedding_features.unwrap_or_default(),
        ];
        let count = kinds.iter().map(Vec::len).sum();
        let mut names: Vec<Option<String>> = vec![None; count];
        let mut seen = BTreeSet::new();
        for entry in kinds.iter().flatten() {
            let flat = entry.flat_feature_index;
            let Some(name) = names.get_mut(flat as usize).filter(|_| seen.insert(flat)) else {
                return Err(damage(format!(
                    "flat_feature_index {flat}: expected each of 0 to {} once; the file is damaged",
                    count.saturating_sub(1)
                )));
            };
            *name = [&entry.feature_id, &entry.feature_name]
                .into_iter()
                .flatten()
                .find(|name| !name.is_empty())
                .cloned();
        }
        // Without names the library numbers the columns.
        let generated = (names.iter().enumerate())
            .all(|(i, name)| name.as_ref().is_none_or(|name| *name == i.to_string()));
        let features = names.into_iter().map(|name| Feature {
            name: name.filter(|_| !generated),
            categories: None,
        });
        let mut columns = Self {
            features: features.collect(),
            float: BTreeMap::new(),
            category: BTreeMap::new(),
            labels: BTreeMap::new(),
        };
        for entry in &kinds[0] {
            let high = match entry.nan_value_treatment.as_deref() {
                Some("AsTrue") => true,
                // Without missing cells in training, NaN compares as in C: it is above no border.
                Some("AsFalse" | "AsIs") | None => false,
                Some(other) => {
                    return Err(damage(format!(
                        "nan_value_treatment {other:?}; expected AsIs, AsFalse or AsTrue"
                    )));
                }
            };
            let place = (entry.flat_feature_index, high);
            if columns.float.insert(entry.feature_index, place).is_some() {
                return Err(damage(format!(
                    "float feature {} is there twice; the file is damaged",
                    entry.feature_index
                )));
            }
        }
        for entry in &kinds[1] {
            let category = Category {
                column: entry.flat_feature_index,
                ..Category::default()
            };
            if (columns.category.insert(entry.feature_index, category)).is_some() {
                return Err(damage(format!(
                    "categorical feature {} is there twice; the file is damaged",
                    entry.feature_index
                )));
            }
        }
        for entry in info.cat_features_hash.unwrap_or_default() {
            let text = match entry.value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            columns.labels.insert(hash(entry.hash)?, text);
        }
        Ok(columns)
    }

    /// Notes the category that a split tests.
    pub(super) fn count(&mut self, split: &SplitInfo) -> Result<(), Fault> {
        if let Some((feature, value)) = split.one_hot()?
            && let Some(category) = self.category.get_mut(&feature)
        {
            category.codes.insert(hash(value)?, 0);
        }
        Ok(())
    }

    /// Numbers the categories that splits test, and gives each column their labels. All others are
    /// alike to the model.
    pub(super) fn name_categories(&mut self) -> Result<(), Fault> {
        for (&index, category) in &mut self.category {
            if category.codes.len() > MAX_ONE_HOT {
                return Err(Fault::Damage(
                    format!("categorical feature {index}"),
                    format!(
                        "one-hot splits on {} of its categories; expected at most {MAX_ONE_HOT}",
                        category.codes.len()
                    ),
                ));
            }
            for (code, number) in (0..).zip(category.codes.values_mut()) {
                *number = code;
            }
            let codes = || category.codes.keys();
            let labels: Option<_> = codes().map(|hash| self.labels.get(hash).cloned()).collect();
            // Saved without its training data, a model has the hashes of the categories alone.
            let (labels, numbers) = match labels {
                Some(labels) => (labels, Numbers::Labels),
                None => (codes().map(u32::to_string).collect(), Numbers::Hashes),
            };
            self.features[category.column as usize].categories =
                Some(Categories { labels, numbers });
        }
        Ok(())
    }

    /// A split, without children and cover. The left child is the one where its condition fails.
    pub(super) fn split(&self, split: &SplitInfo) -> Result<Split, Fault> {
        let damage = |reason: String| Fault::Damage(String::new(), reason);
        let (feature, test, missing_left) = if let Some((index, value)) = split.one_hot()? {
            let unknown = || damage(format!("it tests unknown categorical feature {index}"));
            let category = self.category.get(&index).ok_or_else(unknown)?;
            let code = *category.codes.get(&hash(value)?).ok_or_else(unknown)?;
            let mut words = vec![0; code as usize / 32 + 1];
            words[code as usize / 32] = 1 << (code % 32);
            let set = CategorySet {
                words,
                members_left: false,
            };
            (category.column, Test::Category(set), true)
        } else {
            let (index, border) = split.float()?;
            let unknown = || damage(format!("it tests unknown float feature {index}"));
            let &(column, high) = self.float.get(&index).ok_or_else(unknown)?;
            (column, below(border), !high)
        };
        Ok(Split {
            feature,
            test,
            missing: Missing::Nan,
            missing_left,
            left: 0,
            right: 0,
            cover: 0.0,
        })
    }
}

/// Not `x > border` in float32, as a test for going left.
fn below(border: f64) -> Test {
    let border = border as f32;
    if border == f32::INFINITY {
        Test::Always
    } else {
        Test::Below(f64::from(border.next_up()))
    }
}

/// Category hashes have 32 bits; files hold them with and without a sign.
fn hash(value: i64) -> Result<u32, Fault> {
    if (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&value) {
        Ok(value as u32)
    } else {
        Err(Fault::Damage(
            "a category hash".to_owned(),
            format!("{value} does not fit into 32 bits; the file is damaged"),
        ))
    }
}
