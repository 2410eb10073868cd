//! The types of block by the names that files have for them.

use super::{
    Format,
    nibbles::{Q4_0, Q4_1, Q5_0, Q5_1},
    q2_k::Q2K,
    q3_k::Q3K,
    q4_k::Q4K,
    q5_k::Q5K,
    q6_k::Q6K,
    q8_0::Q8_0,
};
use candle_core::quantized::GgmlDType;

/// What is done with a type of block that is known only at run time.
pub trait Visitor {
    /// What comes of it.
    type Out;

    /// Does it, now that the format is known.
    fn visit<F: Format>(self) -> Self::Out;
}

/// Calls the visitor with the type's format; `None` if it has none.
pub fn visit<V: Visitor>(dtype: GgmlDType, visitor: V) -> Option<V::Out> {
    Some(match dtype {
        GgmlDType::Q4_0 => visitor.visit::<Q4_0>(),
        GgmlDType::Q4_1 => visitor.visit::<Q4_1>(),
        GgmlDType::Q5_0 => visitor.visit::<Q5_0>(),
        GgmlDType::Q5_1 => visitor.visit::<Q5_1>(),
        GgmlDType::Q8_0 => visitor.visit::<Q8_0>(),
        GgmlDType::Q2K => visitor.visit::<Q2K>(),
        GgmlDType::Q3K => visitor.visit::<Q3K>(),
        GgmlDType::Q4K => visitor.visit::<Q4K>(),
        GgmlDType::Q5K => visitor.visit::<Q5K>(),
        GgmlDType::Q6K => visitor.visit::<Q6K>(),
        _ => return None,
    })
}

/// All that have one.
#[cfg(test)]
pub fn types() -> impl Iterator<Item = GgmlDType> {
    crate::ggml::WEIGHTS.into_iter().filter(|dtype| dtype.block_size() > 1)
}
