//! Numbers of tensors in the host's memory, for the kernels of [`crate::cpu`], which know slices and no tensors.

use std::mem::MaybeUninit;
use std::ops::Deref;

use candle_core::{
    CpuStorage, Device, Error, InplaceOp1, Layout, Result, Shape, Storage, StorageRef, Tensor, WithDType,
};
use half::f16;

use crate::cpu::attention::Cached;

/// The numbers of a contiguous tensor, which nobody may write meanwhile.
pub(super) fn numbers<T: WithDType>(tensor: &Tensor) -> Result<impl Deref<Target = [T]>> {
    let (storage, layout) = tensor.storage_and_layout();
    let range = layout.contiguous_offsets();
    let slice = StorageRef::try_map(storage, |storage| match (storage, range) {
        (Storage::Cpu(storage), Some((start, end))) => storage.as_slice().ok()?.get(start..end),
        _ => None,
    });
    slice.map_err(|_| unfit(layout))
}

/// Writes a contiguous tensor in place: whoever else holds it sees it changed.
pub(super) fn in_place<T: Writable>(tensor: &Tensor, write: impl Fn(&mut [T])) -> Result<()> {
    tensor.inplace_op1(&InPlace(|storage: &mut CpuStorage, layout: &Layout| {
        let numbers = layout.contiguous_offsets().zip(T::of(storage));
        let numbers = numbers.and_then(|((start, end), numbers)| numbers.get_mut(start..end));
        numbers.map(&write).ok_or_else(|| unfit(layout))
    }))
}

/// Makes a tensor out of what `write` fills.
///
/// # Safety
/// Where it does not fail, `write` writes every number.
pub(super) unsafe fn made(
    shape: impl Into<Shape>,
    write: impl FnOnce(&mut [MaybeUninit<f32>]) -> Result<()>,
) -> Result<Tensor> {
    let shape = shape.into();
    let count = shape.elem_count();
    let mut numbers = Vec::with_capacity(count);
    write(&mut numbers.spare_capacity_mut()[..count])?;
    // SAFETY: there is room for them, and they were written.
    unsafe { numbers.set_len(count) };
    Tensor::from_vec(numbers, shape, &Device::Cpu)
}

/// Types of numbers that kernels write.
pub(super) trait Writable: WithDType + Cached {
    /// The numbers of a storage; `None` if it holds others.
    fn of(storage: &mut CpuStorage) -> Option<&mut [Self]>;
}

impl Writable for f32 {
    fn of(storage: &mut CpuStorage) -> Option<&mut [Self]> {
        if let CpuStorage::F32(numbers) = storage { Some(numbers) } else { None }
    }
}

impl Writable for f16 {
    fn of(storage: &mut CpuStorage) -> Option<&mut [Self]> {
        if let CpuStorage::F16(numbers) = storage { Some(numbers) } else { None }
    }
}

struct InPlace<F>(F);

impl<F: Fn(&mut CpuStorage, &Layout) -> Result<()>> InplaceOp1 for InPlace<F> {
    fn name(&self) -> &'static str {
        "in-place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        self.0(storage, layout)
    }
}

fn unfit(layout: &Layout) -> Error {
    Error::Msg(format!("a kernel of the host was given another type or place of numbers than it takes, at {layout:?}"))
}
