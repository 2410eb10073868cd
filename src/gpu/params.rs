//! The parameters of the kernels, field by field those of `kernels/params.cuh`. Addresses are of the machine that runs them.

use candle_core::quantized::GgmlDType;

/// Parameters of a kernel.
///
/// # Safety
/// The structure is the one that the kernels of these names take, and has no padding.
pub unsafe trait Params: Copy {
    /// The kernels' names.
    const KERNELS: &'static [&'static str];
    /// Threads of its blocks.
    const THREADS: u32;
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
    /// See [`FORMATS`].
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

/// `y = weights · x` of the first `count` matrices, all of one type; with an activation `y = act(first · x) · (second · x)`, or of one matrix
/// `y = act(first · x)`.
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
    /// 0 for none, 1 SiLU, 2 GELU, 3 its approximation by tanh.
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

impl Prompt {
    /// The kernel for heads of so many numbers: it has room for no more than it needs.
    pub fn kernel(dim: usize) -> &'static str {
        match dim {
            0..=64 => "prompt_64",
            65..=128 => "prompt_128",
            _ => "prompt_256",
        }
    }
}

/// `x = act(x) · factor`, or without a factor `act(x)`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct Activate {
    pub x: u64,
    /// 0 for none.
    pub factor: u64,
    pub count: u32,
    /// As of a product.
    pub activation: u32,
}

/// The types of weights: ggml's number of each, and the kernel that multiplies with it.
pub const FORMATS: [(GgmlDType, u32, &str); 13] = [
    (GgmlDType::F32, 0, "product_f32"),
    (GgmlDType::F16, 1, "product_f16"),
    (GgmlDType::BF16, 30, "product_bf16"),
    (GgmlDType::Q4_0, 2, "product_q4_0"),
    (GgmlDType::Q4_1, 3, "product_q4_1"),
    (GgmlDType::Q5_0, 6, "product_q5_0"),
    (GgmlDType::Q5_1, 7, "product_q5_1"),
    (GgmlDType::Q8_0, 8, "product_q8_0"),
    (GgmlDType::Q2K, 10, "product_q2_k"),
    (GgmlDType::Q3K, 11, "product_q3_k"),
    (GgmlDType::Q4K, 12, "product_q4_k"),
    (GgmlDType::Q5K, 13, "product_q5_k"),
    (GgmlDType::Q6K, 14, "product_q6_k"),
];

const PRODUCTS: [&str; FORMATS.len()] = {
    let mut names = [""; FORMATS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = FORMATS[at].2;
        at += 1;
    }
    names
};

/// The only place that says which structure is whose, how long it is, and how many threads take it.
macro_rules! kernels {
    ($($params:ident $names:expr, $bytes:literal $threads:literal;)*) => {
        $(
            const _: () = assert!(size_of::<$params>() == $bytes);
            // SAFETY: `params.cuh` has the same fields in the same order, and asserts the same length; fields fill it.
            unsafe impl Params for $params {
                const KERNELS: &'static [&'static str] = &$names;
                const THREADS: u32 = $threads;
            }
        )*

        /// The names of kernels that take the same parameters, the length of these in bytes, and the kernels' threads.
        pub const KERNELS: &[(&[&str], usize, u32)] = &[$((&$names, $bytes, $threads)),*];
    };
}

kernels! {
    Embed ["embed"], 40 256;
    Residual ["residual"], 112 1024;
    Product PRODUCTS, 152 256;
    Attend ["attend"], 168 128;
    Gather ["gather"], 56 256;
    Pick ["pick"], 24 1024;
    Append ["append"], 152 256;
    Prompt ["prompt_64", "prompt_128", "prompt_256"], 72 256;
    Activate ["activate"], 24 256;
}
