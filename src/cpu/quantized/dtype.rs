//! The types of block by the names that files have for them.

use super::{Format, q4_k::Q4K, q8_0::Q8_0};
use candle_core::quantized::GgmlDType;

/// What is done with a type of block that is known only at run time.
pub trait Visitor {
    type Out;

    fn visit<F: Format>(self) -> Self::Out;
}

/// Calls the visitor with the type's format; `None` if it has none.
pub fn visit<V: Visitor>(dtype: GgmlDType, visitor: V) -> Option<V::Out> {
    Some(match dtype {
        GgmlDType::Q4K => visitor.visit::<Q4K>(),
        GgmlDType::Q8_0 => visitor.visit::<Q8_0>(),
        _ => return None,
    })
}

/// All that have one.
#[cfg(test)]
pub const TYPES: [GgmlDType; 2] = [GgmlDType::Q4K, GgmlDType::Q8_0];
