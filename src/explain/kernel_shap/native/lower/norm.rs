//! Rows that are divided by a norm before the units are made of them: the units are sums still, and so is what the
//! norm comes of.

use whylight_kernels::coalition_sums::Combine;
use whylight_kernels::kernel_machine::Shape;
use whylight_kernels::normalised_units::Kind;

use super::super::super::check::refused;
use super::{Addend, Body, Lowered};
use crate::error::Result;
use crate::model;

/// A norm, and what is added to units once they are divided by it.
#[derive(Debug)]
pub(in super::super) struct Norm {
    pub(super) of: model::Norm,
    /// By unit, but the last.
    pub(in super::super) start: Vec<f64>,
    /// What is added to each as well, but for a row of zeros.
    pub(in super::super) shift: f64,
    /// What a unit is at the most: the range of float32 is that of a GPU.
    #[cfg_attr(not(feature = "gpu"), expect(dead_code, reason = "it has float64"))]
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
        let mut shift = 0.0;
        if let Some(gamma) = self.as_products(norm) {
            shift = -gamma;
        }
        let Addend::Product(weights) = &self.terms else {
            return Err(refused(
                "a distance of rows that are normalised",
                "normalise the table, and explain the model alone",
            ));
        };
        let units = self.start.len();
        let start = std::mem::replace(&mut self.start, vec![0.0; units + 1]);
        // A row of norm 1 has no column beyond 1.
        let mut most: Vec<f64> = start
            .iter()
            .map(|start| start.abs() + shift.abs())
            .collect();
        for weights in weights.chunks(units.max(1)) {
            for (most, weight) in most.iter_mut().zip(weights) {
                *most += weight.abs();
            }
        }
        self.norm = Some(Norm {
            of: norm,
            start,
            shift,
            largest: most.into_iter().fold(0.0, f64::max),
        });
        Ok(())
    }

    /// Has distances of one γ come of products: of a row of norm 1, `−γ ‖x − s‖² = 2γ x·s − γ ‖s‖² − γ`, and of a row
    /// of zeros, the same without the last. Gives that γ.
    fn as_products(&mut self, norm: model::Norm) -> Option<f64> {
        let (Addend::Square(vectors, gammas), Body::Machine { shape, .. }) =
            (&mut self.terms, &mut self.body)
        else {
            return None;
        };
        let gamma = *gammas.first()?;
        let is_one = gammas.iter().all(|other| *other == gamma);
        if norm != model::Norm::L2 || !is_one || *shape != Shape::Product {
            return None;
        }
        let units = self.start.len();
        for vectors in vectors.chunks_mut(units.max(1)) {
            for (s, start) in vectors.iter_mut().zip(&mut self.start) {
                *start -= gamma * *s * *s;
                *s *= 2.0 * gamma;
            }
        }
        (self.combine, *shape) = (Combine::Sum, Shape::Exp);
        self.terms = Addend::Product(std::mem::take(vectors));
        Some(gamma)
    }
}
