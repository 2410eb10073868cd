//! The parameters of the kernels, field by field those of `kernels/params.cuh`. Addresses are of the machine that runs them.

use crate::cpu::ggml;
use crate::spec::Activation;

/// Parameters of a kernel.
///
/// # Safety
/// The structure is the one that the kernels of these names take, and has no padding.
pub unsafe trait Params: Copy {
    /// The kernels' names.
    const KERNELS: &'static [&'static str];
    /// Threads of their blocks.
    const THREADS: u32;

    /// Which of the kernels takes these.
    fn kernel(&self) -> &'static str;

    /// Blocks that make up all that there is to compute.
    fn blocks(&self) -> [u32; 2];
}

/// A row in eight bits.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Quantized {
    /// 0 for none.
    pub quants: u64,
    pub scales: u64,
    pub sums: u64,
}

/// A norm's weights.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Norm {
    /// 0 for no norm at all.
    pub scale: u64,
    /// 0 for none.
    pub bias: u64,
    pub epsilon: f32,
    /// 1 where the mean is taken off.
    pub layer: u32,
}

/// Rows of weights.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Weights {
    pub bytes: u64,
    /// 0 for none.
    pub bias: u64,
    /// See [`ggml::number`].
    pub kind: u32,
    pub rows: u32,
}

/// `x = table[token] · scale`
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Embed {
    pub table: u64,
    pub state: u64,
    pub x: u64,
    pub kind: u32,
    pub columns: u32,
    pub scale: f32,
    pub unused: u32,
}

/// `x += post(y) + z; out = pre(x)`
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Residual {
    pub x: u64,
    /// 0 where nothing is added.
    pub y: u64,
    /// 0 for none.
    pub z: u64,
    pub post: Norm,
    pub pre: Norm,
    pub out: u64,
    pub quantized: Quantized,
    pub columns: u32,
    pub unused: u32,
}

/// `y = weights · x` of the first `count` matrices, all of one type; with an activation `y = act(first · x) · (second · x)`, or
/// of one matrix `y = act(first · x)`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Product {
    pub weights: [Weights; 3],
    pub x: u64,
    pub quantized: Quantized,
    pub y: u64,
    pub out: Quantized,
    pub columns: u32,
    pub count: u32,
    /// 0 for none; see [`activation`].
    pub activation: u32,
    /// 0 for none.
    pub softcap: f32,
}

/// How heads are turned by their positions.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Turn {
    /// 0 where nothing is turned.
    pub cos: u64,
    pub sin: u64,
    /// Numbers of a head that are turned.
    pub dims: u32,
    /// 1 where pairs lie side by side.
    pub interleaved: u32,
}

/// Attention of one token over the cache, to which its key and value are added.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Attend {
    pub state: u64,
    pub queries: u64,
    pub keys: u64,
    pub values: u64,
    pub query_norm: Norm,
    pub key_norm: Norm,
    pub turn: Turn,
    pub key_cache: u64,
    pub value_cache: u64,
    pub partial: u64,
    pub heads: u32,
    pub kv_heads: u32,
    pub dim: u32,
    pub capacity: u32,
    /// 0 for all positions.
    pub window: u32,
    pub splits: u32,
    /// 1 where the caches are of float16.
    pub half: u32,
    pub scale: f32,
    /// 0 for none.
    pub softcap: f32,
    pub unused: u32,
}

/// The shares of an attention put together.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Gather {
    pub partial: u64,
    pub out: u64,
    pub quantized: Quantized,
    pub heads: u32,
    pub dim: u32,
    pub splits: u32,
    pub unused: u32,
}

/// The most likely token becomes the next one.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Pick {
    pub logits: u64,
    pub state: u64,
    pub count: u32,
    pub unused: u32,
}

/// A prompt's new rows: queries and keys turned, keys and values put into the cache.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Append {
    pub queries: u64,
    pub keys: u64,
    pub values: u64,
    pub query_norm: Norm,
    pub key_norm: Norm,
    pub turn: Turn,
    /// In float16, `[heads, rows, dim]`, with zeros up to whole tiles.
    pub turned: u64,
    pub key_cache: u64,
    pub value_cache: u64,
    pub rows: u32,
    pub heads: u32,
    pub kv_heads: u32,
    pub dim: u32,
    pub capacity: u32,
    /// Of the first row.
    pub position: u32,
    /// 1 where the caches are of float16.
    pub half: u32,
    pub unused: u32,
}

