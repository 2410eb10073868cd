//! The MLP of a layer: dense, or a mixture of experts.

use candle_core::{Result, Tensor};

use super::address::address;
use super::decode_step::{Room, Row, StepBuilder};
use super::host;
use super::loader::{Loaded, Loader};
use super::matrix::Matrix;
use super::weights::Rows;
use crate::cpu::activation;
use crate::cpu::isa::Isa;
use crate::cpu::pool::Pool;
use crate::gpu::params::{self, Activate};
use crate::gpu::{Launch, Machine};
use crate::spec::{Activation, Experts, Part};

/// A layer's MLP with its weights.
pub(super) enum Mlp {
    Dense(Box<Dense>),
    Experts(Box<Mixture>),
}

impl Mlp {
    pub(super) fn load(loader: &Loader, layer: usize) -> Loaded<Self> {
        let mlp = &loader.spec().mlp;
        match mlp.experts {
            Some(experts) if loader.spec().layers[layer].experts => {
                Ok(Self::Experts(Box::new(Mixture::load(loader, layer, experts)?)))
            }
            _ => Ok(Self::Dense(Box::new(Dense::load(loader, layer)?))),
        }
    }

    pub(super) fn matrices(&self) -> Vec<&Matrix> {
        match self {
            Self::Dense(dense) => dense.matrices(),
            Self::Experts(mixture) => mixture.matrices(),
        }
    }

    /// The matrices that take the MLP's input.
    pub(super) fn first(&self) -> Vec<&Matrix> {
        match self {
            Self::Dense(dense) => dense.gate.iter().chain([&dense.up]).collect(),
            Self::Experts(_) => Vec::new(),
        }
    }

    /// Puts its kernels on the plan of a decode step; gives where the results will be.
    pub(super) fn plan(&self, plan: &mut StepBuilder, x: &Row, room: &Room) -> Result<u64> {
        match self {
            Self::Dense(dense) => {
                let (gate, up, down) = (dense.gate.as_ref(), &dense.up, &dense.down);
                plan.activated((gate, up), dense.activation, x, &room.inner, down)?;
                plan.product([down], &room.inner, room.mlp, None)?;
            }
            Self::Experts(_) => plan.refuse(),
        }
        Ok(room.mlp)
    }

    /// `x [tokens, hidden]` to the same shape.
    pub(super) fn forward(&self, x: &Tensor, machine: Option<&dyn Machine>) -> Result<Tensor> {
        match self {
            Self::Dense(dense) => dense.forward(x, machine),
            Self::Experts(mixture) => mixture.forward(x, machine),
        }
    }
}

/// `down(act(gate(x)) · up(x))`, or without a gate `down(act(up(x)))`.
pub(super) struct Dense {
    gate: Option<Matrix>,
    up: Matrix,
    down: Matrix,
    activation: Activation,
}

impl Dense {
    fn load(loader: &Loader, layer: usize) -> Loaded<Self> {
        let mlp = &loader.spec().mlp;
        let (gate, up) = if mlp.fused {
            let width = mlp.intermediate;
            let half = |rows| loader.matrix(Part::GateUp, layer, Some(&Rows::range(rows)));
            (Some(half(0..width)?), half(width..2 * width)?)
        } else {
            let gate = if mlp.gated { Some(loader.matrix(Part::Gate, layer, None)?) } else { None };
            (gate, loader.matrix(Part::Up, layer, None)?)
        };
        Ok(Self { gate, up, down: loader.matrix(Part::Down, layer, None)?, activation: mlp.activation })
    }

    fn of_parts(loader: &Loader, layer: usize, [gate, up, down]: [Part; 3]) -> Loaded<Self> {
        Ok(Self {
            gate: Some(loader.matrix(gate, layer, None)?),
            up: loader.matrix(up, layer, None)?,
            down: loader.matrix(down, layer, None)?,
            activation: loader.spec().mlp.activation,
        })
    }

    fn matrices(&self) -> Vec<&Matrix> {
        self.gate.iter().chain([&self.up, &self.down]).collect()
    }

