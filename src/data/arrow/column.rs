//! One Arrow array as one column: numbers as floats, strings as labels, nulls as missing.

use std::collections::HashMap;

use ::arrow::array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use ::arrow::array::{Array, ArrayRef, AsArray};
use ::arrow::compute::cast;
use ::arrow::datatypes::{DataType, Field};

use crate::data::{Column, name};
use crate::error::{Error, Result};

/// Integers beyond ± this are not all float64 numbers.
const EXACT: u64 = 1 << 53;
/// 10 to this power is a float64 number.
const EXACT_POWER: i8 = 22;

/// A cell that its column cannot hold.
pub(super) struct Bad {
    /// The row of the array, from 0.
    pub(super) row: usize,
    pub(super) reason: String,
}

/// Refuses types that are neither numbers nor strings.
pub(super) fn check(field: &Field) -> Result<()> {
    let plain = |data_type: &DataType| {
        data_type.is_numeric() || data_type.is_string() || *data_type == DataType::Boolean
    };
    let readable = match field.data_type() {
        DataType::Null => true,
        DataType::Dictionary(_, values) => plain(values),
        data_type => plain(data_type),
    };
    if readable {
        return Ok(());
    }
    Err(Error::Unsupported {
        what: format!(
            "column {} of type {}",
            name::shown(field.name()),
            name::shown(&field.data_type().to_string())
        ),
        by: "the table reader".to_owned(),
        instead: format!(
            "store it as numbers, booleans or strings, or leave it out with --drop {}",
            name::shown(field.name())
        ),
    })
}

/// Converts an array of a type that [`check`] lets pass.
pub(super) fn convert(array: &ArrayRef) -> Result<Column, Bad> {
    Ok(match array.data_type() {
        DataType::Float32 => Column::F32(numbers::<Float32Type, f32>(array, |cell| cell, f32::NAN)),
        DataType::Float64 => Column::F64(floats::<Float64Type>(array, |cell| cell)),
        DataType::Float16 => Column::F64(floats::<Float16Type>(array, f64::from)),
        DataType::Int8 => Column::F64(floats::<Int8Type>(array, f64::from)),
        DataType::Int16 => Column::F64(floats::<Int16Type>(array, f64::from)),
        DataType::Int32 => Column::F64(floats::<Int32Type>(array, f64::from)),
        DataType::UInt8 => Column::F64(floats::<UInt8Type>(array, f64::from)),
        DataType::UInt16 => Column::F64(floats::<UInt16Type>(array, f64::from)),
        DataType::UInt32 => Column::F64(floats::<UInt32Type>(array, f64::from)),
        DataType::Int64 => {
            refuse_large::<Int64Type>(array, i64::unsigned_abs)?;
            Column::F64(floats::<Int64Type>(array, |cell| cell as f64))
        }
        DataType::UInt64 => {
            refuse_large::<UInt64Type>(array, |cell| cell)?;
            Column::F64(floats::<UInt64Type>(array, |cell| cell as f64))
        }
        DataType::Decimal32(_, scale) => decimals::<Decimal32Type>(array, *scale),
        DataType::Decimal64(_, scale) => decimals::<Decimal64Type>(array, *scale),
        DataType::Decimal128(_, scale) => decimals::<Decimal128Type>(array, *scale),
        DataType::Decimal256(_, scale) => decimals::<Decimal256Type>(array, *scale),
        DataType::Boolean => Column::F64(
            (array.as_boolean().iter())
                .map(|cell| cell.map_or(f64::NAN, |cell| f64::from(u8::from(cell))))
                .collect(),
        ),
        DataType::Null => Column::F64(vec![f64::NAN; array.len()]),
        DataType::Utf8 => strings(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => strings(array.as_string::<i64>().iter()),
        DataType::Utf8View => strings(array.as_string_view().iter()),
        DataType::Dictionary(_, _) => return dictionary(array),
        other => return Err(unreadable(&other.to_string())),
    })
}

fn unreadable(what: &str) -> Bad {
    Bad {
        row: 0,
        reason: format!("{what} cannot be read; store the column as numbers or strings"),
    }
}

fn numbers<T: ArrowPrimitiveType, N: Copy>(
    array: &ArrayRef,
    number: impl Fn(T::Native) -> N,
    missing: N,
) -> Vec<N> {
    let array = array.as_primitive::<T>();
    if array.null_count() == 0 {
        return array.values().iter().map(|&cell| number(cell)).collect();
    }
    let cells = array.iter();
    cells.map(|cell| cell.map_or(missing, &number)).collect()
}

fn floats<T: ArrowPrimitiveType>(array: &ArrayRef, number: impl Fn(T::Native) -> f64) -> Vec<f64> {
    numbers::<T, f64>(array, number, f64::NAN)
}

fn refuse_large<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    size: impl Fn(T::Native) -> u64,
) -> Result<(), Bad> {
    let array = array.as_primitive::<T>();
    let large = |(row, &cell): (usize, &T::Native)| size(cell) > EXACT && array.is_valid(row);
    match array.values().iter().enumerate().position(large) {
        None => Ok(()),
        Some(row) => Err(Bad {
            row,
            reason: "the integer lies beyond ±2^53, where float64 skips integers; store the \
                     column as float64 if that is precise enough"
                .to_owned(),
        }),
    }
}

/// The float64 numbers nearest to decimal ones.
fn decimals<T: DecimalType>(array: &ArrayRef, scale: i8) -> Column
where
    T::Native: std::fmt::Display,
{
    let power = 10f64.powi(i32::from(scale));
    Column::F64(floats::<T>(array, |cell| {
        let digits = cell.to_string();
        // One division of two exact numbers is rounded once.
        match digits.parse::<i64>() {
            Ok(whole) if whole.unsigned_abs() <= EXACT && (0..=EXACT_POWER).contains(&scale) => {
                whole as f64 / power
            }
            _ => format!("{digits}e{}", -i32::from(scale))
                .parse()
                .unwrap_or(f64::NAN),
        }
    }))
}

fn strings<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> Column {
    let mut known: HashMap<&str, i32> = HashMap::new();
    let mut labels = Vec::new();
    let codes = cells.map(|cell| match cell {
        None => -1,
        Some(label) => *known.entry(label).or_insert_with(|| {
            labels.push(label.to_owned());
            (labels.len() - 1) as i32
        }),
    });
    Column::Labels {
        codes: codes.collect(),
        labels,
    }
}

fn dictionary(array: &ArrayRef) -> Result<Column, Bad> {
    let dictionary = array.as_any_dictionary();
    let values = dictionary.values();
    let broken = |_| unreadable(&array.data_type().to_string());
    let keys = cast(dictionary.keys(), &DataType::Int64).map_err(broken)?;
    let keys = keys.as_primitive::<Int64Type>();
    let at = |key: Option<i64>| usize::try_from(key?).ok();
    Ok(match convert(values)? {
        // Two entries of a dictionary can be the same label.
        Column::Labels { codes, labels } => Column::Labels {
            codes: (keys.iter())
                .map(|key| {
                    at(key)
                        .and_then(|key| codes.get(key).copied())
                        .unwrap_or(-1)
                })
                .collect(),
            labels,
        },
        Column::F32(values) => Column::F32(
            (keys.iter())
                .map(|key| {
                    at(key)
                        .and_then(|key| values.get(key).copied())
                        .unwrap_or(f32::NAN)
                })
                .collect(),
        ),
        Column::F64(values) => Column::F64(
            (keys.iter())
                .map(|key| {
                    at(key)
                        .and_then(|key| values.get(key).copied())
                        .unwrap_or(f64::NAN)
                })
                .collect(),
        ),
    })
}
