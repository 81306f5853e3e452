//! Where trees give their values: a model has targets, and each target has classes.

use super::{Fault, MAX_OUTPUTS};

/// The outputs of a model: target after target, and within one class after class.
pub(super) struct Outputs {
    /// The number of classes of each target; 1 where the target is no class.
    classes: Vec<usize>,
    /// The output of each target's first class.
    starts: Vec<usize>,
    /// The largest number of classes: leaf vectors and base scores have as many columns.
    widest: usize,
    count: usize,
}

/// The outputs that a tree gives values for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    One(usize),
    All,
}

impl Outputs {
    pub(super) fn new(targets: i32, classes: &[i32]) -> Result<Self, Fault> {
        let damage = |reason: String| Fault::Damage("num_class".to_owned(), reason);
        if targets < 1 || usize::try_from(targets) != Ok(classes.len()) {
            return Err(damage(format!(
                "{} numbers for {targets} targets; expected one for each, and one target at least",
                classes.len()
            )));
        }
        let mut count = 0_usize;
        let mut starts = Vec::with_capacity(classes.len());
        for &size in classes {
            starts.push(count);
            count = match usize::try_from(size) {
                Ok(size) if size >= 1 => count.saturating_add(size),
                _ => return Err(damage(format!("a target with {size} classes"))),
            };
        }
        if count > MAX_OUTPUTS {
            return Err(damage(format!("{count} outputs, more than {MAX_OUTPUTS}")));
        }
        let classes: Vec<usize> = classes.iter().map(|&size| size as usize).collect();
        Ok(Self {
            widest: classes.iter().copied().max().unwrap_or(1),
            classes,
            starts,
            count,
        })
    }

    /// Their number.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The cells of a vector for all of them: a row per target, as wide as the widest.
    pub(super) fn cells(&self) -> usize {
        self.classes.len() * self.widest
    }

    /// The numbers of such a vector that belong to an output, in the order of the outputs.
    pub(super) fn pick<'a>(&'a self, cells: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        (cells.chunks(self.widest).zip(&self.classes))
            .flat_map(|(row, &classes)| row.iter().take(classes).copied())
    }

    pub(super) fn names(&self) -> Vec<String> {
        if self.classes.len() == 1 || self.widest == 1 {
            return (0..self.count).map(|k| format!("output {k}")).collect();
        }
        (self.classes.iter().enumerate())
            .flat_map(|(t, &classes)| (0..classes).map(move |c| format!("target {t}, class {c}")))
            .collect()
    }

    /// Where a tree of this target and this class gives its values; -1 stands for all of them.
    pub(super) fn place(&self, tree: usize, target: i32, class: i32) -> Result<Place, Fault> {
        let all_targets = target == -1 || (target == 0 && self.classes.len() == 1);
        let all_classes = class == -1 || (class == 0 && self.widest == 1);
        if all_targets && all_classes {
            return Ok(if self.count == 1 {
                Place::One(0)
            } else {
                Place::All
            });
        }
        if target == -1 || class == -1 {
            return Err(Fault::Refusal(
                format!(
                    "tree {tree} with a vector for some of the model's outputs (target {target}, \
                     class {class}), which"
                ),
                "let each tree give its values to one target and class, or to all of them",
            ));
        }
        let target_index = usize::try_from(target).unwrap_or(usize::MAX);
        let class_index = usize::try_from(class).unwrap_or(usize::MAX);
        match self.classes.get(target_index) {
            Some(&classes) if class_index < classes => {
                Ok(Place::One(self.starts[target_index] + class_index))
            }
            _ => Err(Fault::Damage(
                format!("tree {tree}"),
                format!("it belongs to class {class} of target {target}, which the model lacks"),
            )),
        }
    }
}
