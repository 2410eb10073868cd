//! Where tensors lie, for the kernels of [`crate::gpu`], which know addresses and no tensors.

#[cfg(feature = "cuda")]
use candle_core::{CudaStorage, DType, cuda_backend::cudarc::driver::DevicePtr};
use candle_core::{Result, Storage, Tensor};

/// Where the numbers of a contiguous tensor lie.
pub(super) fn address(tensor: &Tensor) -> Result<u64> {
    let (storage, layout) = tensor.storage_and_layout();
    let Some((start, _)) = layout.contiguous_offsets() else { candle_core::bail!("a kernel was given a view") };
    let base = match &*storage {
        Storage::Cpu(storage) => {
            use candle_core::CpuStorage as Cpu;
            match storage {
                Cpu::F32(numbers) => numbers.as_ptr().addr(),
                Cpu::F16(numbers) => numbers.as_ptr().addr(),
                Cpu::BF16(numbers) => numbers.as_ptr().addr(),
                Cpu::U32(numbers) => numbers.as_ptr().addr(),
                Cpu::U8(numbers) => numbers.as_ptr().addr(),
                _ => candle_core::bail!("a kernel was given {:?}", tensor.dtype()),
            }
        }
        #[cfg(feature = "cuda")]
        Storage::Cuda(storage) => device_address(storage, tensor.dtype())?,
        _ => candle_core::bail!("a kernel was given another device's tensor"),
    };
    Ok((base + start * tensor.dtype().size_in_bytes()) as u64)
}

#[cfg(feature = "cuda")]
fn device_address(storage: &CudaStorage, dtype: DType) -> Result<usize> {
    let stream = storage.device.cuda_stream();
    let place = match dtype {
        DType::F32 => storage.as_cuda_slice::<f32>()?.device_ptr(&stream).0,
        DType::F16 => storage.as_cuda_slice::<half::f16>()?.device_ptr(&stream).0,
        DType::BF16 => storage.as_cuda_slice::<half::bf16>()?.device_ptr(&stream).0,
        DType::U32 => storage.as_cuda_slice::<u32>()?.device_ptr(&stream).0,
        DType::U8 => storage.as_cuda_slice::<u8>()?.device_ptr(&stream).0,
        other => candle_core::bail!("a kernel was given {other:?}"),
    };
    Ok(place as usize)
}
