//! Windows that slide over up to any number of axes, and what is taken of each.

use super::axes::{Taps, strides, taps};
use super::builder::{Builder, Value};
use super::call::Call;
use super::{Made, fault, unsupported};
use crate::model::network::Activation;

/// How a window lies and moves.
#[derive(Debug)]
pub(super) struct Window {
    /// Positions, by axis, as everything here.
    input: Vec<usize>,
    pub(super) kernel: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) dilations: Vec<usize>,
    /// Before the first position and behind the last.
    pub(super) pads: Vec<[i64; 2]>,
    /// `auto_pad`.
    pub(super) auto: String,
}

impl Window {
    /// Reads the attributes of a node; convolutions have their kernel in their weights.
    pub(super) fn read(call: &Call<'_>, input: &[usize], kernel: Option<&[usize]>) -> Made<Self> {
        let count = input.len();
        let own = call.sizes("kernel_shape", count, 0)?;
        let kernel = match kernel {
            Some(kernel) if own.iter().all(|&n| n == 0) || own == kernel => kernel.to_vec(),
            Some(kernel) => {
                return fault(format!("kernel_shape is {own:?}, but {kernel:?} is there"));
            }
            None => own,
        };
        let strides = call.sizes("strides", count, 1)?;
        let dilations = call.sizes("dilations", count, 1)?;
        let all = [&kernel[..], &strides, &dilations, input].concat();
        if all.iter().any(|&n| n == 0 || n >= 1 << 31) {
            return fault(format!(
                "its kernel is {kernel:?}, its strides {strides:?}, its dilations {dilations:?} over {input:?}"
            ));
        }
        let given = call.node.ints("pads");
        if !given.is_empty() && given.len() != 2 * count {
            return fault(format!("its pads are {given:?}"));
        }
        if given.iter().any(|pad| !(0..1 << 31).contains(pad)) {
            return unsupported(format!("pads of {given:?}"), "crop with Slice");
        }
        let mut window = Self {
            input: input.to_vec(),
            kernel,
            strides,
            dilations,
            pads: vec![[0, 0]; count],
            auto: call.text("auto_pad", "NOTSET"),
        };
        for axis in 0..count {
            window.pads[axis] = match window.auto.as_str() {
                "SAME_UPPER" | "SAME_LOWER" => {
                    let stride = window.strides[axis];
                    let outputs = input[axis].div_ceil(stride);
                    let reach = (outputs - 1) * stride + window.extent(axis);
                    let total = reach.saturating_sub(input[axis]) as i64;
                    let half = total / 2;
                    if window.auto == "SAME_UPPER" {
                        [half, total - half]
                    } else {
                        [total - half, half]
                    }
                }
                "VALID" => [0, 0],
                _ if given.is_empty() => [0, 0],
                _ => [given[axis], given[count + axis]],
            };
        }
        Ok(window)
    }

