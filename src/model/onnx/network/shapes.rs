//! What the sizes are that a file leaves open.

use std::collections::{BTreeMap, HashSet};

use super::axes::MAX_RANK;
use super::{Kind, Made, fault};
use crate::error::{Error, Result};
use crate::model::network::Input;
use crate::model::onnx::File;
use crate::model::onnx::message::{DimensionMessage, GraphMessage, ValueMessage};

/// What of a graph is explained, and the sizes that its file leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shapes {
    /// How many columns a table of examples has: solves one size that is not known.
    pub cells: Option<usize>,
    /// The shapes of one example of inputs, by name; the batch of 1 may be left out.
    pub by_input: Vec<(String, Vec<usize>)>,
    /// The shapes of one example of all inputs, in their order, without the batch: tell what the file leaves open of
    /// those that they fit.
    pub in_order: Vec<Vec<usize>>,
    /// The value of the graph to explain; where there is none, its first output of numbers.
    pub output: Option<String>,
}

/// An input whose shape is known.
#[derive(Debug)]
pub(super) struct Sized {
    pub(super) input: Input,
    pub(super) kind: Kind,
    /// The batch that the file has fixed, where it is not 1.
    pub(super) batch: Option<usize>,
}

/// A size of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Size {
    Known(usize),
    Open(String),
}

/// Sizes of inputs beyond this are refused.
const MAX_SIZE: i64 = 1 << 28;

const CELLS: &str = "the columns of the table";
const INPUT: &str = "the shape of an input";

impl Shapes {
    /// The inputs of a graph with the shapes of one example.
    pub(super) fn resolve(&self, file: File<'_>, graph: &GraphMessage) -> Result<Vec<Sized>> {
        // Old exports list initializers among the inputs: those are constants.
        let constants: HashSet<&str> = (graph.initializer.iter())
            .map(|t| t.name.as_str())
            .collect();
        let values: Vec<&ValueMessage> = (graph.input.iter())
            .filter(|value| !constants.contains(value.name.as_str()))
            .collect();
        if let Some((name, _)) =
            (self.by_input.iter()).find(|(name, _)| values.iter().all(|value| value.name != *name))
        {
            let names: Vec<&str> = values.iter().map(|value| value.name.as_str()).collect();
            return Err(Error::Parameter {
                name: INPUT,
                got: format!("\"{name}\""),
                allowed: format!("the inputs are {}", names.join(", ")),
            });
        }
        let mut sizes = Vec::with_capacity(values.len());
        let mut fixed = Vec::with_capacity(values.len());
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        let outputs = first_sizes(graph);
        let batches = batches(&values);
        for (place, value) in values.iter().enumerate() {
            let at = || format!("input \"{}\"", value.name);
            let example = self.in_order.get(place);
            let example = example.filter(|_| self.in_order.len() == values.len());
            let (given, batch) = self
                .declared(value, example, &outputs, &batches, &mut known)
                .map_err(|fault| file.fault(at(), fault))?;
            sizes.push(given);
            fixed.push(batch);
        }
        self.solve(file, &values, &sizes, &mut known)?;
        let mut inputs = Vec::with_capacity(values.len());
        for ((value, sizes), batch) in values.iter().zip(&sizes).zip(fixed) {
            let at = || format!("input \"{}\"", value.name);
            let kind = value.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
            let kind = kind.map_or_else(
                || fault("it is no tensor"),
                |kind| Kind::of(kind.elem_type.into()),
            );
            let shape = sizes.iter().map(|size| match size {
                Size::Known(size) => *size,
                Size::Open(symbol) => known.get(symbol).copied().unwrap_or(1),
            });
            let kind = kind.map_err(|fault| file.fault(at(), fault))?;
            inputs.push(Sized {
                input: Input {
                    name: value.name.clone(),
                    shape: shape.collect(),
                    is_whole: kind.is_whole(),
                },
                kind,
                batch,
            });
        }
        Ok(inputs)
    }

