//! Values that are known before any example: typed arrays.

use std::rc::Rc;

use super::Made;
use super::axes::{NONE, cells};
use crate::model::onnx::Fault;
use crate::model::onnx::message::{
    BFLOAT16, BOOL, DOUBLE, FLOAT, FLOAT16, INT8, INT16, INT32, INT64, TensorMessage, UINT8,
    UINT16, UINT32, UINT64,
};

/// What kind of numbers a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Float,
    Double,
    Int,
    Bool,
}

/// A constant. Float16 is kept as float32, every integer as int64.
#[derive(Debug, Clone)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
    cells: Cells,
}

#[derive(Debug, Clone)]
enum Cells {
    /// Truths are 0 and 1.
    Int(Rc<Vec<i64>>),
    Float(Rc<Vec<f32>>),
    Double(Rc<Vec<f64>>),
}

impl Kind {
    /// Of ONNX's number for an element type.
    pub(super) fn of(kind: i64) -> Made<Self> {
        match i32::try_from(kind).unwrap_or(-1) {
            FLOAT | FLOAT16 | BFLOAT16 => Ok(Kind::Float),
            DOUBLE => Ok(Kind::Double),
            UINT8 | INT8 | UINT16 | INT16 | INT32 | INT64 | UINT32 | UINT64 => Ok(Kind::Int),
            BOOL => Ok(Kind::Bool),
            _ => Err(Fault::Unsupported {
                what: format!("element type {kind}"),
                instead: "export the model with float, integer and bool tensors".to_owned(),
            }),
        }
    }

    pub(super) fn is_whole(self) -> bool {
        matches!(self, Kind::Int | Kind::Bool)
    }
}

impl Array {
    pub(super) fn ints(shape: Vec<usize>, cells: Vec<i64>) -> Self {
        Self {
            shape,
            kind: Kind::Int,
            cells: Cells::Int(Rc::new(cells)),
        }
    }

    pub(super) fn list(cells: Vec<i64>) -> Self {
        Self::ints(vec![cells.len()], cells)
    }

    pub(super) fn floats(shape: Vec<usize>, cells: Vec<f32>) -> Self {
        Self {
            shape,
            kind: Kind::Float,
            cells: Cells::Float(Rc::new(cells)),
        }
    }

    pub(super) fn truths(shape: Vec<usize>, cells: impl Iterator<Item = bool>) -> Self {
        Self {
            kind: Kind::Bool,
            ..Self::ints(shape, cells.map(i64::from).collect())
        }
    }

    /// Numbers rounded to a kind.
    pub(super) fn of(kind: Kind, shape: Vec<usize>, numbers: impl Iterator<Item = f64>) -> Self {
        let cells = match kind {
            Kind::Float => Cells::Float(Rc::new(numbers.map(|x| x as f32).collect())),
            Kind::Double => Cells::Double(Rc::new(numbers.collect())),
            Kind::Int => Cells::Int(Rc::new(numbers.map(|x| x as i64).collect())),
            Kind::Bool => Cells::Int(Rc::new(numbers.map(|x| i64::from(x != 0.0)).collect())),
        };
        Self { shape, kind, cells }
    }

    pub(super) fn len(&self) -> usize {
        match &self.cells {
            Cells::Int(cells) => cells.len(),
            Cells::Float(cells) => cells.len(),
            Cells::Double(cells) => cells.len(),
        }
    }

    pub(super) fn at(&self, cell: usize) -> f64 {
        match &self.cells {
            Cells::Int(cells) => cells[cell] as f64,
            Cells::Float(cells) => cells[cell].into(),
            Cells::Double(cells) => cells[cell],
        }
    }

