use super::*;

fn header(text: &str) -> Result<Header> {
    let mut file = MAGIC.to_vec();
    file.extend([1, 0]);
    file.extend((text.len() as u16).to_le_bytes());
    file.extend(text.as_bytes());
    let length = file.len() as u64;
    Header::read(Path::new("x.npy"), &mut file.as_slice(), length)
}

#[test]
fn a_header_is_read_in_any_order_and_spacing() {
    let text = "{ 'shape':(3 ,4L,), \"fortran_order\" : True,'descr':'>i2' }   \n";
    let header = header(text).unwrap();
    assert_eq!(header.kind, Kind::I16);
    assert!(header.big_endian && header.fortran);
    let length = header.data + 24;
    assert_eq!(header.matrix(Path::new("x.npy"), length).unwrap(), (3, 4));
}

#[test]
fn hostile_headers_are_errors() {
    let texts = [
        "",
        "{",
        "{}",
        "{'descr': '<f8'}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2)",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, -2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 2), }",
        "{'descr': '<f8', 'fortran_order': 1, 'shape': (1, 2), }",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1, 2), }",
        "{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2), }",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1, 2), }",
        "{'descr': 'é8', 'fortran_order': False, 'shape': (1, 2), }",
        "{'descr': '<f8, 'fortran_order': False, 'shape': (1, 2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1 2), }",
        "{'other': '<f8', 'fortran_order': False, 'shape': (1, 2), }",
    ];
    for text in texts {
        assert!(header(text).is_err(), "{text}");
    }
}

#[test]
fn a_shape_that_overflows_or_outgrows_the_file_is_an_error() {
    for shape in [
        "(4294967296, 4294967296)",
        "(18446744073709551615, 2)",
        "(2305843009213693952, 1)",
        "(3, 1)",
        "(1, 1)",
        "(2,)",
        "()",
        "(1, 2, 1)",
        "(0, 9000000000)",
    ] {
        let text = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        let header = header(&text).unwrap();
        let length = header.data + if shape.starts_with("(0") { 0 } else { 16 };
        assert!(
            header.matrix(Path::new("x.npy"), length).is_err(),
            "{shape}"
        );
    }
}
