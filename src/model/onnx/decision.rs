//! What a node decides: ONNX's node modes as tests of the intermediate form.
//!
//! A mode names the condition under which a row takes the *true* branch. NaN fulfils none of them
//! but `BRANCH_NEQ`; `nodes_missing_value_tracks_true` sends it to the true branch in any mode.

use super::{Fault, SET_WORDS};
use crate::model::check::MAX_CATEGORIES;
use crate::model::trees::{CategorySet, Missing, Precision, Split, Test};

/// The comparison of an inner node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Leq,
    Lt,
    Gte,
    Gt,
    Eq,
    Neq,
    Member,
}

impl Mode {
    /// The mode of an opset 1–3 name; `None` for any other name, `LEAF` included.
    pub(super) fn named(name: &[u8]) -> Option<Mode> {
        Some(match name {
            b"BRANCH_LEQ" => Mode::Leq,
            b"BRANCH_LT" => Mode::Lt,
            b"BRANCH_GTE" => Mode::Gte,
            b"BRANCH_GT" => Mode::Gt,
            b"BRANCH_EQ" => Mode::Eq,
            b"BRANCH_NEQ" => Mode::Neq,
            _ => return None,
        })
    }

    /// The mode of an opset 5 number.
    pub(super) fn numbered(number: f64) -> Option<Mode> {
        const MODES: [Mode; 7] = [
            Mode::Leq,
            Mode::Lt,
            Mode::Gte,
            Mode::Gt,
            Mode::Eq,
            Mode::Neq,
            Mode::Member,
        ];
        // Element types of at most 8 bits: the number is a small integer.
        MODES.get(usize::try_from(number as i64).ok()?).copied()
    }
}

/// How a model reads cells and compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// What a cell is rounded to on its way to the ensemble.
    pub(super) cell: Precision,
    /// The type that the ensemble compares in.
    pub(super) compare: Precision,
}

/// A node's test, with the side that the true branch is on.
#[derive(Debug, PartialEq)]
pub(super) struct Decision {
    pub(super) test: Test,
    /// The true branch is the left child; else the right one.
    pub(super) true_left: bool,
    pub(super) missing_left: bool,
}

impl Reading {
    /// The test of a node. `values` are what it compares with, of the type compared in: its
    /// threshold; for a test of equality, one value or several; for a set, the members. `tracks`
    /// sends missing values to the true branch.
    ///
    /// `set_words` counts the words of all sets of the file so far.
    ///
    /// A set is tested as ONNX Runtime does it: exactly where all members lie in 0..=30 and are
    /// fewer than 31, else after truncation of the cell to an integer.
    pub(super) fn decide(
        self,
        mode: Mode,
        values: &[f64],
        tracks: bool,
        set_words: &mut usize,
    ) -> Result<Decision, Fault> {
        let Some(&threshold) = values.first() else {
            return Err(Fault::bad("it has nothing to compare with"));
        };
        if values.iter().any(|value| value.is_nan()) {
            return Err(Fault::bad("its threshold is not a number"));
        }
        let (test, true_left) = match mode {
            Mode::Leq => (self.at_most(threshold), true),
            Mode::Lt => (self.below(threshold), true),
            Mode::Gte => (self.below(threshold), false),
            Mode::Gt => (self.at_most(threshold), false),
            Mode::Eq => (self.one_of(values), true),
            Mode::Neq => (self.one_of(values), false),
            Mode::Member => (self.member(values, set_words)?, true),
        };
        Ok(Decision {
            test,
            true_left,
            missing_left: (tracks || mode == Mode::Neq) == true_left,
        })
    }

    /// `x < threshold`, with a threshold that the cell's precision can hold.
    fn below(self, threshold: f64) -> Test {
        let mut bound = threshold;
        if self.cell == Precision::F32 {
            let near = threshold as f32;
            bound = if f64::from(near) < threshold {
                near.next_up().into()
            } else {
                near.into()
            };
        }
        Test::Below(bound)
    }

    /// `x <= threshold`.
    fn at_most(self, threshold: f64) -> Test {
        if threshold == f64::INFINITY {
            return Test::Always;
        }
        self.below(match self.compare {
            Precision::F32 => (threshold as f32).next_up().into(),
            Precision::F64 => threshold.next_up(),
        })
    }

    /// `x` equals one of `values`; those that no cell can equal are dropped.
    fn one_of(self, values: &[f64]) -> Test {
        let holds = |v: &f64| {
            let lost = v - f64::from(*v as f32);
            self.cell == Precision::F64 || lost.abs() <= 0.0 || v.is_infinite()
        };
        Test::OneOf(values.iter().copied().filter(holds).collect())
    }

    fn member(self, members: &[f64], set_words: &mut usize) -> Result<Test, Fault> {
        if members.len() < 31 && members.iter().all(|m| (0.0..=30.0).contains(m)) {
            return Ok(self.one_of(members));
        }
        let mut words = Vec::new();
        for &member in members {
            if !(member >= 0.0 && member < MAX_CATEGORIES as f64 && member.fract() == 0.0) {
                return Err(Fault::Unsupported {
                    what: format!("the member {member} of a large set"),
                    instead: format!(
                        "sets of 31 members or more, or with members over 30, are read if they \
                         hold integers from 0 to {}",
                        MAX_CATEGORIES - 1
                    ),
                });
            }
            let word = member as usize / 32;
            if word >= words.len() {
                words.resize(word + 1, 0_u32);
            }
            words[word] |= 1 << (member as usize % 32);
        }
        *set_words += words.len();
        if *set_words > SET_WORDS {
            return Err(Fault::Unsupported {
                what: "the size of its sets".to_owned(),
                instead: format!("all sets together are read up to {SET_WORDS} words of 32 bits"),
            });
        }
        Ok(Test::Category(CategorySet {
            words,
            members_left: true,
        }))
    }
}

impl Decision {
    /// The split of a node, with the indexes of its true and its false branch.
    pub(super) fn split(self, feature: i64, yes: u32, no: u32, cover: f64) -> Result<Split, Fault> {
        let Ok(feature) = u32::try_from(feature) else {
            return Err(Fault::Bad(format!(
                "its feature index {feature} is not one of 0 to {}",
                u32::MAX
            )));
        };
        let (left, right) = if self.true_left { (yes, no) } else { (no, yes) };
        Ok(Split {
            feature,
            test: self.test,
            missing: Missing::Nan,
            missing_left: self.missing_left,
            left,
            right,
            cover,
        })
    }
}
