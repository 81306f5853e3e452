//! The header of an npy file: a Python dictionary of three entries, read and bounded.

use std::io::Read;
use std::path::Path;

use super::super::reader::io;
use super::MAGIC;
use crate::error::{Error, Result};

/// Longer headers describe no matrix.
const LIMIT: u64 = 1 << 16;

/// What a cell is stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
}

impl Kind {
    pub(super) fn size(self) -> usize {
        match self {
            Kind::I8 | Kind::U8 | Kind::Bool => 1,
            Kind::I16 | Kind::U16 => 2,
            Kind::F32 | Kind::I32 | Kind::U32 => 4,
            Kind::F64 | Kind::I64 | Kind::U64 => 8,
        }
    }
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) big_endian: bool,
    pub(super) fortran: bool,
    shape: Vec<u64>,
    /// Where the cells begin.
    pub(super) data: u64,
}

pub(super) fn fault(path: &Path, at: &str, reason: String) -> Error {
    Error::Data {
        path: path.to_owned(),
        at: at.to_owned(),
        reason,
    }
}

impl Header {
    pub(super) fn read(path: &Path, file: &mut impl Read, length: u64) -> Result<Self> {
        let bad = |reason: String| fault(path, "its header", reason);
        let cut = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                bad("the file ends within the header; save the array again".to_owned())
            }
            _ => io(path, error),
        };
        let mut start = [0; 8];
        file.read_exact(&mut start).map_err(cut)?;
        if start[..6] != *MAGIC {
            return Err(bad("expected \\x93NUMPY first".to_owned()));
        }
        let (size, before) = match start[6] {
            1 => {
                let mut size = [0; 2];
                file.read_exact(&mut size).map_err(cut)?;
                (u64::from(u16::from_le_bytes(size)), 10)
            }
            2 | 3 => {
                let mut size = [0; 4];
                file.read_exact(&mut size).map_err(cut)?;
                (u64::from(u32::from_le_bytes(size)), 12)
            }
            version => {
                return Err(bad(format!(
                    "version {version} of the format; versions 1 to 3 are read"
                )));
            }
        };
        if size > LIMIT || before + size > length {
            return Err(bad(format!(
                "a header of {size} bytes in a file of {length}; expected a header within the \
                 file, {LIMIT} bytes at most"
            )));
        }
        let mut text = vec![0; size as usize];
        file.read_exact(&mut text).map_err(cut)?;
        let entries = Entries::parse(&text).map_err(|reason| bad(reason.to_owned()))?;
        let (kind, big_endian) = kind(&entries.descr).map_err(bad)?;
        Ok(Self {
            kind,
            big_endian,
            fortran: entries.fortran,
            shape: entries.shape,
            data: before + size,
        })
    }

    /// Rows and columns, whose cells fill the file to its end.
    pub(super) fn matrix(&self, path: &Path, length: u64) -> Result<(u64, usize)> {
        let bad = |reason: String| fault(path, "its shape", reason);
        let shape = self.shape.iter().map(u64::to_string).collect::<Vec<_>>();
        let [rows, columns] = self.shape[..] else {
            return Err(bad(format!(
                "{} dimensions ({}); expected 2, rows and columns; reshape a single row with \
                 x.reshape(1, -1), a single column with x.reshape(-1, 1)",
                shape.len(),
                shape.join(", ")
            )));
        };
        let held = length - self.data;
        let needed = rows
            .checked_mul(columns)
            .and_then(|cells| cells.checked_mul(self.kind.size() as u64));
        if needed != Some(held) {
            return Err(bad(format!(
                "({}) needs {} bytes of cells, the file holds {held}; save one whole array per file",
                shape.join(", "),
                needed.map_or("more than 2^64".to_owned(), |needed| needed.to_string())
            )));
        }
        // Without rows, the size of the file bounds nothing.
        match usize::try_from(columns) {
            Ok(columns) if rows > 0 || columns <= 1 << 20 => Ok((rows, columns)),
            _ => Err(bad(format!(
                "({}) has no rows and too many columns",
                shape.join(", ")
            ))),
        }
    }
}

