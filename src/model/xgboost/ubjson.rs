//! The part of UBJSON that XGBoost writes: big-endian scalars, strings, objects, plain and counted
//! arrays, and typed arrays of numbers.

use super::document::{MAX_DEPTH, Value};

/// A fault and the byte where it is.
type Parsed<T> = Result<T, (usize, String)>;

/// The document that `bytes` hold.
pub(super) fn parse(bytes: &[u8]) -> Parsed<Value> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(MAX_DEPTH)?;
    if reader.at != bytes.len() {
        return reader.fail("more bytes after the end of the document");
    }
    Ok(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, reason: impl Into<String>) -> Parsed<T> {
        Err((self.at, reason.into()))
    }

    fn peek(&self) -> Parsed<u8> {
        match self.bytes.get(self.at) {
            Some(&byte) => Ok(byte),
            None => self.fail("the file ends inside a value"),
        }
    }

    fn marker(&mut self) -> Parsed<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    /// The next `length` bytes; checked against the file's size before anything is allocated.
    fn slice(&mut self, length: usize) -> Parsed<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        match rest.get(..length) {
            Some(slice) => {
                self.at += length;
                Ok(slice)
            }
            None => self.fail(format!(
                "{length} bytes expected, but the file ends after {}",
                rest.len()
            )),
        }
    }

    fn fixed<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.slice(N)?);
        Ok(bytes)
    }

    /// An integer behind its marker.
    fn integer(&mut self, marker: u8) -> Parsed<i64> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.fixed()?)),
            b'U' | b'C' => i64::from(u8::from_be_bytes(self.fixed()?)),
            b'I' => i64::from(i16::from_be_bytes(self.fixed()?)),
            b'l' => i64::from(i32::from_be_bytes(self.fixed()?)),
            b'L' => i64::from_be_bytes(self.fixed()?),
            _ => {
                self.at -= 1;
                return self.fail("expected an integer");
            }
        })
    }

    /// The length of a string or of an array.
    fn length(&mut self) -> Parsed<usize> {
        let at = self.at;
        let marker = self.marker()?;
        let length = self.integer(marker)?;
        match usize::try_from(length) {
            Ok(length) => Ok(length),
            Err(_) => Err((at, format!("a length of {length}"))),
        }
    }

    fn text(&mut self) -> Parsed<String> {
        let length = self.length()?;
        let at = self.at;
        let bytes = self.slice(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err((at, "the string is not UTF-8".to_owned())),
        }
    }

    fn value(&mut self, depth: usize) -> Parsed<Value> {
        if depth == 0 {
            return self.fail(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        match self.marker()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'S' => Ok(Value::Text(self.text()?)),
            b'Z' => Ok(Value::Null),
            b'T' => Ok(Value::Int(1)),
            b'F' => Ok(Value::Int(0)),
            b'd' => Ok(Value::Float(f32::from_be_bytes(self.fixed()?))),
            b'D' => Ok(Value::Float(f64::from_be_bytes(self.fixed()?) as f32)),
            marker @ (b'i' | b'U' | b'C' | b'I' | b'l' | b'L') => {
                Ok(Value::Int(self.integer(marker)?))
            }
            marker => {
                self.at -= 1;
                self.fail(format!("0x{marker:02x} marks no value"))
            }
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Value> {
        let mut fields = Vec::new();
        while self.peek()? != b'}' {
            let key = self.text()?;
            fields.push((key, self.value(depth - 1)?));
        }
        self.at += 1;
        Ok(Value::Object(fields))
    }

    fn array(&mut self, depth: usize) -> Parsed<Value> {
        let mut list = Value::Array(Vec::new());
        match self.peek()? {
            b'$' => {
                self.at += 1;
                return self.typed_array();
            }
            b'#' => {
                self.at += 1;
                // Each element takes a byte at least, so a false count ends with the file.
                for _ in 0..self.length()? {
                    list.push(self.value(depth - 1)?);
                }
            }
            _ => {
                while self.peek()? != b']' {
                    list.push(self.value(depth - 1)?);
                }
                self.at += 1;
            }
        }
        Ok(list)
    }

    /// An array whose elements have one type; the reader is after the `$`.
    fn typed_array(&mut self) -> Parsed<Value> {
        let marker = self.marker()?;
        let size = match marker {
            b'i' | b'U' => 1,
            b'I' => 2,
            b'l' | b'd' => 4,
            b'L' | b'D' => 8,
            _ => {
                self.at -= 1;
                return self.fail(format!("0x{marker:02x} marks no type of numbers"));
            }
        };
        if self.marker()? != b'#' {
            self.at -= 1;
            return self.fail("a typed array without a length");
        }
        let length = self.length()?;
        let bytes = self.slice(length.saturating_mul(size))?;
        Ok(match marker {
            b'd' => Value::Floats(each(bytes, f32::from_be_bytes)),
            b'D' => Value::Floats(each(bytes, |cell| f64::from_be_bytes(cell) as f32)),
            b'i' => Value::Ints(each(bytes, |cell| i64::from(i8::from_be_bytes(cell)))),
            b'U' => Value::Ints(each(bytes, |cell| i64::from(u8::from_be_bytes(cell)))),
            b'I' => Value::Ints(each(bytes, |cell| i64::from(i16::from_be_bytes(cell)))),
            b'l' => Value::Ints(each(bytes, |cell| i64::from(i32::from_be_bytes(cell)))),
            _ => Value::Ints(each(bytes, i64::from_be_bytes)),
        })
    }
}

/// `read` of every cell of `N` bytes.
fn each<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (cells, _) = bytes.as_chunks::<N>();
    cells.iter().map(|cell| read(*cell)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Value, parse};

    #[test]
    fn every_type_of_number_is_read_big_endian() {
        let bytes = b"[i\xffU\xffI\xff\xfel\xff\xff\xff\xfdL\xff\xff\xff\xff\xff\xff\xff\xfcT]";
        assert_eq!(
            parse(bytes).unwrap(),
            Value::Ints(vec![-1, 255, -2, -3, -4, 1])
        );
        let bytes = b"[$d#L\0\0\0\0\0\0\0\x02\x3f\x80\0\0\x7f\xc0\0\0";
        let Value::Floats(list) = parse(bytes).unwrap() else {
            panic!("not a list of numbers");
        };
        assert_eq!(list[0].to_bits(), 1.0_f32.to_bits());
        assert!(list[1].is_nan());
        assert_eq!(
            parse(b"[$I#i\x02\x01\x00\xff\xff").unwrap(),
            Value::Ints(vec![256, -1])
        );
    }

    #[test]
    fn objects_and_counted_arrays_are_read() {
        assert_eq!(
            parse(b"{i\x01a[#i\x02SU\x01xZi\x01b{}}").unwrap(),
            Value::Object(vec![
                (
                    "a".to_owned(),
                    Value::Array(vec![Value::Text("x".to_owned()), Value::Null])
                ),
                ("b".to_owned(), Value::Object(vec![])),
            ])
        );
    }

    #[test]
    fn lengths_are_checked_against_the_file_before_memory_is_taken() {
        for bytes in [
            &b"[$L#L\x7f\xff\xff\xff\xff\xff\xff\xff"[..],
            b"[$L#L\x20\0\0\0\0\0\0\x01",
            b"[#L\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"SL\x7f\xff\xff\xff\xff\xff\xff\xff",
            b"[$U#i\xff",
            b"Si\xff",
        ] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn nesting_bombs_are_refused_before_the_stack_ends() {
        for open in [&b"["[..], b"{i\x01a", b"[#i\x01"] {
            let (_, reason) = parse(&open.repeat(1_000_000)).unwrap_err();
            assert!(reason.contains("nested"), "{reason}");
        }
    }

    #[test]
    fn unknown_markers_and_trailing_bytes_are_refused() {
        assert_eq!(parse(b"[H]").unwrap_err().0, 1);
        assert_eq!(parse(b"[$Z#i\x01").unwrap_err().0, 2);
        assert_eq!(parse(b"[]]").unwrap_err().0, 2);
        assert_eq!(parse(b"").unwrap_err().0, 0);
    }
}