    /// The sizes of an input, and the batch that was fixed.
    fn declared(
        &self,
        value: &ValueMessage,
        example: Option<&Vec<usize>>,
        outputs: &HashSet<i64>,
        batches: &HashSet<&str>,
        known: &mut BTreeMap<String, usize>,
    ) -> Made<(Vec<Size>, Option<usize>)> {
        let tensor = value.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        let Some(tensor) = tensor else {
            return fault("it is no tensor, which alone can be explained");
        };
        let given = self.by_input.iter().find(|(name, _)| *name == value.name);
        let given = given.map(|(_, shape)| shape.clone());
        let Some(shape) = &tensor.shape else {
            let example = || example.map(|shape| [&[1], &shape[..]].concat());
            return match (given.or_else(example), self.cells) {
                (Some(shape), _) => Ok((shape.into_iter().map(Size::Known).collect(), None)),
                (None, Some(cells)) => Ok((vec![Size::Known(1), Size::Known(cells)], None)),
                (None, None) => fault(format!(
                    "the file says nothing about its shape; give that of one example of \"{}\"",
                    value.name
                )),
            };
        };
        let dims = &shape.dim;
        if dims.len() > MAX_RANK {
            return fault(format!("it has {} axes", dims.len()));
        }
        let fits = |shape: &&Vec<usize>| {
            let is_open = dims.iter().skip(1).any(|dim| dim.value == 0);
            let mut sizes = dims.iter().skip(1).zip(shape.iter());
            is_open
                && shape.len() + 1 == dims.len()
                && sizes.all(|(dim, &size)| size > 0 && [0, size as i64].contains(&dim.value))
        };
        if let Some(given) = given.or_else(|| example.filter(fits).cloned()) {
            return matched(value, dims, given, known);
        }
        let mut batch = None;
        let mut sizes = Vec::with_capacity(dims.len());
        for (axis, dim) in dims.iter().enumerate() {
            let names_batch = !dim.symbol.is_empty() && batches.contains(dim.symbol.as_str());
            // Another axis may be the batch: sequences often come first.
            let is_elsewhere = dims.iter().skip(1).any(|other| {
                !other.symbol.is_empty() && other.symbol != dim.symbol && is_batch(&other.symbol)
            });
            let is_first = axis == 0 && !is_elsewhere;
            sizes.push(match dim.value {
                0 if is_first || names_batch => Size::Known(1),
                0 if dim.symbol.is_empty() => Size::Open(format!("{}, axis {axis}", value.name)),
                0 => Size::Open(dim.symbol.clone()),
                n if is_first && n > 1 && dims.len() > 1 && outputs.contains(&n) => {
                    batch = usize::try_from(n).ok();
                    Size::Known(1)
                }
                n if (1..=MAX_SIZE).contains(&n) => Size::Known(n as usize),
                n => return fault(format!("its axis {axis} has the size {n}")),
            });
        }
        Ok((sizes, batch))
    }

    /// Solves the one size that is open, from the number of columns.
    fn solve(
        &self,
        file: File<'_>,
        values: &[&ValueMessage],
        sizes: &[Vec<Size>],
        known: &mut BTreeMap<String, usize>,
    ) -> Result<()> {
        let mut open: Vec<(&str, usize, &str)> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for (value, sizes) in values.iter().zip(sizes) {
            for (axis, size) in sizes.iter().enumerate() {
                if let Size::Open(symbol) = size
                    && !known.contains_key(symbol)
                    && seen.insert(symbol)
                {
                    open.push((&value.name, axis, symbol));
                }
            }
        }
        let total = |size: usize| {
            let cells = sizes.iter().map(|sizes| {
                sizes.iter().try_fold(1_usize, |cells, own| {
                    cells.checked_mul(match own {
                        Size::Known(own) => *own,
                        Size::Open(symbol) => known.get(symbol).copied().unwrap_or(size),
                    })
                })
            });
            let mut cells = cells.map(|cells| cells.unwrap_or(usize::MAX));
            cells
                .try_fold(0_usize, usize::checked_add)
                .unwrap_or(usize::MAX)
        };
        match (&open[..], self.cells) {
            ([], Some(cells)) if total(1) != cells => Err(Error::Shape {
                what: format!("{}: {CELLS}", file.path.display()),
                expected: format!("{}, the cells of its inputs", total(1)),
                got: cells.to_string(),
            }),
            ([], _) => Ok(()),
            ([(input, axis, symbol)], Some(cells)) => {
                let (mut size, mut above) = (1, cells);
                while size < above {
                    let middle = size + (above - size) / 2;
                    if total(middle) < cells {
                        size = middle + 1;
                    } else {
                        above = middle;
                    }
                }
                if total(size) != cells {
                    return Err(Error::Parameter {
                        name: CELLS,
                        got: cells.to_string(),
                        allowed: format!(
                            "axis {axis} of input \"{input}\" can be of any size, but none of them makes as many cells"
                        ),
                    });
                }
                known.insert((*symbol).to_owned(), size);
                Ok(())
            }
            ([(input, axis, _), ..], _) => Err(Error::Parameter {
                name: INPUT,
                got: format!("\"{input}\" of {}", file.path.display()),
                allowed: format!(
                    "the file leaves the size of its axis {axis} open; give the shape of one example of \"{input}\""
                ),
            }),
        }
    }
}

