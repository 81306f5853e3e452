//! Resizing: each axis of the result is a weighted sum of positions of its own.

use super::axes::{NONE, Taps, grid, strides, taps};
use super::builder::{Builder, Value};
use super::call::{Call, distinct};
use super::{Made, fault, unsupported};

/// How one axis is resized.
#[derive(Debug)]
struct Resized {
    /// Positions before and after.
    from: usize,
    to: usize,
    /// How often the one is in the other.
    scale: f64,
    /// What is cropped, from and to, in parts of the axis.
    crop: [f64; 2],
}

/// What is the same for all axes.
#[derive(Debug)]
struct Ways {
    mode: String,
    coordinates: String,
    nearest: String,
    /// The cubic's coefficient.
    a: f64,
    excludes: bool,
    antialiases: bool,
}

pub(super) fn resize(b: &mut Builder, call: &Call<'_>) -> Made<Vec<Value>> {
    let x = call.input(0)?;
    let is_old = call.node.op_type == "Upsample" || call.opset < 11;
    let ways = Ways {
        mode: call.text("mode", "nearest"),
        coordinates: if is_old {
            "asymmetric".to_owned()
        } else {
            call.text("coordinate_transformation_mode", "half_pixel")
        },
        nearest: if is_old {
            "floor".to_owned()
        } else {
            call.text("nearest_mode", "round_prefer_floor")
        },
        a: call.float("cubic_coeff_a", -0.75).into(),
        excludes: call.flag("exclude_outside", false),
        antialiases: call.flag("antialias", false),
    };
    let axes = axes_of(call, x, is_old)?;
    let shape: Vec<usize> = axes.iter().map(|axis| axis.to).collect();
    let cells = b.claim(x, &shape)?;
    if cells == 0 {
        return fault(format!("it makes the shape {shape:?}"));
    }
    let crops = ways.coordinates == "tf_crop_and_resize";
    let own = strides(x.shape());
    let fill: f64 = call.float("extrapolation_value", 0.0).into();
    match ways.mode.as_str() {
        "nearest" => {
            let line = |(axis, &stride): (&Resized, &usize)| {
                let position = |to: usize| {
                    let at = ways.coordinate(axis, to);
                    if crops && !(0.0..=(axis.from - 1) as f64).contains(&at) {
                        return NONE;
                    }
                    let near = ways.round(at).clamp(0.0, (axis.from - 1) as f64);
                    (near as usize * stride) as u32
                };
                (0..axis.to).map(position).collect()
            };
            let lines: Vec<Vec<u32>> = axes.iter().zip(&own).map(line).collect();
            Ok(vec![b.moved(x, grid(&lines), shape, fill)?])
        }
        "linear" | "cubic" | "bilinear" | "trilinear" => {
            if crops && fill != 0.0 {
                return unsupported("an extrapolation_value that is not 0", "crop with Slice");
            }
            let mut made: Vec<Taps> = taps(x.shape());
            for (a, axis) in axes.iter().enumerate() {
                // An axis that stays has its own taps.
                if axis.from == axis.to && axis.crop == [0.0, 1.0] {
                    continue;
                }
                let reach = (ways.support() / axis.scale.min(1.0)).ceil();
                let most = (2.0 * reach + 2.0).min((4 * axis.from + 4) as f64) as usize;
                b.index(axis.to.checked_mul(most))?;
                made[a] = (0..axis.to)
                    .map(|to| ways.taps(axis, to, own[a], crops))
                    .collect();
            }
            Ok(vec![b.summed(x, &made)?])
        }
        mode => unsupported(
            format!("the mode \"{mode}\""),
            "resize nearest, linear or cubic",
        ),
    }
}