    fn forward(&self, x: &Tensor, machine: Option<&dyn Machine>) -> Result<Tensor> {
        let (x, factor) = match &self.gate {
            Some(gate) => {
                let [gate, up] = Matrix::forward_each([gate, &self.up], x)?;
                (gate, Some(up))
            }
            None => (self.up.forward(x)?, None),
        };
        let inner = match machine {
            Some(machine) => activate_on(machine, self.activation, x, factor.as_ref())?,
            None => activate(self.activation, x, factor.as_ref())?,
        };
        self.down.forward(&inner)
    }
}

/// `act(x) · factor`, or without a factor `act(x)`; `x` is nobody else's.
fn activate(activation: Activation, x: Tensor, factor: Option<&Tensor>) -> Result<Tensor> {
    if x.device().is_cpu() {
        let factor = factor.map(host::numbers).transpose()?;
        host::in_place(&x, |x| {
            activation::activate(Isa::best(), Pool::global(), activation, x, factor.as_deref());
        })?;
        return Ok(x);
    }
    let x = match activation {
        Activation::Silu => candle_nn::ops::silu(&x),
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
    }?;
    match factor {
        Some(factor) => x * factor,
        None => Ok(x),
    }
}

/// The same by our own kernel, in one launch.
fn activate_on(machine: &dyn Machine, activation: Activation, x: Tensor, factor: Option<&Tensor>) -> Result<Tensor> {
    let activate = Activate {
        x: address(&x)?,
        factor: factor.map_or(Ok(0), address)?,
        count: u32::try_from(x.elem_count()).map_err(candle_core::Error::wrap)?,
        activation: params::activation(activation),
    };
    // SAFETY: both are as long as that, and what is freed by whoever holds them is freed behind the launch.
    unsafe { machine.launch(&[Launch::new(activate)])? };
    Ok(x)
}

/// Experts of which each token passes a few, and one that all tokens pass.
pub(super) struct Mixture {
    experts: Experts,
    router: Matrix,
    routed: Vec<Dense>,
    shared: Option<Dense>,
}

/// The tokens of an expert with the weights of its answers to them.
type Visitors = (Vec<u32>, Vec<f32>);

impl Mixture {
    fn load(loader: &Loader, layer: usize, experts: Experts) -> Loaded<Self> {
        let expert = |e| Dense::of_parts(loader, layer, [Part::ExpertGate(e), Part::ExpertUp(e), Part::ExpertDown(e)]);
        let shared = || Dense::of_parts(loader, layer, [Part::SharedGate, Part::SharedUp, Part::SharedDown]);
        Ok(Self {
            experts,
            router: loader.matrix(Part::Router, layer, None)?,
            routed: (0..experts.count).map(expert).collect::<Loaded<_>>()?,
            shared: if experts.shared_intermediate > 0 { Some(shared()?) } else { None },
        })
    }

    fn matrices(&self) -> Vec<&Matrix> {
        let dense = self.routed.iter().chain(&self.shared).flat_map(Dense::matrices);
        dense.chain([&self.router]).collect()
    }

    fn forward(&self, x: &Tensor, machine: Option<&dyn Machine>) -> Result<Tensor> {
        let (tokens, hidden) = x.dims2()?;
        // The only read from the device: all tokens' probabilities at once, not expert by expert.
        let probabilities = candle_nn::ops::softmax_last_dim(&self.router.forward(x)?)?.to_vec2::<f32>()?;
        let mut visitors: Vec<Visitors> = vec![Visitors::default(); self.routed.len()];
        for (token, probabilities) in probabilities.iter().enumerate() {
            for (expert, weight) in route(&self.experts, probabilities) {
                visitors[expert].0.push(token as u32);
                visitors[expert].1.push(weight);
            }
        }
        let mut sum = match &self.shared {
            Some(shared) => shared.forward(x, machine)?,
            None => Tensor::zeros((tokens, hidden), x.dtype(), x.device())?,
        };
        for (expert, (rows, weights)) in self.routed.iter().zip(visitors).filter(|(_, (rows, _))| !rows.is_empty()) {
            sum = expert.answer(x, rows, weights, sum, machine)?;
        }
        Ok(sum)
    }
}

