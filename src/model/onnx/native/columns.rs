//! Columns before the first layer: which raw column each is made of, and how.
//!
//! **Cells.** An input of float32 rounds its cells so. Whole numbers are cells without their fractions, as a Cast
//! makes them. A column of text has the categories that its encoders name; an encoder that takes no others
//! (`zeros` = 0) makes cells of others an error.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Value, Walk, unsupported};
use crate::model::onnx::Fault;
use crate::model::onnx::message::{DOUBLE, FLOAT, INT32, INT64, NodeMessage, STRING};
use crate::model::onnx::source::MAX_FEATURES;
use crate::model::trees::{Categories, Feature, Numbers, Precision};
use crate::model::{Column, Part};

/// The inputs of a graph, column by column.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) features: Vec<Feature>,
    pub(super) precisions: Vec<Precision>,
    /// What a column of text has for its labels; `None` of numbers.
    pub(super) labels: Vec<Option<HashMap<String, i64>>>,
    /// See [`Encoded::strict`].
    pub(super) strict: Vec<(usize, Arc<[i64]>)>,
    /// By input, the place of its list.
    lists: HashMap<usize, usize>,
}

/// What a value of the graph is, column by column.
#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) columns: Vec<Column>,
    /// Of a tensor (rows, groups, columns of a group), the groups; `None` of a matrix.
    pub(super) groups: Option<usize>,
}

impl List {
    fn matrix(columns: Vec<Column>) -> Self {
        Self {
            columns,
            groups: None,
        }
    }

    /// The columns of a group, or all.
    fn width(&self) -> usize {
        self.columns.len() / self.groups.unwrap_or(1).max(1)
    }

    /// Whether an axis is the last one, along which columns lie.
    fn is_last(&self, axis: Option<i64>) -> bool {
        let last = if self.groups.is_some() { 2 } else { 1 };
        axis == Some(-1) || axis == Some(last)
    }
}

