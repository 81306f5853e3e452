//! The part of ONNX's protobuf messages that the loaders need. Fields that are not listed are skipped. Subgraphs nest
//! as deep as prost's limit of 100 messages lets them.

use prost::Message;

/// ONNX's numbers for element types.
pub(super) const FLOAT: i32 = 1;
pub(super) const UINT8: i32 = 2;
pub(super) const INT8: i32 = 3;
pub(super) const UINT16: i32 = 4;
pub(super) const INT16: i32 = 5;
pub(super) const INT32: i32 = 6;
pub(super) const INT64: i32 = 7;
pub(super) const STRING: i32 = 8;
pub(super) const BOOL: i32 = 9;
pub(super) const FLOAT16: i32 = 10;
pub(super) const DOUBLE: i32 = 11;
pub(super) const UINT32: i32 = 12;
pub(super) const UINT64: i32 = 13;
pub(super) const BFLOAT16: i32 = 16;

/// `TensorProto.DataLocation.EXTERNAL`.
pub(super) const EXTERNAL: i32 = 1;

#[derive(Clone, PartialEq, Message)]
pub(super) struct ModelMessage {
    #[prost(int64, tag = "1")]
    pub(super) ir_version: i64,
    #[prost(message, optional, tag = "7")]
    pub(super) graph: Option<GraphMessage>,
    #[prost(message, repeated, tag = "8")]
    pub(super) opset: Vec<OpsetMessage>,
    #[prost(message, repeated, tag = "25")]
    pub(super) function: Vec<FunctionMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OpsetMessage {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FunctionMessage {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, repeated, tag = "4")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    pub(super) output: Vec<String>,
    #[prost(message, repeated, tag = "7")]
    pub(super) node: Vec<NodeMessage>,
    #[prost(message, repeated, tag = "9")]
    pub(super) opset: Vec<OpsetMessage>,
    #[prost(string, tag = "10")]
    pub(super) domain: String,
    /// Attributes that have a default.
    #[prost(message, repeated, tag = "11")]
    pub(super) default: Vec<AttributeMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GraphMessage {
    #[prost(message, repeated, tag = "1")]
    pub(super) node: Vec<NodeMessage>,
    #[prost(message, repeated, tag = "5")]
    pub(super) initializer: Vec<TensorMessage>,
    #[prost(message, repeated, tag = "11")]
    pub(super) input: Vec<ValueMessage>,
    #[prost(message, repeated, tag = "12")]
    pub(super) output: Vec<ValueMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeMessage {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub(super) attribute: Vec<AttributeMessage>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AttributeMessage {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(float, tag = "2")]
    pub(super) f: f32,
    #[prost(int64, tag = "3")]
    pub(super) i: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) s: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    pub(super) t: Option<TensorMessage>,
    #[prost(message, optional, boxed, tag = "6")]
    pub(super) graph: Option<Box<GraphMessage>>,
    #[prost(float, repeated, tag = "7")]
    pub(super) floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub(super) ints: Vec<i64>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub(super) strings: Vec<Vec<u8>>,
    /// In a function: the attribute of its caller that this one is.
    #[prost(string, tag = "21")]
    pub(super) caller: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorMessage {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub(super) float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32_data: Vec<i32>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub(super) string_data: Vec<Vec<u8>>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub(super) raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub(super) double_data: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    pub(super) uint64_data: Vec<u64>,
    #[prost(message, repeated, tag = "13")]
    pub(super) external: Vec<EntryMessage>,
    #[prost(int32, tag = "14")]
    pub(super) data_location: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EntryMessage {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueMessage {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) kind: Option<TypeMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor: Option<TensorTypeMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorTypeMessage {
    #[prost(int32, tag = "1")]
    pub(super) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<ShapeMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ShapeMessage {
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<DimensionMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct DimensionMessage {
    /// 0 where it is not fixed.
    #[prost(int64, tag = "1")]
    pub(super) value: i64,
    /// The name of a size that is not fixed; it may have none.
    #[prost(string, tag = "2")]
    pub(super) symbol: String,
}

impl NodeMessage {
    /// How messages call this node.
    pub(super) fn title(&self) -> String {
        let name = match (self.name.as_str(), self.output.first()) {
            ("", Some(output)) => output,
            (name, _) => name,
        };
        format!("node \"{name}\" ({})", self.op_type)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&AttributeMessage> {
        self.attribute.iter().find(|a| a.name == name)
    }

    /// An attribute that is a list of integers; empty where it is absent.
    pub(super) fn ints(&self, name: &str) -> &[i64] {
        self.attribute(name).map_or(&[], |a| &a.ints)
    }

    /// An attribute that is a list of float32; empty where it is absent.
    pub(super) fn floats(&self, name: &str) -> &[f32] {
        self.attribute(name).map_or(&[], |a| &a.floats)
    }

    /// An attribute that is a list of strings; empty where it is absent.
    pub(super) fn strings(&self, name: &str) -> &[Vec<u8>] {
        self.attribute(name).map_or(&[], |a| &a.strings)
    }

    /// An attribute that is an integer.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.attribute(name).map(|a| a.i)
    }

    /// An attribute that is a float32.
    pub(super) fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name).map(|a| a.f)
    }

    /// An attribute that is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.attribute(name)
            .map(|a| String::from_utf8_lossy(&a.s).into_owned())
    }

    /// An attribute that is a tensor.
    pub(super) fn tensor(&self, name: &str) -> Option<&TensorMessage> {
        self.attribute(name).and_then(|a| a.t.as_ref())
    }
}

impl TensorMessage {
    /// Whether its elements are in the file, of a type that [`TensorMessage::numbers`] reads.
    pub(super) fn is_here_as_numbers(&self) -> bool {
        let types = [FLOAT, DOUBLE, UINT8, INT8, INT32, INT64];
        self.data_location != EXTERNAL && types.contains(&self.data_type)
    }

    /// The elements, widened to float64, whichever of its fields the file keeps them in.
    pub(super) fn numbers(&self) -> Result<Vec<f64>, String> {
        if self.data_location == EXTERNAL {
            return Err(
                "its tensor is kept in another file; save the model with its data inside"
                    .to_owned(),
            );
        }
        let raw = &self.raw_data;
        let stored: Vec<f64> = match self.data_type {
            FLOAT if raw.is_empty() => self.float_data.iter().map(|&v| v.into()).collect(),
            FLOAT => words(raw, |b| f32::from_le_bytes(b).into())?,
            DOUBLE if raw.is_empty() => self.double_data.clone(),
            DOUBLE => words(raw, f64::from_le_bytes)?,
            UINT8 | INT8 | INT32 if raw.is_empty() => {
                self.int32_data.iter().map(|&v| v.into()).collect()
            }
            UINT8 => words(raw, |[b]: [u8; 1]| b.into())?,
            INT8 => words(raw, |b| i8::from_le_bytes(b).into())?,
            INT32 => words(raw, |b| i32::from_le_bytes(b).into())?,
            INT64 if raw.is_empty() => self.int64_data.iter().map(|&v| v as f64).collect(),
            INT64 => words(raw, |b| i64::from_le_bytes(b) as f64)?,
            other => {
                return Err(format!(
                    "its tensor has element type {other}; expected float, double or an integer"
                ));
            }
        };
        let wanted = self.dims.iter().try_fold(1_i64, |n, &d| n.checked_mul(d));
        if wanted != i64::try_from(stored.len()).ok() {
            return Err(format!(
                "its tensor has shape {:?} but {} elements",
                self.dims,
                stored.len()
            ));
        }
        Ok(stored)
    }
}

fn words<const N: usize>(raw: &[u8], read: impl Fn([u8; N]) -> f64) -> Result<Vec<f64>, String> {
    let (words, rest) = raw.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!(
            "its tensor has {} bytes, not a multiple of the element's {N}",
            raw.len()
        ));
    }
    Ok(words.iter().map(|&word| read(word)).collect())
}
