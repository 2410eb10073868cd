//! A decode step as one list of kernels over buffers that never move: what a GPU repeats for every token of an answer.
//!
//! The layers give their kernels to a [`StepBuilder`]; what one of them cannot do with these kernels makes the whole step unfit, and
//! the decoder goes on with candle's operations.

use candle_core::{DType, Device, Result, Tensor};

use super::address::address;
use super::matrix::Matrix;
use super::norm::Norm;
use crate::gpu::params::{Embed, Pick, Product, Quantized, Residual, Weights};
use crate::gpu::{Launch, Machine, Prepared, params};
use crate::spec::{Activation, DecoderSpec, Heads};

/// The kernels of a step, as they are put together.
pub(super) struct StepBuilder<'a> {
    machine: &'a dyn Machine,
    device: &'a Device,
    launches: Vec<Launch>,
    /// What the addresses in the launches lead to, beside weights and caches.
    held: Vec<Tensor>,
    /// The stream that goes through the layers.
    x: u64,
    hidden: usize,
    /// See `State` in `params.cuh`.
    state: Tensor,
    unfit: bool,
}

/// A row of numbers, and room for the same in eight bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub numbers: u64,
    quantized: Quantized,
    pub columns: usize,
}

/// What all layers work in, one after another.
pub(super) struct Room {
    /// The stream as a layer's attention and its MLP take it.
    pub normed: [Row; 2],
    /// Queries, keys and values.
    pub qkv: u64,
    /// Shares of the attention, as many of each head.
    pub partial: u64,
    pub splits: usize,
    pub attended: Row,
    pub inner: Row,
    /// What attention and MLP add to the stream.
    pub attention: u64,
    pub mlp: u64,
}

impl Room {
    pub(super) fn new(plan: &mut StepBuilder, spec: &DecoderSpec) -> Result<Self> {
        let Heads { queries, keys, dim } = spec.attention.heads;
        let splits = (BLOCKS_OF_PROCESSOR * plan.machine.processors()).div_ceil(keys.max(1)).clamp(1, MOST_SPLITS);
        Ok(Self {
            normed: [plan.row(spec.hidden)?, plan.row(spec.hidden)?],
            qkv: plan.numbers((queries + 2 * keys) * dim)?,
            partial: plan.numbers(queries * splits * (dim + 2))?,
            splits,
            attended: plan.row(queries * dim)?,
            inner: plan.row(spec.mlp.intermediate)?,
            attention: plan.numbers(spec.hidden)?,
            mlp: plan.numbers(spec.hidden)?,
        })
    }
}

/// What a block of a layer adds to the stream.
#[derive(Clone, Copy)]
pub(super) struct Branch<'a> {
    /// 0 for nothing.
    pub y: u64,
    /// 0 for nothing more.
    pub z: u64,
    pub norm: Option<&'a Norm>,
}

impl Branch<'_> {
    pub(super) const NONE: Self = Self { y: 0, z: 0, norm: None };
}

/// Blocks of the kernel `attend` for each processor: as many as run at once, since each takes 42 KiB of its shared memory.
const BLOCKS_OF_PROCESSOR: usize = 2;
/// Shares of a head at the most: all of them are put together by one thread for each number.
const MOST_SPLITS: usize = 64;

/// Numbers that a block of eight bits has.
const GROUP: usize = 32;

impl<'a> StepBuilder<'a> {
    pub(super) fn new(machine: &'a dyn Machine, device: &'a Device, hidden: usize) -> Result<Self> {
        let state = Tensor::zeros(4, DType::U32, device)?;
        let (launches, held) = (Vec::new(), Vec::new());
        let mut plan = Self { machine, device, launches, held, x: 0, hidden, state, unfit: false };
        plan.x = plan.buffer(hidden, DType::F32)?;
        Ok(plan)
    }

    pub(super) fn state(&self) -> Result<u64> {
        address(&self.state)
    }

    /// This step cannot be made of these kernels.
    pub(super) fn refuse(&mut self) {
        self.unfit = true;
    }

    /// So many numbers in float32.
    pub(super) fn numbers(&mut self, count: usize) -> Result<u64> {
        self.buffer(count, DType::F32)
    }

    pub(super) fn row(&mut self, columns: usize) -> Result<Row> {
        let numbers = self.numbers(columns)?;
        let mut quantized = Quantized::default();
        if columns.is_multiple_of(GROUP) {
            quantized = Quantized {
                quants: self.buffer(columns, DType::U8)?,
                scales: self.numbers(columns / GROUP)?,
                sums: self.numbers(2 * columns / GROUP)?,
            };
        }
        Ok(Row { numbers, quantized, columns })
    }

    fn buffer(&mut self, count: usize, dtype: DType) -> Result<u64> {
        let tensor = Tensor::zeros(count, dtype, self.device)?;
        let place = address(&tensor)?;
        self.held.push(tensor);
        Ok(place)
    }

    pub(super) fn launch<P: params::Params>(&mut self, params: P) {
        self.launches.push(Launch::new(params));
    }

    /// The embedding of the token that goes in.
    pub(super) fn embed(&mut self, table: &Matrix, scale: f64) -> Result<()> {
        let Some(weights) = self.weights(table)? else { return Ok(()) };
        let (state, columns) = (self.state()?, self.hidden as u32);
        let Weights { bytes: table, kind, .. } = weights;
        self.launch(Embed { table, state, x: self.x, kind, columns, scale: scale as f32, unused: 0 });
        Ok(())
    }