impl<'a> Walk<'a, '_> {
    /// What a node makes of columns before the first layer; `None` where a layer is what it makes, or where the rows
    /// are of no known width.
    pub(super) fn of_columns(
        &mut self,
        node: &'a NodeMessage,
        operator: &str,
        known: &[(usize, Value)],
    ) -> Result<Option<Value>, Fault> {
        let mut lists = Vec::with_capacity(known.len());
        for (_, value) in known {
            match self.list(*value)? {
                Some(list) => lists.push(list),
                None if known.len() == 1 => return Ok(None),
                None => return Err(unsupported("an input of unknown width")),
            }
        }
        let first = lists[0];
        let list = match (operator, known) {
            ("Concat" | "FeatureVectorizer", _) if known.len() == node.input.len() => {
                self.joined(node, operator, &lists)?
            }
            ("Identity" | "Dropout", [(0, _)]) if node.input.len() <= 2 => {
                return Ok(Some(Value::Columns(first)));
            }
            ("Cast", [(0, _)]) => self.cast(node, first)?,
            ("Gather" | "ArrayFeatureExtractor", [(0, _)]) => self.taken(node, operator, first)?,
            ("OneHotEncoder", [(0, _)]) => self.one_hot(node, first)?,
            ("LabelEncoder", [(0, _)]) => self.looked_up(node, first)?,
            ("Reshape" | "Flatten", [(0, _)]) => self.reshaped(node, operator, first)?,
            ("Normalizer", [(0, _)]) => return self.normalised(node, first).map(Some),
            ("Scaler" | "Neg", [(0, _)]) | ("Add" | "Sub" | "Mul" | "Div", [_]) => {
                self.scaled(node, operator, known[0].0, first)?
            }
            _ => return Ok(None),
        };
        self.keep(list).map(Some)
    }

    fn keep(&mut self, list: List) -> Result<Value, Fault> {
        if list.columns.len() > MAX_FEATURES {
            return Err(unsupported(format!("more than {MAX_FEATURES} columns")));
        }
        self.lists.push(list);
        Ok(Value::Columns(self.lists.len() - 1))
    }

    /// The columns of a value, by the place of their list; `None` for an input of unknown width.
    pub(super) fn list(&mut self, value: Value) -> Result<Option<usize>, Fault> {
        let input = match value {
            Value::Columns(list) => return Ok(Some(list)),
            Value::Input(input) => input,
            _ => return Err(unsupported("what is no column")),
        };
        let Some((_, Some(_))) = self.input(input)? else {
            return Ok(None);
        };
        if self.raw.is_none() {
            self.raw = Some(self.inputs()?);
        }
        let lists = self.raw.as_ref().map(|raw| &raw.lists);
        let list = lists.and_then(|lists| lists.get(&input).copied());
        list.map(Some)
            .ok_or_else(|| Fault::bad("its input is none of the graph's"))
    }

    /// The element type and the width of an input.
    fn input(&self, place: usize) -> Result<Option<(i32, Option<usize>)>, Fault> {
        let Some(input) = self.graph.message.input.get(place) else {
            return Ok(None);
        };
        let found = self.graph.column_of_any_type(input);
        found
            .map(Some)
            .map_err(|error| Fault::Bad(error.to_string()))
    }

    /// All columns of all inputs.
    fn inputs(&mut self) -> Result<Raw, Fault> {
        let mut raw = Raw {
            features: Vec::new(),
            precisions: Vec::new(),
            labels: Vec::new(),
            strict: Vec::new(),
            lists: HashMap::new(),
        };
        for (place, input) in self.graph.message.input.iter().enumerate() {
            let name = &input.name;
            if !self.graph.inputs.contains_key(name.as_str()) {
                continue;
            }
            let (kind, width) = match self.input(place)? {
                Some((kind, Some(width)))
                    if [FLOAT, DOUBLE, INT32, INT64, STRING].contains(&kind) =>
                {
                    (kind, width)
                }
                Some((kind, Some(_))) => {
                    let what = format!("input \"{name}\" of element type {kind}");
                    return Err(unsupported(what));
                }
                _ => return Err(unsupported(format!("input \"{name}\" of unknown width"))),
            };
            let first = raw.features.len();
            if first + width > MAX_FEATURES {
                return Err(unsupported(format!(
                    "inputs of more than {MAX_FEATURES} columns"
                )));
            }
            self.budget.spend(0, width)?;
            let columns = (first..first + width).map(Column::of).collect();
            self.lists.push(List::matrix(columns));
            raw.lists.insert(place, self.lists.len() - 1);
            let categories = (kind == STRING).then(|| Categories {
                labels: Vec::new(),
                numbers: Numbers::Labels,
            });
            let feature = Feature {
                name: (width == 1).then(|| name.clone()),
                categories,
            };
            raw.features.resize(first + width, feature);
            let precision = match kind {
                FLOAT => Precision::F32,
                _ => Precision::F64,
            };
            raw.precisions.resize(first + width, precision);
            raw.labels
                .resize(first + width, (kind == STRING).then(HashMap::new));
        }
        Ok(raw)
    }

    pub(super) fn is_text(&self, column: &Column) -> bool {
        let raw = self.raw.as_ref();
        column.part == Part::Cell && raw.is_some_and(|raw| raw.labels[column.feature].is_some())
    }

    /// The columns of a list, which has to be a matrix of numbers.
    pub(super) fn numbers(&self, list: usize) -> Result<&[Column], Fault> {
        let list = &self.lists[list];
        if list.groups.is_some() {
            return Err(unsupported(
                "columns of categories that no Reshape puts side by side",
            ));
        }
        if list.columns.iter().any(|column| self.is_text(column)) {
            return Err(unsupported("text as numbers"));
        }
        Ok(&list.columns)
    }

    fn joined(
        &mut self,
        node: &NodeMessage,
        operator: &str,
        lists: &[usize],
    ) -> Result<List, Fault> {
        let groups = self.lists[lists[0]].groups;
        let mut width = 0_usize;
        for &list in lists {
            let list = &self.lists[list];
            if list.groups != groups || operator == "Concat" && !list.is_last(node.int("axis")) {
                return Err(unsupported("other than columns side by side"));
            }
            width = width.saturating_add(list.columns.len());
            if width > MAX_FEATURES {
                return Err(unsupported(format!("more than {MAX_FEATURES} columns")));
            }
        }
        self.budget.spend(0, width)?;
        let mut columns = Vec::with_capacity(width);
        for group in 0..groups.unwrap_or(1) {
            for &list in lists {
                let list = &self.lists[list];
                let width = list.width();
                columns.extend_from_slice(&list.columns[group * width..(group + 1) * width]);
            }
        }
        Ok(List { columns, groups })
    }

    /// A Cast to numbers.
    fn cast(&mut self, node: &NodeMessage, list: usize) -> Result<List, Fault> {
        let is = |kind: i32| node.int("to") == Some(kind.into());
        let groups = self.lists[list].groups;
        let mut columns = self.lists[list].columns.clone();
        self.budget.spend(0, columns.len())?;
        if columns.iter().any(|column| self.is_text(column)) {
            return Err(unsupported("a Cast of text"));
        }
        match () {
            () if is(FLOAT) || is(DOUBLE) => {}
            () if is(INT64) => {
                for column in &mut columns {
                    let is_whole = match &column.part {
                        Part::Cell => {
                            column.part = Part::Whole;
                            true
                        }
                        Part::Whole | Part::Is(_) => true,
                        Part::Lookup(lookup) => lookup.is_whole(),
                    };
                    if column.is_scaled() || !is_whole {
                        return Err(unsupported("whole numbers of columns that are scaled"));
                    }
                }
            }
            () => {
                let kind = node.int("to").unwrap_or(0);
                return Err(unsupported(format!("a Cast to element type {kind}")));
            }
        }
        Ok(List { columns, groups })
    }

    /// Columns by their numbers.
    fn taken(&mut self, node: &'a NodeMessage, operator: &str, list: usize) -> Result<List, Fault> {
        let indices = match node.input.get(1) {
            Some(name) => self.constant(name)?,
            None => None,
        };
        let indices = indices.ok_or_else(|| unsupported("columns by no constant numbers"))?;
        let list = &self.lists[list];
        let is_gather = operator == "Gather";
        let fits = if is_gather {
            indices.dims.len() == 1 && list.is_last(Some(node.int("axis").unwrap_or(0)))
        } else {
            list.groups.is_none()
        };
        if !fits {
            return Err(unsupported("other than some of its columns"));
        }
        let (width, groups) = (list.width(), list.groups);
        let count = indices.numbers.len().saturating_mul(groups.unwrap_or(1));
        if indices.numbers.is_empty() || count > MAX_FEATURES {
            return Err(unsupported(format!(
                "no columns, or more than {MAX_FEATURES}"
            )));
        }
        let place = |&index: &f64| {
            let from_end = if is_gather && index < 0.0 {
                width as f64
            } else {
                0.0
            };
            let place = index + from_end;
            let is_one = place.fract() == 0.0 && (0.0..width as f64).contains(&place);
            is_one
                .then_some(place as usize)
                .ok_or_else(|| Fault::Bad(format!("column {index} of {width}")))
        };
        let places: Vec<usize> = indices
            .numbers
            .iter()
            .map(place)
            .collect::<Result<_, _>>()?;
        self.budget.spend(0, count)?;
        let all = (0..groups.unwrap_or(1)).flat_map(|group| {
            let places = places.iter();
            places.map(move |place| list.columns[group * width + place].clone())
        });
        Ok(List {
            columns: all.collect(),
            groups,
        })
    }

    /// Matrices of tensors, and of themselves.
    fn reshaped(
        &mut self,
        node: &'a NodeMessage,
        operator: &str,
        list: usize,
    ) -> Result<List, Fault> {
        let count = self.lists[list].columns.len() as f64;
        let shape = match node.input.get(1) {
            Some(name) if operator == "Reshape" => self.constant(name)?,
            _ => None,
        };
        let is_matrix = match (operator, shape) {
            ("Flatten", _) => matches!(node.int("axis"), None | Some(1)),
            (_, Some(shape)) => match shape.numbers[..] {
                [-1.0, columns] => columns == count,
                [0.0, columns] => columns == count || columns == -1.0,
                _ => false,
            },
            _ => false,
        };
        if !is_matrix {
            return Err(unsupported("other than a row for each row"));
        }
        self.budget.spend(0, self.lists[list].columns.len())?;
        Ok(List::matrix(self.lists[list].columns.clone()))
    }

    fn scaled(
        &mut self,
        node: &'a NodeMessage,
        operator: &str,
        place: usize,
        list: usize,
    ) -> Result<List, Fault> {
        let scaling = self.scaling(node, operator, place)?;
        let mut columns = self.numbers(list)?.to_vec();
        let width = columns.len();
        if let Some(wanted) = scaling.width().filter(|&wanted| wanted != width) {
            return Err(Fault::Bad(format!(
                "it takes {wanted} columns, but its input has {width}"
            )));
        }
        self.budget.spend(0, width)?;
        for (k, column) in columns.iter_mut().enumerate() {
            let (scale, shift) = (scaling.scale(k), scaling.shift(k));
            (column.scale, column.shift) = (column.scale * scale, column.shift * scale + shift);
        }
        Ok(List::matrix(columns))
    }
}
