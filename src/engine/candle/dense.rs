//! Products with dense weights on the CPU.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, WithDType, bail};

use crate::cpu::dense::{Dense, Job, Kind, product};
use crate::cpu::isa::Isa;
use crate::cpu::pool::Pool;

/// `x [tokens, columns] · weightᵀ`, with `x` in float32 and the weight in its own type.
pub fn multiply(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2_no_bwd(weight, &Product)
}

struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "dense product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, x_at: &Layout, weight: &CpuStorage, at: &Layout) -> Result<(CpuStorage, Shape)> {
        let ((tokens, columns), (rows, width)) = (x_at.shape().dims2()?, at.shape().dims2()?);
        if columns != width {
            bail!("{columns} values are no input of a weight of {width} columns");
        }
        let (kind, bytes) = match weight {
            CpuStorage::BF16(weight) => (Kind::Bf16, bytes(contiguous(weight, at)?)),
            CpuStorage::F16(weight) => (Kind::F16, bytes(contiguous(weight, at)?)),
            CpuStorage::F32(weight) => (Kind::F32, bytes(contiguous(weight, at)?)),
            other => bail!("no product with weights of type {:?}", other.dtype()),
        };
        let weights = Dense::new(kind, rows, columns, bytes).map_err(candle_core::Error::wrap)?;
        let mut y = vec![0.0; tokens * rows];
        let x = contiguous(x.as_slice()?, x_at)?;
        product(Pool::global(), Isa::best(), &mut [Job { x, tokens, weights, y: &mut y }]);
        Ok((CpuStorage::F32(y), (tokens, rows).into()))
    }
}

fn contiguous<'a, T>(values: &'a [T], layout: &Layout) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&values[start..end]),
        None => bail!("a matrix that does not lie row by row"),
    }
}

/// Numbers as they lie in memory.
fn bytes<T: WithDType>(numbers: &[T]) -> &[u8] {
    // SAFETY: the same memory; numbers have no padding.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}