/// The sizes and scales of all axes.
fn axes_of(call: &Call<'_>, x: &Value, is_old: bool) -> Made<Vec<Resized>> {
    let rank = x.rank();
    let chosen = match call.node.ints("axes") {
        [] => (0..rank).collect(),
        list => distinct(list, rank)?,
    };
    let listed = |index: usize| -> Made<Option<Vec<f64>>> {
        let array = call.constant(index)?.filter(|array| array.len() > 0);
        let list: Option<Vec<f64>> = array.map(|array| array.numbers().collect());
        match list {
            Some(list) if list.len() != chosen.len() => fault(format!(
                "it has {} sizes for {} axes",
                list.len(),
                chosen.len()
            )),
            list => Ok(list),
        }
    };
    let attribute = call.node.floats("scales");
    let scales = if is_old && attribute.len() == rank {
        Some(attribute.iter().map(|&scale| scale.into()).collect())
    } else {
        listed(if is_old { 1 } else { 2 })?
    };
    let sizes = if is_old { None } else { listed(3)? };
    let roi = match call.constant(1)?.filter(|_| !is_old) {
        Some(array) if array.len() == 2 * chosen.len() => Some(array.clone()),
        _ => None,
    };
    let crops = call.text("coordinate_transformation_mode", "") == "tf_crop_and_resize";
    let mut axes: Vec<Resized> = (x.shape().iter())
        .map(|&size| Resized {
            from: size,
            to: size,
            scale: 1.0,
            crop: [0.0, 1.0],
        })
        .collect();
    // One scale for all axes, where the shape is to be kept.
    let policy = call.text("keep_aspect_ratio_policy", "stretch");
    let ratios = sizes.as_ref().map(|sizes: &Vec<f64>| {
        let ratio = |(&axis, &to): (&usize, &f64)| to / x.shape()[axis].max(1) as f64;
        chosen.iter().zip(sizes).map(ratio)
    });
    let shared = ratios.and_then(|ratios| match policy.as_str() {
        "not_larger" => ratios.reduce(f64::min),
        "not_smaller" => ratios.reduce(f64::max),
        _ => None,
    });
    for (i, &a) in chosen.iter().enumerate() {
        let axis = &mut axes[a];
        if let Some(roi) = roi.as_ref().filter(|_| crops) {
            axis.crop = [roi.at(i), roi.at(chosen.len() + i)];
        }
        let part = axis.crop[1] - axis.crop[0];
        let size = axis.from as f64;
        let (to, scale) = match (&scales, &sizes) {
            (Some(scales), _) => ((size * part * scales[i]).floor(), scales[i]),
            (None, Some(sizes)) => match shared {
                Some(scale) => ((scale * size).round(), scale),
                None => (sizes[i], sizes[i] / size),
            },
            (None, None) => return fault("it has neither scales nor sizes"),
        };
        let is_size = (1.0..1e9).contains(&to) && scale > 0.0 && scale.is_finite();
        if !is_size || axis.crop.iter().any(|at| !at.is_finite()) {
            return fault(format!("it resizes {size} positions to {to}"));
        }
        (axis.to, axis.scale) = (to as usize, scale);
    }
    Ok(axes)
}

impl Ways {
    /// Where a position of the result lies in what is read.
    fn coordinate(&self, axis: &Resized, to: usize) -> f64 {
        let (from, x) = (axis.from as f64, to as f64);
        // The size before rounding to whole positions.
        let length = axis.scale * from;
        match self.coordinates.as_str() {
            "asymmetric" => x / axis.scale,
            "pytorch_half_pixel" | "align_corners" if axis.to <= 1 => 0.0,
            "align_corners" => x * (from - 1.0) / (length - 1.0),
            "tf_half_pixel_for_nn" => (x + 0.5) / axis.scale,
            "tf_crop_and_resize" => {
                let [start, end] = axis.crop;
                if axis.to <= 1 {
                    0.5 * (start + end) * (from - 1.0)
                } else {
                    let step = (end - start) * (from - 1.0) / (axis.to as f64 - 1.0);
                    start * (from - 1.0) + x * step
                }
            }
            "half_pixel_symmetric" => {
                let adjustment = axis.to as f64 / length;
                let offset = from / 2.0 * (1.0 - adjustment);
                offset + (x + 0.5) / axis.scale - 0.5
            }
            _ => (x + 0.5) / axis.scale - 0.5,
        }
    }

    fn round(&self, at: f64) -> f64 {
        match self.nearest.as_str() {
            "floor" => at.floor(),
            "ceil" => at.ceil(),
            "round_prefer_ceil" => (at + 0.5).floor(),
            _ => (at - 0.5).ceil(),
        }
    }

    /// How far from a position its weights reach.
    fn support(&self) -> f64 {
        if self.mode == "cubic" { 2.0 } else { 1.0 }
    }

    /// The weight of a position this far away.
    fn weight(&self, distance: f64) -> f64 {
        let d = distance.abs();
        if self.mode != "cubic" {
            return (1.0 - d).max(0.0);
        }
        let a = self.a;
        if d <= 1.0 {
            ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
        } else if d < 2.0 {
            ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
        } else {
            0.0
        }
    }

    /// The weighted positions of a position of the result.
    fn taps(&self, axis: &Resized, to: usize, stride: usize, crops: bool) -> Vec<(u32, f64)> {
        let at = self.coordinate(axis, to);
        let last = (axis.from - 1) as f64;
        if crops && !(0.0..=last).contains(&at) {
            return Vec::new();
        }
        let shrinks = self.antialiases && axis.scale < 1.0 && !crops;
        let factor = if shrinks { axis.scale } else { 1.0 };
        let reach = self.support() / factor;
        // Beyond the ends by more than a few windows, all positions are the end.
        let at = at.clamp(-4.0 * reach - 4.0, last + 4.0 * reach + 4.0);
        let at = if self.mode == "cubic" || shrinks {
            at
        } else {
            at.clamp(0.0, last)
        };
        let (first, end) = ((at - reach).floor() as i64, (at + reach).ceil() as i64);
        let mut taps: Vec<(u32, f64)> = Vec::new();
        let mut total = 0.0;
        for position in first..=end {
            let weight = self.weight((position as f64 - at) * factor);
            let inside = position.clamp(0, last as i64);
            if weight == 0.0 || self.excludes && inside != position {
                continue;
            }
            total += weight;
            let offset = (inside as usize * stride) as u32;
            match taps.last_mut().filter(|tap| tap.0 == offset) {
                Some(tap) => tap.1 += weight,
                None => taps.push((offset, weight)),
            }
        }
        if (self.excludes || shrinks) && total != 0.0 {
            for tap in &mut taps {
                tap.1 /= total;
            }
        }
        taps
    }
}