/// Attention of those queries over the cache. Which kernel depends on how long a head is.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Prompt {
    pub queries: u64,
    pub key_cache: u64,
    pub value_cache: u64,
    pub out: u64,
    pub rows: u32,
    pub heads: u32,
    pub kv_heads: u32,
    /// A multiple of four.
    pub dim: u32,
    pub capacity: u32,
    pub position: u32,
    /// 0 for all positions.
    pub window: u32,
    /// 1 where the caches are of float16.
    pub half: u32,
    pub scale: f32,
    /// 0 for none.
    pub softcap: f32,
}

/// `x = act(x) · factor`, or without a factor `act(x)`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Activate {
    pub x: u64,
    /// 0 for none.
    pub factor: u64,
    pub count: u32,
    /// See [`activation`].
    pub activation: u32,
}

/// The kernel that multiplies with each of [`ggml::WEIGHTS`].
const PRODUCTS: [&str; ggml::WEIGHTS.len()] = [
    "product_f32",
    "product_f16",
    "product_bf16",
    "product_q4_0",
    "product_q4_1",
    "product_q5_0",
    "product_q5_1",
    "product_q8_0",
    "product_q2_k",
    "product_q3_k",
    "product_q4_k",
    "product_q5_k",
    "product_q6_k",
];

/// The number of an activation.
pub fn activation(activation: Activation) -> u32 {
    match activation {
        Activation::Silu => 1,
        Activation::Gelu => 2,
        Activation::GeluTanh => 3,
    }
}

/// Queries that a block of `attend` takes.
const QUERIES: u32 = 8;

impl Product {
    fn product_blocks(&self) -> u32 {
        match self.activation {
            // Pairs of rows are dealt to warps, and a matrix begins with a pair of its own.
            0 => self.matrices().map(|weights| weights.rows.next_multiple_of(2)).sum::<u32>().div_ceil(16),
            // As many as are quantized together.
            _ => self.weights[0].rows.div_ceil(32),
        }
    }

    fn matrices(&self) -> impl Iterator<Item = &Weights> {
        self.weights.iter().take(self.count as usize)
    }

    fn format(&self) -> usize {
        let known = ggml::WEIGHTS.into_iter().position(|kind| ggml::number(kind) == self.weights[0].kind);
        known.unwrap_or_else(|| unreachable!("weights are of a type of the kernels"))
    }
}

impl Prompt {
    /// The one for heads of so many numbers, which has room for no more than it needs.
    fn longest(&self) -> usize {
        match self.dim {
            0..=64 => 0,
            65..=128 => 1,
            _ => 2,
        }
    }
}

/// The only place that says which structure is whose, how long it is, how many threads take it, which of several kernels does,
/// and in how many blocks.
macro_rules! kernels {
    ($($params:ident $names:expr, $bytes:literal $threads:literal, $which:expr, $blocks:expr;)*) => {
        $(
            const _: () = assert!(size_of::<$params>() == $bytes);
            // SAFETY: `params.cuh` has the same fields in the same order, and asserts the same length; fields fill it.
            unsafe impl Params for $params {
                const KERNELS: &'static [&'static str] = &$names;
                const THREADS: u32 = $threads;

                fn kernel(&self) -> &'static str {
                    let which: fn(&Self) -> usize = $which;
                    Self::KERNELS[which(self)]
                }

                fn blocks(&self) -> [u32; 2] {
                    let blocks: fn(&Self) -> [u32; 2] = $blocks;
                    blocks(self)
                }
            }
        )*

        /// The names of kernels that take the same parameters, the length of these in bytes, and the kernels' threads.
        pub const KERNELS: &[(&[&str], usize, u32)] = &[$((&$names, $bytes, $threads)),*];
    };
}

kernels! {
    Embed ["embed"], 40 256, |_| 0, |_| [1, 1];
    Residual ["residual"], 112 1024, |_| 0, |_| [1, 1];
    Product PRODUCTS, 152 256, Product::format, |p| [p.product_blocks(), 1];
    Attend ["attend"], 168 128, |_| 0, |p| [p.kv_heads * (p.heads / p.kv_heads).div_ceil(QUERIES), p.splits];
    Gather ["gather"], 56 256, |_| 0, |p| [(p.heads * p.dim).div_ceil(256), 1];
    Pick ["pick"], 24 1024, |_| 0, |_| [1, 1];
    // A warp has one head of one row.
    Append ["append"], 152 256, |_| 0, |p| [(p.rows * (p.heads + 2 * p.kv_heads)).div_ceil(8), 1];
    Prompt ["prompt_64", "prompt_128", "prompt_256"], 72 256, Prompt::longest, |p| [p.heads, p.rows.div_ceil(128)];
    // A thread has four numbers.
    Activate ["activate"], 24 256, |_| 0, |p| [p.count.div_ceil(1024), 1];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_named_by_its_weights() {
        assert_eq!(ggml::WEIGHTS.map(|kind| format!("product_{}", ggml::name(kind))), PRODUCTS);
    }
}
