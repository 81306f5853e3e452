//! XGBoost's dialect of JSON. Two things set it apart: `NaN` and `Infinity` are numbers (unused
//! thresholds of leaves are written so), and a fraction is the shortest text of a float32, which
//! must be read as one: by way of a float64 it is rounded twice.

use super::document::{MAX_DEPTH, Value};

/// A fault and the byte where it is.
type Parsed<T> = Result<T, (usize, String)>;

/// The document that `bytes` hold.
pub(super) fn parse(bytes: &[u8]) -> Parsed<Value> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(MAX_DEPTH)?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => reader.fail("more text after the end of the document"),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn fail<T>(&self, reason: impl Into<String>) -> Parsed<T> {
        Err((self.at, reason.into()))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The next byte that is no space, which must be there.
    fn next(&mut self, wanted: &str) -> Parsed<u8> {
        self.space();
        match self.peek() {
            Some(byte) => Ok(byte),
            None => self.fail(format!("the file ends where {wanted} should be")),
        }
    }

    fn take(&mut self, byte: u8) -> Parsed<()> {
        let wanted = format!("'{}'", char::from(byte));
        if self.next(&wanted)? != byte {
            return self.fail(format!("expected {wanted}"));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Parsed<Value> {
        if depth == 0 {
            return self.fail(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        match self.next("a value")? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => Ok(Value::Text(self.text()?)),
            b'-' | b'+' | b'0'..=b'9' | b'N' | b'I' => self.number(),
            _ => {
                for (word, value) in [
                    (&b"true"[..], Value::Int(1)),
                    (b"false", Value::Int(0)),
                    (b"null", Value::Null),
                ] {
                    if self.bytes[self.at..].starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                self.fail("expected a value")
            }
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Value> {
        self.take(b'{')?;
        let mut fields = Vec::new();
        if self.next("a key")? == b'}' {
            self.at += 1;
            return Ok(Value::Object(fields));
        }
        loop {
            if self.next("a key")? != b'"' {
                return self.fail("expected a key in quotation marks");
            }
            let key = self.text()?;
            self.take(b':')?;
            fields.push((key, self.value(depth - 1)?));
            match self.next("',' or '}'")? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return self.fail("expected ',' or '}'"),
            }
        }
        self.at += 1;
        Ok(Value::Object(fields))
    }

    fn array(&mut self, depth: usize) -> Parsed<Value> {
        self.take(b'[')?;
        let mut list = Value::Array(Vec::new());
        if self.next("a value")? == b']' {
            self.at += 1;
            return Ok(list);
        }
        loop {
            list.push(self.value(depth - 1)?);
            match self.next("',' or ']'")? {
                b',' => self.at += 1,
                b']' => break,
                _ => return self.fail("expected ',' or ']'"),
            }
        }
        self.at += 1;
        Ok(list)
    }

    fn number(&mut self) -> Parsed<Value> {
        for (word, value) in [
            (&b"NaN"[..], f32::NAN),
            (b"Infinity", f32::INFINITY),
            (b"-Infinity", f32::NEG_INFINITY),
        ] {
            if self.bytes[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(Value::Float(value));
            }
        }
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let token = std::str::from_utf8(&rest[..length]).unwrap_or_default();
        let value = match token.parse::<i64>() {
            Ok(value) => Some(Value::Int(value)),
            Err(_) => token.parse::<f32>().ok().map(Value::Float),
        };
        match value {
            Some(value) => {
                self.at += length;
                Ok(value)
            }
            None => self.fail("expected a number"),
        }
    }

    /// A string; the reader is at its opening quotation mark.
    fn text(&mut self) -> Parsed<String> {
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let rest = &self.bytes[self.at..];
            let Some(length) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
                return self.fail("the string has no end");
            };
            text.extend_from_slice(&rest[..length]);
            self.at += length + 1;
            if rest[length] == b'"' {
                break;
            }
            let mut utf8 = [0; 4];
            text.extend_from_slice(self.escape()?.encode_utf8(&mut utf8).as_bytes());
        }
        match String::from_utf8(text) {
            Ok(text) => Ok(text),
            Err(_) => self.fail("the string that ends here is not UTF-8"),
        }
    }

    /// The character that an escape stands for; the reader is after the backslash.
    fn escape(&mut self) -> Parsed<char> {
        let Some(byte) = self.peek() else {
            return self.fail("the string has no end");
        };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.unit()?;
                // A character beyond 16 bits is written as two escapes, one after the other.
                let code = if (0xd800..0xdc00).contains(&high)
                    && self.bytes[self.at..].starts_with(b"\\u")
                {
                    self.at += 2;
                    let low = self.unit()?.wrapping_sub(0xdc00) & 0x3ff;
                    0x10000 + ((high - 0xd800) << 10) + low
                } else {
                    high
                };
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return self.fail("unknown escape in a string"),
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Parsed<u32> {
        let digits = self.bytes.get(self.at..self.at + 4);
        let unit = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match unit {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => self.fail("\\u without four hexadecimal digits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Value, parse};

    #[test]
    fn fractions_are_rounded_once_to_float32() {
        // Just above the midpoint of two floats, too little for a float64 to tell: by way of one
        // it would become the midpoint, and that is rounded to even, downward.
        let text = "1.00000005960464478";
        let midpoint = f64::from(1.0_f32.next_up()).midpoint(1.0);
        let twice = text.parse::<f64>().unwrap();
        assert_eq!(twice.to_bits(), midpoint.to_bits());
        assert_eq!((twice as f32).to_bits(), 1.0_f32.to_bits());
        assert_eq!(
            parse(text.as_bytes()).unwrap(),
            Value::Float(1.0_f32.next_up())
        );
    }

    #[test]
    fn numbers_that_json_lacks_are_read() {
        let Value::Floats(list) = parse(b"[NaN, -Infinity, Infinity, 5E-1, 2]").unwrap() else {
            panic!("not a list of numbers");
        };
        assert!(list[0].is_nan());
        assert_eq!(list[1..], [f32::NEG_INFINITY, f32::INFINITY, 0.5, 2.0]);
    }

    #[test]
    fn integers_beyond_float64_are_exact_and_booleans_are_integers() {
        assert_eq!(
            parse(b"[9007199254740993, true, false]").unwrap(),
            Value::Ints(vec![9_007_199_254_740_993, 1, 0])
        );
    }

    #[test]
    fn strings_are_unescaped() {
        let text = r#""a\"b\\c\n\u00e9 é \ud83d\ude00""#;
        assert_eq!(
            parse(text.as_bytes()).unwrap(),
            Value::Text("a\"b\\c\né é 😀".to_owned())
        );
    }

    #[test]
    fn nesting_bombs_are_refused_before_the_stack_ends() {
        for open in ["[", "{\"a\":"] {
            let (_, reason) = parse(open.repeat(1_000_000).as_bytes()).unwrap_err();
            assert!(reason.contains("nested"), "{reason}");
        }
    }

    #[test]
    fn every_fault_names_its_byte() {
        for (text, at) in [
            ("", 0),
            ("[1,", 3),
            ("[1 2]", 3),
            ("{\"a\" 1}", 5),
            ("{a:1}", 1),
            ("\"abc", 1),
            ("\"\\x\"", 3),
            ("\"\\u12\"", 3),
            ("[1]]", 3),
            ("-", 0),
            ("1e", 0),
            ("nul", 0),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err().0, at, "{text}");
        }
    }
}
