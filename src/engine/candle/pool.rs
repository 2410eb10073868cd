//! The pool that tensors on a GPU come from.
//!
//! candle allocates in the order of its stream (`cuMemAllocAsync`), from the device's current pool. The functions and
//! attributes: <https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__MALLOC__ASYNC.html>.

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::result::{device, mem_pool};
use candle_core::cuda_backend::cudarc::driver::sys::{CUmemPool_attribute as Attribute, CUmemoryPool};
use candle_core::{CudaDevice, Result};

use super::gpu_memory::GpuMemory;
use crate::record::PoolMemory;

/// Lets the pool hold all that it ever had, and starts its high-water marks anew.
pub(super) fn keep_freed(device: &CudaDevice) -> Result<()> {
    let Some(pool) = pool(device)? else { return Ok(()) };
    set(pool, Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, u64::MAX)?;
    start_marks(pool)
}

/// What the pool holds now.
pub(super) fn held(device: &CudaDevice) -> Result<Option<PoolMemory>> {
    let Some(pool) = pool(device)? else { return Ok(None) };
    Ok(Some(PoolMemory {
        used_bytes: get(pool, Attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?,
        reserved_bytes: get(pool, Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?,
    }))
}

/// The most that it held since its marks were started, which starts them anew.
pub(super) fn take_peak(device: &CudaDevice) -> Result<Option<PoolMemory>> {
    let Some(pool) = pool(device)? else { return Ok(None) };
    let peak = PoolMemory {
        used_bytes: get(pool, Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)?,
        reserved_bytes: get(pool, Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)?,
    };
    start_marks(pool)?;
    Ok(Some(peak))
}

/// A mark that is set to 0 goes on from what is held now; it can be set to nothing else.
fn start_marks(pool: CUmemoryPool) -> Result<()> {
    set(pool, Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0)?;
    set(pool, Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, 0)
}

/// Returns to the driver what the pool holds and no tensor uses.
pub(super) fn give_back(device: &CudaDevice) -> Result<()> {
    let Some(pool) = pool(device)? else { return Ok(()) };
    // A block whose freeing the host has not seen done counts as used.
    device.synchronize()?;
    // SAFETY: the device's own pool, which lives as long as the driver.
    unsafe { mem_pool::trim_to(pool, 0) }.w()
}

pub(super) fn memory(device: &CudaDevice) -> Result<GpuMemory> {
    let (free, total) = device.cuda_stream().context().mem_get_info().w()?;
    let peak = pool(device)?.map(|pool| get(pool, Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)).transpose()?;
    Ok(GpuMemory { total: total as u64, free: free as u64, peak })
}

/// The pool that candle's stream allocates from; `None` of a device without any, where candle asks the driver each time.
fn pool(device: &CudaDevice) -> Result<Option<CUmemoryPool>> {
    let stream = device.cuda_stream();
    let context = stream.context();
    if !context.has_async_alloc() {
        return Ok(None);
    }
    context.bind_to_thread().w()?;
    // SAFETY: the context was made of this device.
    unsafe { device::get_mem_pool(context.cu_device()) }.w().map(Some)
}

fn set(pool: CUmemoryPool, attribute: Attribute, mut value: u64) -> Result<()> {
    // SAFETY: the device's own pool; the attributes that are set here are 64 bits wide.
    unsafe { mem_pool::set_attribute(pool, attribute, (&raw mut value).cast()) }.w()
}

fn get(pool: CUmemoryPool, attribute: Attribute) -> Result<u64> {
    let mut value: u64 = 0;
    // SAFETY: the device's own pool; the attributes that are read here are 64 bits wide.
    unsafe { mem_pool::get_attribute(pool, attribute, (&raw mut value).cast()) }.w()?;
    Ok(value)
}