/// The shape that was given for an input, held against what the file says.
fn matched(
    value: &ValueMessage,
    dims: &[DimensionMessage],
    mut given: Vec<usize>,
    known: &mut BTreeMap<String, usize>,
) -> Made<(Vec<Size>, Option<usize>)> {
    let mut batch = None;
    if given.len() + 1 == dims.len() {
        given.insert(0, 1);
        batch = usize::try_from(dims[0].value).ok().filter(|&n| n > 1);
    }
    let fits = |(axis, (dim, &size)): (usize, (&DimensionMessage, &usize))| {
        let is_batch = axis == 0 && batch.is_some();
        size > 0 && (dim.value == 0 || dim.value == size as i64 || is_batch)
    };
    if given.len() != dims.len() || !dims.iter().zip(&given).enumerate().all(fits) {
        let declared: Vec<String> = (dims.iter())
            .map(|dim| match dim.value {
                0 if dim.symbol.is_empty() => "?".to_owned(),
                0 => dim.symbol.clone(),
                n => n.to_string(),
            })
            .collect();
        return fault(format!(
            "the shape {given:?} was given for \"{}\", but the file says [{}]",
            value.name,
            declared.join(", ")
        ));
    }
    for (dim, &size) in dims.iter().zip(&given) {
        if dim.value == 0 && !dim.symbol.is_empty() {
            known.entry(dim.symbol.clone()).or_insert(size);
        }
    }
    Ok((given.into_iter().map(Size::Known).collect(), batch))
}

/// The first sizes of the outputs, where they are fixed.
fn first_sizes(graph: &GraphMessage) -> HashSet<i64> {
    let tensor = |value: &ValueMessage| {
        let shape = value.kind.as_ref()?.tensor.as_ref()?.shape.as_ref()?;
        shape.dim.first().map(|dim| dim.value)
    };
    graph.output.iter().filter_map(tensor).collect()
}

/// The symbols that mean the batch: those of first axes, and those that are called so.
fn batches<'a>(values: &[&'a ValueMessage]) -> HashSet<&'a str> {
    let dims = |value: &'a ValueMessage| {
        let shape = value.kind.as_ref()?.tensor.as_ref()?.shape.as_ref()?;
        Some(&shape.dim[..])
    };
    let all = || values.iter().filter_map(|&value| dims(value));
    let named: HashSet<&str> = (all().flatten())
        .map(|dim| dim.symbol.as_str())
        .filter(|symbol| is_batch(symbol))
        .collect();
    if !named.is_empty() {
        return named;
    }
    (all().filter_map(<[_]>::first))
        .map(|dim| dim.symbol.as_str())
        .filter(|symbol| !symbol.is_empty())
        .collect()
}

fn is_batch(symbol: &str) -> bool {
    let symbol = symbol.to_ascii_lowercase();
    matches!(symbol.as_str(), "n" | "b" | "bs" | "none" | "s0") || symbol.contains("batch")
}
