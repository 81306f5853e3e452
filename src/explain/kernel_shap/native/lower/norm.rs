//! Rows that are divided by a norm before the units are made of them: the units are sums still, and so is what the
//! norm comes of.

use whylight_kernels::normalised_units::Kind;

use super::super::super::check::refused;
use super::{Addend, Lowered};
use crate::error::Result;
use crate::model;

/// A norm, and what is added to units once they are divided by it.
#[derive(Debug)]
pub(in super::super) struct Norm {
    pub(super) of: model::Norm,
    /// By unit, but the last.
    pub(in super::super) start: Vec<f64>,
    /// What a unit is at the most.
    pub(in super::super) largest: f64,
}

impl Norm {
    /// What it is of its sum.
    pub(in super::super) fn kind(&self) -> Kind {
        match self.of {
            model::Norm::L1 => Kind::Sum,
            model::Norm::L2 => Kind::Root,
        }
    }
}

impl Lowered {
    /// Has rows divided by a norm first.
    pub(super) fn normalise(&mut self, norm: model::Norm) -> Result<()> {
        let Addend::Product(weights) = &self.terms else {
            return Err(refused(
                "a distance of rows that are normalised",
                "normalise the table, and explain the model alone",
            ));
        };
        let units = self.start.len();
        let start = std::mem::replace(&mut self.start, vec![0.0; units + 1]);
        // A row of norm 1 has no column beyond 1.
        let mut most: Vec<f64> = start.iter().map(|start| start.abs()).collect();
        for weights in weights.chunks(units.max(1)) {
            for (most, weight) in most.iter_mut().zip(weights) {
                *most += weight.abs();
            }
        }
        self.norm = Some(Norm {
            of: norm,
            start,
            largest: most.into_iter().fold(0.0, f64::max),
        });
        Ok(())
    }
}