fn kind(descr: &str) -> Result<(Kind, bool), String> {
    let (order, code) = descr.split_at_checked(1).unwrap_or(("", descr));
    let kind = match code {
        "f4" => Some(Kind::F32),
        "f8" => Some(Kind::F64),
        "i1" => Some(Kind::I8),
        "i2" => Some(Kind::I16),
        "i4" => Some(Kind::I32),
        "i8" => Some(Kind::I64),
        "u1" => Some(Kind::U8),
        "u2" => Some(Kind::U16),
        "u4" => Some(Kind::U32),
        "u8" => Some(Kind::U64),
        "b1" => Some(Kind::Bool),
        _ => None,
    };
    match (kind, order) {
        (Some(kind), "<" | "|") => Ok((kind, false)),
        (Some(kind), ">") => Ok((kind, true)),
        (Some(kind), "=") => Ok((kind, cfg!(target_endian = "big"))),
        _ => Err(format!(
            "cells of dtype {}; expected float32, float64, an integer or bool; convert with \
             x.astype(\"float64\"), or save a table of several types as CSV or Parquet",
            super::super::name::shown(descr)
        )),
    }
}

/// The three entries of the dictionary.
struct Entries {
    descr: String,
    fortran: bool,
    shape: Vec<u64>,
}

impl Entries {
    fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let mut cursor = Cursor { text, at: 0 };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        cursor.take(b'{')?;
        while !cursor.skip(b'}') {
            let key = cursor.string()?;
            cursor.take(b':')?;
            let repeated = match key.as_str() {
                "descr" => descr.replace(cursor.dtype()?).is_some(),
                "fortran_order" => fortran.replace(cursor.boolean()?).is_some(),
                "shape" => shape.replace(cursor.shape()?).is_some(),
                _ => return Err("an entry other than descr, fortran_order and shape"),
            };
            if repeated {
                return Err("an entry that stands twice");
            }
            if !cursor.skip(b',') && cursor.peek() != Some(b'}') {
                return Err("expected a comma or } after an entry");
            }
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Self {
                descr,
                fortran,
                shape,
            }),
            _ => Err("expected the entries descr, fortran_order and shape"),
        }
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn take(&mut self, byte: u8) -> Result<(), &'static str> {
        if self.skip(byte) {
            Ok(())
        } else {
            Err("expected a Python dictionary of descr, fortran_order and shape")
        }
    }

    fn word(&mut self) -> &[u8] {
        self.peek();
        let begin = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(u8::is_ascii_alphanumeric)
        {
            self.at += 1;
        }
        &self.text[begin..self.at]
    }

    fn string(&mut self) -> Result<String, &'static str> {
        let Some(quote @ (b'\'' | b'"')) = self.peek() else {
            return Err("expected a quoted string");
        };
        let begin = self.at + 1;
        let length = self.text[begin..].iter().position(|&byte| byte == quote);
        let end = begin + length.ok_or("a string without its closing quote")?;
        self.at = end + 1;
        Ok(String::from_utf8_lossy(&self.text[begin..end]).into_owned())
    }

    fn dtype(&mut self) -> Result<String, &'static str> {
        if self.peek() == Some(b'[') {
            return Err("a structured array; save its columns as CSV or Parquet");
        }
        self.string()
    }

    fn boolean(&mut self) -> Result<bool, &'static str> {
        match self.word() {
            b"True" => Ok(true),
            b"False" => Ok(false),
            _ => Err("expected fortran_order to be True or False"),
        }
    }

    fn shape(&mut self) -> Result<Vec<u64>, &'static str> {
        let mut shape = Vec::new();
        self.take(b'(')?;
        while !self.skip(b')') {
            let digits = std::str::from_utf8(self.word()).unwrap_or_default();
            // Python 2 wrote long integers as 10L.
            let digits = digits.strip_suffix('L').unwrap_or(digits);
            match digits.parse() {
                Ok(size) if shape.len() < 32 => shape.push(size),
                _ => return Err("expected shape to be a tuple of up to 32 sizes"),
            }
            if !self.skip(b',') && self.peek() != Some(b')') {
                return Err("expected a comma or ) after a size");
            }
        }
        Ok(shape)
    }
}
