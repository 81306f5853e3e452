//! Compares the values that two devices give for the same rows, and refuses to be fooled.

/// What one device computed: (row, cell).
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) device: String,
    pub(crate) width: usize,
    pub(crate) values: Vec<f64>,
}

/// Values below this count as this: a row of zeros agrees with one of rounding errors.
const FLOOR: f64 = 1e-3;

/// The largest difference, in units of its row's largest |value|; an error names the worst cell
/// if it exceeds `tolerance`, and every reason why the comparison would mean nothing.
pub(crate) fn agree(a: &Output, b: &Output, tolerance: f64) -> Result<f64, String> {
    if a.device == b.device {
        return Err(format!("both outputs are from {}", a.device));
    }
    if a.width != b.width || a.values.len() != b.values.len() || a.values.is_empty() {
        return Err(format!(
            "{} has {} values in rows of {}, {} has {} in rows of {}",
            a.device,
            a.values.len(),
            a.width,
            b.device,
            b.values.len(),
            b.width
        ));
    }
    let mut worst = 0.0;
    let rows = a.values.chunks(a.width).zip(b.values.chunks(b.width));
    for (row, (x, y)) in rows.enumerate() {
        let scale = x.iter().fold(FLOOR, |scale, v| scale.max(v.abs()));
        for (cell, (x, y)) in x.iter().zip(y).enumerate() {
            let difference = (x - y).abs() / scale;
            // NaN exceeds nothing.
            if difference.is_nan() || difference > tolerance {
                return Err(format!(
                    "row {row}, cell {cell}: {x} on {}, {y} on {}, {difference:e} of the row's \
                     largest",
                    a.device, b.device
                ));
            }
            worst = f64::max(worst, difference);
        }
    }
    Ok(worst)
}

fn outputs() -> (Output, Output) {
    let values: Vec<f64> = (0..12).map(|i| f64::from(i) * 0.25 - 1.0).collect();
    let output = |device: &str| Output {
        device: device.to_owned(),
        width: 3,
        values: values.clone(),
    };
    (output("one"), output("other"))
}

#[test]
fn equal_outputs_of_two_devices_agree() {
    let (a, b) = outputs();
    assert_eq!(agree(&a, &b, 1e-5), Ok(0.0));
}

#[test]
fn a_wrong_value_is_refused() {
    for cell in 0..12 {
        let (a, mut b) = outputs();
        b.values[cell] += 1e-4 * 2.0;
        assert!(agree(&a, &b, 1e-5).is_err(), "cell {cell}");
    }
}

#[test]
fn swapped_columns_are_refused() {
    let (a, mut b) = outputs();
    for row in b.values.chunks_mut(3) {
        row.swap(0, 1);
    }
    assert!(agree(&a, &b, 1e-5).is_err());
}

#[test]
fn a_nan_is_refused_on_either_side() {
    let (a, mut b) = outputs();
    b.values[7] = f64::NAN;
    assert!(agree(&a, &b, 1e-5).is_err());
    assert!(agree(&b, &a, 1e-5).is_err());
}

#[test]
fn a_short_buffer_is_refused() {
    let (a, mut b) = outputs();
    b.values.truncate(9);
    assert!(agree(&a, &b, 1e-5).is_err());
    let nothing = |output: &Output| Output {
        values: Vec::new(),
        ..output.clone()
    };
    assert!(agree(&nothing(&a), &nothing(&b), 1e-5).is_err());
}

#[test]
fn two_outputs_of_one_device_are_refused() {
    let (a, _) = outputs();
    assert!(agree(&a, &a.clone(), 1e-5).is_err());
}