    pub(super) fn int(&self, cell: usize) -> i64 {
        match &self.cells {
            Cells::Int(cells) => cells[cell],
            Cells::Float(cells) => cells[cell] as i64,
            Cells::Double(cells) => cells[cell] as i64,
        }
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = f64> {
        (0..self.len()).map(|cell| self.at(cell))
    }

    pub(super) fn whole(&self) -> impl Iterator<Item = i64> {
        (0..self.len()).map(|cell| self.int(cell))
    }

    pub(super) fn to_f32(&self) -> Vec<f32> {
        match &self.cells {
            Cells::Float(cells) => cells.to_vec(),
            _ => self.numbers().map(|x| x as f32).collect(),
        }
    }

    /// The number that all cells are, if they are.
    pub(super) fn one(&self) -> Option<f64> {
        let first = (self.len() > 0).then(|| self.at(0))?;
        self.numbers().all(|x| x == first).then_some(first)
    }

    /// Cells that move; `fill` where they have no source.
    pub(super) fn moved(&self, sources: &[u32], shape: Vec<usize>, fill: f64) -> Self {
        fn pick<T: Copy>(cells: &[T], sources: &[u32], fill: T) -> Rc<Vec<T>> {
            let cell = |&source: &u32| match source {
                NONE => fill,
                source => cells[source as usize],
            };
            Rc::new(sources.iter().map(cell).collect())
        }
        let cells = match &self.cells {
            Cells::Int(cells) => Cells::Int(pick(cells, sources, fill as i64)),
            Cells::Float(cells) => Cells::Float(pick(cells, sources, fill as f32)),
            Cells::Double(cells) => Cells::Double(pick(cells, sources, fill)),
        };
        Self {
            shape,
            kind: self.kind,
            cells,
        }
    }

    pub(super) fn reshaped(&self, shape: Vec<usize>) -> Self {
        Self {
            shape,
            ..self.clone()
        }
    }

    pub(super) fn cast(&self, kind: Kind) -> Self {
        match (&self.cells, kind) {
            (Cells::Int(cells), Kind::Int) => Self {
                kind,
                shape: self.shape.clone(),
                cells: Cells::Int(Rc::clone(cells)),
            },
            (Cells::Float(_) | Cells::Double(_), Kind::Int) => {
                Self::ints(self.shape.clone(), self.whole().collect())
            }
            _ => Self::of(kind, self.shape.clone(), self.numbers()),
        }
    }

    /// The array of a tensor of the file, whose bytes may be in another file.
    pub(super) fn read(tensor: &TensorMessage, external: Option<&[u8]>) -> Made<Self> {
        let kind = Kind::of(tensor.data_type.into())?;
        let size = |&dim: &i64| usize::try_from(dim).ok();
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(size).collect();
        let shape = shape.filter(|shape| cells(shape).is_some());
        let Some(shape) = shape else {
            return Err(Fault::Bad(format!(
                "its tensor has the shape {:?}",
                tensor.dims
            )));
        };
        let cells = elements(tensor, external.unwrap_or(&tensor.raw_data))?;
        let array = Self { shape, kind, cells };
        if Some(array.len()) != self::cells(&array.shape) {
            return Err(Fault::Bad(format!(
                "its tensor has shape {:?} but {} elements",
                tensor.dims,
                array.len()
            )));
        }
        Ok(array)
    }
}

/// Bytes of an element.
pub(super) fn width(data_type: i32) -> usize {
    match data_type {
        UINT8 | INT8 | BOOL => 1,
        UINT16 | INT16 | FLOAT16 | BFLOAT16 => 2,
        FLOAT | INT32 | UINT32 => 4,
        _ => 8,
    }
}

fn elements(tensor: &TensorMessage, raw: &[u8]) -> Made<Cells> {
    let t = tensor;
    let small = || t.int32_data.iter();
    let ints = |cells: Vec<i64>| Ok(Cells::Int(Rc::new(cells)));
    let floats = |cells: Vec<f32>| Ok(Cells::Float(Rc::new(cells)));
    if raw.is_empty() {
        return match t.data_type {
            FLOAT => floats(t.float_data.clone()),
            DOUBLE => Ok(Cells::Double(Rc::new(t.double_data.clone()))),
            FLOAT16 => floats(small().map(|&bits| half(bits as u16)).collect()),
            BFLOAT16 => floats(small().map(|&bits| brain(bits as u16)).collect()),
            INT64 => ints(t.int64_data.clone()),
            UINT32 | UINT64 => ints(t.uint64_data.iter().map(|&x| clamped(x)).collect()),
            _ => ints(small().map(|&x| x.into()).collect()),
        };
    }
    match t.data_type {
        FLOAT => floats(words(raw, f32::from_le_bytes)?),
        DOUBLE => Ok(Cells::Double(Rc::new(words(raw, f64::from_le_bytes)?))),
        FLOAT16 => floats(words(raw, |b| half(u16::from_le_bytes(b)))?),
        BFLOAT16 => floats(words(raw, |b| brain(u16::from_le_bytes(b)))?),
        INT64 => ints(words(raw, i64::from_le_bytes)?),
        UINT64 => ints(words(raw, |b| clamped(u64::from_le_bytes(b)))?),
        INT32 => ints(words(raw, |b| i32::from_le_bytes(b).into())?),
        UINT32 => ints(words(raw, |b| u32::from_le_bytes(b).into())?),
        INT16 => ints(words(raw, |b| i16::from_le_bytes(b).into())?),
        UINT16 => ints(words(raw, |b| u16::from_le_bytes(b).into())?),
        INT8 => ints(words(raw, |b| i8::from_le_bytes(b).into())?),
        BOOL => ints(words(raw, |[b]: [u8; 1]| i64::from(b != 0))?),
        _ => ints(words(raw, |[b]: [u8; 1]| b.into())?),
    }
}

fn clamped(x: u64) -> i64 {
    i64::try_from(x).unwrap_or(i64::MAX)
}

fn words<const N: usize, T>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Made<Vec<T>> {
    let (words, rest) = raw.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(Fault::Bad(format!(
            "its tensor has {} bytes, not a multiple of the element's {N}",
            raw.len()
        )));
    }
    Ok(words.iter().map(|&word| read(word)).collect())
}

/// The number of IEEE 754's binary16.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

/// The number whose upper half these bits are.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}
