//! Loading: the inventory's weights out of their source, by place.

use std::collections::HashMap;
use std::sync::Mutex;

use candle_core::{Device, Tensor};

use super::matrix::Matrix;
use super::norm::Norm;
use super::weights::{Rows, WeightSource};
use crate::engine::{EngineError, Instead};
use crate::spec::{DecoderSpec, Inventory, Kind, NormKind, Part, Weight};

/// Takes weights by their place, and counts them. Shared by the threads that load layers side by side.
pub(super) struct Loader<'a> {
    spec: &'a DecoderSpec,
    weights: HashMap<(Part, usize, Kind), &'a Weight>,
    source: &'a (dyn WeightSource + Sync),
    device: &'a Device,
    progress: Mutex<(u64, Progress<'a>)>,
}

/// What is loaded, or why it is not.
pub(super) type Loaded<T> = Result<T, EngineError>;

/// Told how many parameters are loaded.
pub(super) type Progress<'a> = &'a mut (dyn FnMut(u64) + Send);

impl<'a> Loader<'a> {
    pub(super) fn new(
        spec: &'a DecoderSpec,
        inventory: &'a Inventory,
        source: &'a (dyn WeightSource + Sync),
        device: &'a Device,
        progress: Progress<'a>,
    ) -> Self {
        let weights = inventory.weights.iter().map(|weight| ((weight.part, weight.layer, weight.kind), weight));
        Self { spec, weights: weights.collect(), source, device, progress: Mutex::new((0, progress)) }
    }

    pub(super) fn spec(&self) -> &'a DecoderSpec {
        self.spec
    }

    /// A part's matrix with its bias if it has one; of a fused matrix only these rows.
    pub(super) fn matrix(&self, part: Part, layer: usize, rows: Option<&Rows>) -> Loaded<Matrix> {
        let weight = self.known(part, layer, Kind::Weight)?;
        let matrix = self.source.matrix(weight, rows, self.device)?.named(&weight.name);
        self.count(rows.map_or(weight.rows, Rows::len) * weight.columns);
        let bias = match self.weights.get(&(part, layer, Kind::Bias)) {
            Some(bias) => Some(self.source.vector(bias, rows, self.device)?),
            None => None,
        };
        Ok(matrix.with_bias(bias))
    }

    pub(super) fn norm(&self, part: Part, layer: usize) -> Loaded<Norm> {
        let weight = self.known(part, layer, Kind::Weight)?;
        let scale = self.source.vector(weight, None, self.device)?;
        let adds_one = self.spec.norm.kind == NormKind::RmsPlusOne && !self.source.norms_are_whole();
        let scale: Tensor = if adds_one { (scale + 1.0)? } else { scale };
        let bias = match self.weights.get(&(part, layer, Kind::Bias)) {
            Some(bias) => Some(self.source.vector(bias, None, self.device)?),
            None => None,
        };
        let epsilon = match part {
            // DeepSeek's code gives the norms of latents its own default, whatever the config says.
            Part::QueryDownNorm | Part::LatentNorm => 1e-6,
            _ => self.spec.norm.epsilon,
        };
        Ok(Norm::new(&weight.name, crate::spec::Norm { epsilon, ..self.spec.norm }, scale, bias))
    }

    fn known(&self, part: Part, layer: usize, kind: Kind) -> Loaded<&'a Weight> {
        let weight = self.weights.get(&(part, layer, kind)).copied();
        weight.ok_or_else(|| EngineError::MissingWeight {
            name: format!("{part:?} of layer {layer}"),
            instead: Instead(Vec::new()),
        })
    }

    fn count(&self, elements: usize) {
        // A poisoned lock means that another thread panicked; its message is the one that counts.
        if let Ok(mut progress) = self.progress.lock() {
            progress.0 += elements as u64;
            let done = progress.0;
            (progress.1)(done);
        }
    }
}