impl Dense {
    /// Adds to `sum`, which is nobody else's, the answers to some rows of `x`, by their weights.
    fn answer(
        &self,
        x: &Tensor,
        rows: Vec<u32>,
        weights: Vec<f32>,
        sum: Tensor,
        machine: Option<&dyn Machine>,
    ) -> Result<Tensor> {
        let count = rows.len();
        let ids = Tensor::new(rows.as_slice(), x.device())?;
        let all = count == x.dim(0)?;
        let answers = self.forward(&if all { x.clone() } else { x.index_select(&ids, 0)? }, machine)?;
        if x.device().is_cpu() {
            let (numbers, width) = (host::numbers(&answers)?, sum.dim(1)?);
            host::in_place(&sum, |sum| {
                for ((row, weight), answer) in rows.iter().zip(&weights).zip(numbers.chunks_exact(width)) {
                    let row = &mut sum[*row as usize * width..][..width];
                    activation::add(Isa::best(), Pool::global(), row, answer, *weight);
                }
            })?;
            return Ok(sum);
        }
        let weights = Tensor::from_vec(weights, (count, 1), x.device())?;
        sum.index_add(&ids, &answers.broadcast_mul(&weights)?, 0)
    }
}

/// The experts that a token passes, each with the weight of its answer.
fn route(experts: &Experts, probabilities: &[f32]) -> Vec<(usize, f32)> {
    let best = |scores: &[(usize, f32)], count: usize| -> Vec<(usize, f32)> {
        let mut sorted = scores.to_vec();
        // Of equals the first, as torch.topk has it on the CPU more often than not.
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        sorted.truncate(count);
        sorted
    };
    let all: Vec<(usize, f32)> = probabilities.iter().copied().enumerate().collect();
    let mut chosen = match experts.groups {
        None => best(&all, experts.chosen),
        // A group is as good as its best expert.
        Some((groups, kept)) => {
            let size = experts.count / groups;
            let peaks: Vec<(usize, f32)> = all
                .chunks(size)
                .enumerate()
                .map(|(group, members)| (group, members.iter().map(|member| member.1).fold(f32::MIN, f32::max)))
                .collect();
            let kept: Vec<usize> = best(&peaks, kept).into_iter().map(|(group, _)| group).collect();
            let open: Vec<(usize, f32)> =
                all.into_iter().filter(|(expert, _)| kept.contains(&(expert / size))).collect();
            best(&open, experts.chosen)
        }
    };
    let scale = experts.scale as f32;
    if experts.normalized {
        let sum: f32 = chosen.iter().map(|(_, weight)| weight).sum::<f32>() + 1e-20;
        chosen.iter_mut().for_each(|(_, weight)| *weight /= sum);
    } else {
        // DeepSeek-V2 scales only what it does not normalize.
        chosen.iter_mut().for_each(|(_, weight)| *weight *= scale);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPERTS: Experts = Experts {
        count: 6,
        chosen: 2,
        intermediate: 1,
        shared_intermediate: 0,
        groups: None,
        normalized: false,
        scale: 2.0,
    };
    const PROBABILITIES: [f32; 6] = [0.3, 0.0, 0.05, 0.25, 0.2, 0.2];

    #[test]
    fn greedy_takes_the_most_likely() {
        assert_eq!(route(&EXPERTS, &PROBABILITIES), [(0, 0.6), (3, 0.5)]);
    }

    #[test]
    fn groups_are_judged_by_their_best_and_close_the_others() {
        // Groups {0, 1}, {2, 3}, {4, 5}: the best one is the first, whose second expert has nothing.
        let grouped = Experts { groups: Some((3, 1)), ..EXPERTS };
        assert_eq!(route(&grouped, &PROBABILITIES), [(0, 0.6), (1, 0.0)]);
    }

    #[test]
    fn normalized_weights_sum_to_one() {
        let weights: f32 = route(&Experts { normalized: true, ..EXPERTS }, &PROBABILITIES).iter().map(|w| w.1).sum();
        assert!((weights - 1.0).abs() < 1e-6);
    }
}