    /// Positions from the first of a window to its last, and one.
    pub(super) fn extent(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1).saturating_mul(self.dilations[axis]) + 1
    }

    pub(super) fn before(&self) -> Made<Vec<usize>> {
        let first = |pads: &[i64; 2]| usize::try_from(pads[0]).ok();
        let before: Option<Vec<usize>> = self.pads.iter().map(first).collect();
        before.map_or_else(|| fault("its pads are negative"), Ok)
    }

    /// How many windows there are.
    pub(super) fn outputs(&self, ceils: bool) -> Made<Vec<usize>> {
        let count = |axis: usize| -> Made<usize> {
            let [first, last] = self.pads[axis];
            let padded = self.input[axis] as i64 + first + last;
            let rest = padded - i64::try_from(self.extent(axis)).unwrap_or(i64::MAX);
            if rest < 0 {
                return fault(format!(
                    "its window of {} positions is larger than the {padded} there are",
                    self.extent(axis)
                ));
            }
            let stride = self.strides[axis] as i64;
            let mut windows = rest / stride + 1;
            if ceils && rest % stride != 0 && windows * stride < self.input[axis] as i64 + first {
                windows += 1;
            }
            Ok(windows as usize)
        };
        (0..self.input.len()).map(count).collect()
    }

    /// What the windows along an axis take: offsets of positions, with weights; `mean` divides by their number, with
    /// padding or without.
    fn taps(&self, axis: usize, outputs: usize, stride: usize, mean: Option<bool>) -> Taps {
        let (size, step) = (self.input[axis] as i64, self.dilations[axis] as i64);
        let [first, last] = self.pads[axis];
        let kernel = self.kernel[axis] as i64;
        let window = |output: usize| {
            let start = output as i64 * self.strides[axis] as i64 - first;
            // Those of the kernel's positions that lie at or behind a position.
            let from = |position: i64| {
                let rest = (position - start).max(0);
                ((rest + step - 1) / step).min(kernel)
            };
            let inside = from(0)..from(size);
            let count = match mean {
                None => 1,
                Some(true) => from(size + last),
                Some(false) => inside.end - inside.start,
            };
            let weight = 1.0 / count.max(1) as f64;
            let offset = |k: i64| ((start + k * step) as usize * stride) as u32;
            inside.map(|k| (offset(k), weight)).collect()
        };
        (0..outputs).map(window).collect()
    }

    /// The taps of all axes of `x`, the first two of which are not pooled.
    fn axes(&self, b: &mut Builder, x: &Value, ceils: bool, mean: Option<bool>) -> Made<Vec<Taps>> {
        let outputs = self.outputs(ceils)?;
        let own = strides(x.shape());
        let mut axes = taps(x.shape());
        axes.truncate(2);
        for (axis, &outputs) in outputs.iter().enumerate() {
            let most = self.kernel[axis].min(self.input[axis]);
            b.index(outputs.checked_mul(most))?;
            axes.push(self.taps(axis, outputs, own[2 + axis], mean));
        }
        Ok(axes)
    }
}

fn pooled(x: &Value) -> Made<&[usize]> {
    match x.shape() {
        [_, _, rest @ ..] if !rest.is_empty() => Ok(rest),
        shape => fault(format!("it pools the shape {shape:?}")),
    }
}

pub(super) fn max_pool(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let window = Window::read(call, pooled(x)?, None)?;
    let axes = window.axes(b, x, call.flag("ceil_mode", false), None)?;
    Ok(vec![b.largest(x, &axes)?])
}

pub(super) fn average_pool(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let window = Window::read(call, pooled(x)?, None)?;
    let mean = Some(call.flag("count_include_pad", false));
    let axes = window.axes(b, x, call.flag("ceil_mode", false), mean)?;
    Ok(vec![b.summed(x, &axes)?])
}

pub(super) fn lp_pool(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let window = Window::read(call, pooled(x)?, None)?;
    let axes = window.axes(b, x, call.flag("ceil_mode", false), None)?;
    let p = call.int("p", 2) as f32;
    let powers = powers(b, x, p)?;
    let sums = b.summed(&powers, &axes)?;
    Ok(vec![root(b, &sums, p)?])
}

/// `|x|^p`.
fn powers(b: &mut Builder, x: &Value, p: f32) -> Made<Value> {
    let even = p % 2.0 == 0.0;
    let x = if even {
        x.clone()
    } else {
        b.activation(x, Activation::Abs)?
    };
    if p == 1.0 {
        return Ok(x);
    }
    b.activation(&x, Activation::Power(p))
}

fn root(b: &mut Builder, x: &Value, p: f32) -> Made<Value> {
    match p {
        1.0 => Ok(x.clone()),
        2.0 => b.activation(x, Activation::Sqrt),
        p => b.activation(x, Activation::Power(1.0 / p)),
    }
}

pub(super) fn global(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let count: usize = pooled(x)?.iter().product();
    let axes: Vec<usize> = (2..x.rank()).collect();
    Ok(vec![match call.node.op_type.as_str() {
        "GlobalAveragePool" => b.sum(x, &axes, 1.0 / count as f64)?,
        "GlobalMaxPool" => b.most(x, &axes)?,
        _ => {
            let p = call.int("p", 2) as f32;
            let powers = powers(b, x, p)?;
            let sums = b.sum(&powers, &axes, 1.0)?;
            root(b, &sums, p)?
        }
    }])
}