    /// Adds a branch to the stream, and gives the stream normed for the matrices that take it next.
    pub(super) fn residual(&mut self, branch: Branch, norm: Option<&Norm>, out: &Row, next: &[&Matrix]) -> Result<()> {
        let of = |norm: Option<&Norm>| norm.map_or(Ok(params::Norm::default()), Norm::place);
        let residual = Residual {
            x: self.x,
            y: branch.y,
            z: branch.z,
            post: of(branch.norm)?,
            pre: of(norm)?,
            out: out.numbers,
            quantized: self.quantized_for(out, next),
            columns: out.columns as u32,
            unused: 0,
        };
        self.launch(residual);
        Ok(())
    }

    /// Where a row is to be quantized: nowhere if none of the matrices wants it so.
    pub(super) fn quantized_for(&mut self, row: &Row, next: &[&Matrix]) -> Quantized {
        if next.iter().all(|matrix| matrix.is_dense()) {
            return Quantized::default();
        }
        if row.quantized.quants == 0 {
            self.refuse();
        }
        row.quantized
    }

    /// What matrices, three at the most, make of a row: one's results after another's. Those of one type go together.
    pub(super) fn product<const N: usize>(
        &mut self,
        matrices: [&Matrix; N],
        x: &Row,
        mut y: u64,
        softcap: Option<f64>,
    ) -> Result<()> {
        const { assert!(N <= 3) };
        let weights = matrices.map(|matrix| self.weights(matrix)).into_iter().collect::<Result<Option<Vec<_>>>>()?;
        for same in weights.unwrap_or_default().chunk_by(|a, b| a.kind == b.kind) {
            let mut first = [Weights::default(); 3];
            first[..same.len()].copy_from_slice(same);
            let product = Product {
                weights: first,
                x: x.numbers,
                quantized: x.quantized,
                y,
                out: Quantized::default(),
                columns: x.columns as u32,
                count: same.len() as u32,
                activation: 0,
                softcap: softcap.unwrap_or_default() as f32,
            };
            self.launch(product);
            y += same.iter().map(|weights| u64::from(weights.rows)).sum::<u64>() * size_of::<f32>() as u64;
        }
        Ok(())
    }

    /// `act(gate x) · (up x)`, or without a gate `act(up x)`, for a matrix that takes it next.
    pub(super) fn activated(
        &mut self,
        (gate, up): (Option<&Matrix>, &Matrix),
        activation: Activation,
        x: &Row,
        out: &Row,
        next: &Matrix,
    ) -> Result<()> {
        let (Some(first), Some(second)) = (self.weights(gate.unwrap_or(up))?, self.weights(up)?) else { return Ok(()) };
        if first.kind != second.kind {
            self.refuse();
        }
        let product = Product {
            weights: [first, second, Weights::default()],
            x: x.numbers,
            quantized: x.quantized,
            y: out.numbers,
            out: self.quantized_for(out, &[next]),
            columns: x.columns as u32,
            count: if gate.is_some() { 2 } else { 1 },
            activation: params::activation(activation),
            softcap: 0.0,
        };
        self.launch(product);
        Ok(())
    }

    fn weights(&mut self, matrix: &Matrix) -> Result<Option<Weights>> {
        let weights = matrix.place()?;
        if weights.is_none() {
            self.refuse();
        }
        Ok(weights)
    }

    /// Makes the step ready whose logits are at this tensor; `None` if these kernels cannot do it.
    ///
    /// # Safety
    /// Weights, norms, tables and caches that were put on the plan live as long as the step.
    pub(super) unsafe fn prepare(mut self, logits: Tensor) -> Result<Option<DecodeStep>> {
        let count = logits.elem_count() as u32;
        let pick = Pick { logits: address(&logits)?, state: self.state()?, count, unused: 0 };
        self.launch(pick);
        if self.unfit {
            return Ok(None);
        }
        let launches = self.launches.len();
        // SAFETY: the buffers are held, and the rest is the caller's promise.
        let prepared = unsafe { self.machine.prepare(self.launches)? };
        Ok(Some(DecodeStep { prepared, launches, logits, state: self.state, stands: None, _held: self.held }))
    }
}

/// A step that is ready.
pub(super) struct DecodeStep {
    prepared: Box<dyn Prepared>,
    launches: usize,
    logits: Tensor,
    state: Tensor,
    /// The token and the position that the machine goes on with by itself.
    stands: Option<[u32; 2]>,
    _held: Vec<Tensor>,
}

impl DecodeStep {
    /// Kernels that it launches.
    pub(super) fn launches(&self) -> usize {
        self.launches
    }

    /// Appends a token at a position; gives the logits of what follows, which the next step overwrites, and the most likely
    /// token with its logit.
    pub(super) fn run(&mut self, token: u32, position: usize) -> Result<(&Tensor, u32, f32)> {
        let wanted = [token, position as u32];
        let state = address(&self.state)?;
        if self.stands != Some(wanted) {
            // SAFETY: the state has four words, and these are its first.
            unsafe { self.prepared.write(state, &wanted)? };
        }
        self.stands = None;
        self.prepared.run()?;
        // The only thing that comes back, and the only wait.
        let mut words = [0; 4];
        // SAFETY: as many words as the state has.
        unsafe { self.prepared.read(state, &mut words)? };
        let [token, position, id, logit] = words;
        self.stands = Some([token, position]);
        Ok((&self.logits, id, f32::from_bits(logit)))
    }
}
