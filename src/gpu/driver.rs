//! The kernels on a CUDA device: a list of launches is a graph, which one call repeats.

use std::ffi::c_void;
use std::sync::Arc;

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::sys::{
    CUdevice_attribute, CUgraphInstantiate_flags, CUstreamCaptureMode,
};
use candle_core::cuda_backend::cudarc::driver::{CudaFunction, CudaGraph, CudaStream, result};
use candle_core::{CudaDevice, Result};

use super::launch::Launch;
use super::machine::{Machine, Prepared};

/// All kernels, as nvcc compiled them for the compute capability that was built for.
const KERNELS: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));

/// A CUDA device, whose kernels run on candle's stream.
pub struct Driver {
    device: CudaDevice,
}

impl Driver {
    pub fn new(device: &CudaDevice) -> Self {
        Self { device: device.clone() }
    }

    fn function(&self, name: &str) -> Result<CudaFunction> {
        Ok(self.device.get_or_load_custom_func(name, "bench", KERNELS)?.into_cuda_function())
    }

    fn queue(&self, function: &CudaFunction, launch: &Launch) -> Result<()> {
        let [x, y] = launch.blocks;
        let mut params = [launch.params().cast::<c_void>().cast_mut()];
        // SAFETY: the kernel takes one structure, which lies there; the driver copies it at once. The addresses in it are the
        // promise of who made the launch.
        let launched = unsafe {
            result::launch_kernel(
                function.cu_function(),
                (x, y, 1),
                (launch.threads, 1, 1),
                0,
                self.device.cuda_stream().cu_stream(),
                &mut params,
            )
        };
        launched.w()
    }
}

impl Machine for Driver {
    fn processors(&self) -> usize {
        let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        self.device.cuda_stream().context().attribute(attribute).map_or(1, |count| count.max(1) as usize)
    }

    unsafe fn prepare(&self, launches: Vec<Launch>) -> Result<Box<dyn Prepared>> {
        // Loaded before the capture, in which nothing may be.
        let functions: Vec<CudaFunction> =
            launches.iter().map(|launch| self.function(launch.kernel)).collect::<Result<_>>()?;
        let stream = self.device.cuda_stream();
        stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w()?;
        let queued = functions.iter().zip(&launches).try_for_each(|(function, launch)| self.queue(function, launch));
        // The capture is ended in any case: nothing else could be queued before.
        let graph = stream.end_capture(CUgraphInstantiate_flags(0)).w();
        queued?;
        let graph = graph?.ok_or_else(|| candle_core::Error::Msg("the driver captured no graph".into()))?;
        graph.upload().w()?;
        Ok(Box::new(CapturedStep { graph, stream, _functions: functions }))
    }

    unsafe fn launch(&self, launches: &[Launch]) -> Result<()> {
        launches.iter().try_for_each(|launch| self.queue(&self.function(launch.kernel)?, launch))
    }
}

/// A captured graph, with the kernels that it launches.
struct CapturedStep {
    graph: CudaGraph,
    stream: Arc<CudaStream>,
    _functions: Vec<CudaFunction>,
}

impl Prepared for CapturedStep {
    fn run(&self) -> Result<()> {
        self.graph.launch().w()
    }

    unsafe fn write(&self, place: u64, words: &[u32]) -> Result<()> {
        // SAFETY: the caller's promise. Memory of the host that is not pinned is read before this returns.
        unsafe { result::memcpy_htod_async(place, words, self.stream.cu_stream()) }.w()
    }

    unsafe fn read(&self, place: u64, words: &mut [u32]) -> Result<()> {
        // SAFETY: the caller's promise; the words are not touched before they are there.
        unsafe { result::memcpy_dtoh_async(words, place, self.stream.cu_stream()) }.w()?;
        self.stream.synchronize().w()
    }
}
