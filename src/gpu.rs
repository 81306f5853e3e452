//! A GPU: its context, buffers and launches. Nothing outside knows wgpu.

mod adapter;
mod pipeline;

use std::collections::HashMap;
use std::fmt;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wgpu::util::{BufferInitDescriptor, DeviceExt};

use self::pipeline::Pipeline;
use crate::error::{Error, Result};
pub use adapter::{Adapter, AdapterKind, Limits};
pub(crate) use pipeline::Program;

/// A GPU that kernels run on. A clone is another handle to the same context.
#[derive(Clone)]
pub struct Gpu(Arc<Context>);

struct Context {
    adapter: Adapter,
    device: wgpu::Device,
    queue: wgpu::Queue,
    pipelines: Mutex<HashMap<&'static str, Arc<Pipeline>>>,
    /// The first error that no one was waiting for.
    failure: Arc<Mutex<Option<String>>>,
}

/// Memory of a GPU.
#[derive(Debug)]
pub(crate) struct Buffer(wgpu::Buffer);

/// Launches and copies that are submitted together, in their order.
#[derive(Debug)]
pub(crate) struct Batch {
    encoder: wgpu::CommandEncoder,
    /// Work since the last submission, in the caller's measure.
    work: u64,
    /// What was submitted last.
    submitted: Option<wgpu::SubmissionIndex>,
}

/// How long a result that is done may take from the thread that found it so to the one that waits.
const HAND_OVER: Duration = Duration::from_millis(100);

/// A submitted batch whose last copy went to a buffer that the host can read.
#[derive(Debug)]
pub(crate) struct Ticket {
    index: wgpu::SubmissionIndex,
    mapped: Receiver<Result<(), wgpu::BufferAsyncError>>,
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gpu").field(&self.0.adapter).finish()
    }
}

fn found() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        // Validation layers are for the development of wgpu, and absent from most machines.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY))
}

impl Gpu {
    /// What the system offers, software adapters included. Empty where no driver can be loaded.
    pub fn adapters() -> Vec<Adapter> {
        let found = found();
        found
            .iter()
            .enumerate()
            .map(|(i, a)| Adapter::of(i, a))
            .collect()
    }

    /// Opens an adapter by its number in [`Gpu::adapters`], with all that it can hold.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no such adapter or its driver refuses.
    pub fn open(index: usize) -> Result<Self> {
        let found = found();
        let wanted = format!("gpu:{index}");
        let Some(adapter) = found.get(index) else {
            return Err(Error::Device {
                wanted,
                reason: format!(
                    "there are {} adapters, numbered from 0; `whylight devices` lists them",
                    found.len()
                ),
            });
        };
        let description = wgpu::DeviceDescriptor {
            label: Some("whylight"),
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let opened = pollster::block_on(adapter.request_device(&description));
        let (device, queue) = opened.map_err(|error| Error::Device {
            wanted,
            reason: format!(
                "its driver refuses: {error}; update the driver, or take another device"
            ),
        })?;
        let failure = Arc::new(Mutex::new(None));
        let keep = |failure: &Arc<Mutex<Option<String>>>| {
            let failure = Arc::clone(failure);
            move |message: String| {
                lock(&failure).get_or_insert(message);
            }
        };
        let first = keep(&failure);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            first(error.to_string());
        }));
        let first = keep(&failure);
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                first(format!("the device was lost: {message}"));
            }
        });
        Ok(Self(Arc::new(Context {
            adapter: Adapter::of(index, adapter),
            device,
            queue,
            pipelines: Mutex::default(),
            failure,
        })))
    }

    /// The adapter.
    pub fn adapter(&self) -> &Adapter {
        &self.0.adapter
    }

    fn error(&self, doing: &str, reason: &dyn fmt::Display) -> Error {
        Error::Gpu {
            adapter: self.0.adapter.name.clone(),
            doing: doing.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// Fails with what has gone wrong since it was last asked, if anything has.
    pub(crate) fn check(&self, doing: &str) -> Result<()> {
        match lock(&self.0.failure).take() {
            Some(reason) => Err(self.error(doing, &reason)),
            None => Ok(()),
        }
    }

    /// A buffer that holds `items`, for kernels to read. It has at least one item's worth of bytes,
    /// for a binding may not be empty.
    pub(crate) fn upload<T: bytemuck::Pod>(&self, label: &str, items: &[T]) -> Buffer {
        let empty = [0_u8; 64];
        let contents = match bytemuck::cast_slice(items) {
            [] => &empty,
            bytes => bytes,
        };
        Buffer(self.0.device.create_buffer_init(&BufferInitDescriptor {
            label: Some(label),
            contents,
            usage: wgpu::BufferUsages::STORAGE,
        }))
    }

    /// A buffer for kernels to read and write.
    pub(crate) fn storage(&self, label: &str, bytes: u64) -> Buffer {
        self.buffer(
            label,
            bytes,
            wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
        )
    }

    /// A buffer for the host to read.
    pub(crate) fn readable(&self, label: &str, bytes: u64) -> Buffer {
        self.buffer(
            label,
            bytes,
            wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        )
    }

    fn buffer(&self, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> Buffer {
        Buffer(self.0.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes.max(64).next_multiple_of(4),
            usage,
            mapped_at_creation: false,
        }))
    }

    /// Writes to the beginning of a buffer, before the next batch.
    pub(crate) fn write<T: bytemuck::Pod>(&self, to: &Buffer, items: &[T]) {
        let bytes = bytemuck::cast_slice(items);
        self.0.queue.write_buffer(&to.0, 0, bytes);
    }

    pub(crate) fn batch(&self) -> Batch {
        Batch {
            encoder: self.encoder(),
            work: 0,
            submitted: None,
        }
    }

    fn encoder(&self) -> wgpu::CommandEncoder {
        let description = wgpu::CommandEncoderDescriptor::default();
        self.0.device.create_command_encoder(&description)
    }

    /// Adds `work` to a batch and submits what it has so far when that exceeds `most`: drivers
    /// kill a submission that takes seconds. All but the last submission are then waited for, as
    /// what they hold would otherwise fill the memory of the host.
    pub(crate) fn pace(&self, batch: &mut Batch, work: u64, most: u64) {
        batch.work += work;
        if batch.work > most {
            let full = std::mem::replace(&mut batch.encoder, self.encoder());
            let index = self.0.queue.submit([full.finish()]);
            if let Some(earlier) = batch.submitted.replace(index) {
                // What fails here fails again where the result is read, and is told there.
                let _ = self.0.device.poll(wgpu::PollType::Wait {
                    submission_index: Some(earlier),
                    timeout: None,
                });
            }
            batch.work = 0;
        }
    }

    /// Submits a batch and asks for the first `bytes` of `readable` when it is done.
    pub(crate) fn submit(&self, batch: Batch, readable: &Buffer, bytes: u64) -> Ticket {
        let index = self.0.queue.submit([batch.encoder.finish()]);
        let (to, mapped) = mpsc::channel();
        readable
            .0
            .map_async(wgpu::MapMode::Read, ..bytes, move |result| {
                // Nobody waits any more for what cannot be sent.
                let _ = to.send(result);
            });
        Ticket { index, mapped }
    }

    /// Waits for a batch and hands out the words that it copied to `readable`.
    pub(crate) fn read<R>(
        &self,
        doing: &str,
        ticket: Ticket,
        readable: &Buffer,
        bytes: u64,
        take: impl FnOnce(&[f32]) -> R,
    ) -> Result<R> {
        let Ticket { index, mapped } = ticket;
        let mapped = loop {
            let polled = self.0.device.poll(wgpu::PollType::Wait {
                submission_index: Some(index.clone()),
                timeout: None,
            });
            self.check(doing)?;
            polled.map_err(|error| self.error(doing, &error))?;
            // Another thread that polls may be the one that hands it over, a moment later.
            match mapped.recv_timeout(HAND_OVER) {
                Ok(mapped) => break mapped,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.error(doing, &"its result was never handed over"));
                }
            }
        };
        mapped.map_err(|error| self.error(doing, &error))?;
        let view = readable.0.get_mapped_range(..bytes);
        let view = view.map_err(|error| self.error(doing, &error))?;
        let result = take(bytemuck::cast_slice(&view));
        drop(view);
        readable.0.unmap();
        Ok(result)
    }

    /// Adds a launch to a batch: bindings are the parameters, then `buffers` in their order.
    pub(crate) fn launch(
        &self,
        batch: &mut Batch,
        program: &Program<'_>,
        params: &[u8],
        buffers: &[&Buffer],
        workgroups: u64,
    ) -> Result<()> {
        let pipeline = self.pipeline(program)?;
        let grid = self.grid(program.name, workgroups)?;
        let params = self.0.device.create_buffer_init(&BufferInitDescriptor {
            label: Some("params"),
            contents: &padded(params),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let buffers = buffers.iter().map(|buffer| &buffer.0);
        let entries: Vec<_> = (0..)
            .zip(std::iter::once(&params).chain(buffers))
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let group = self.0.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(program.name),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let mut pass = batch
            .encoder
            .begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(grid.0, grid.1, 1);
        Ok(())
    }

    /// A grid of at least `workgroups`; what exceeds one dimension is folded into the second.
    fn grid(&self, kernel: &str, workgroups: u64) -> Result<(u32, u32)> {
        let widest = u64::from(self.0.adapter.limits.workgroups);
        let folds = workgroups.div_ceil(widest);
        if folds > widest {
            let reason = format!("{workgroups} workgroups, at most {} fit", widest * widest);
            return Err(self.error(&format!("kernel {kernel}"), &reason));
        }
        let width = workgroups.div_ceil(folds.max(1));
        Ok((width as u32, folds as u32))
    }

    fn pipeline(&self, program: &Program<'_>) -> Result<Arc<Pipeline>> {
        let mut pipelines = lock(&self.0.pipelines);
        if let Some(known) = pipelines.get(program.name) {
            return Ok(Arc::clone(known));
        }
        let scope = self
            .0
            .device
            .push_error_scope(wgpu::ErrorFilter::Validation);
        let inner = self.0.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let pipeline = Pipeline::new(&self.0.device, program);
        for scope in [inner, scope] {
            if let Some(error) = pollster::block_on(scope.pop()) {
                return Err(self.error(&format!("compiling kernel {}", program.name), &error));
            }
        }
        let pipeline = Arc::new(pipeline);
        pipelines.insert(program.name, Arc::clone(&pipeline));
        Ok(pipeline)
    }
}

impl Buffer {
    /// Size in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.size()
    }
}

impl Batch {
    /// Fills the first `bytes` of a buffer with 0.
    pub(crate) fn clear(&mut self, buffer: &Buffer, bytes: u64) {
        self.encoder.clear_buffer(&buffer.0, 0, Some(bytes));
    }

    /// Copies the first `bytes` of a buffer to `offset` in another.
    pub(crate) fn copy(&mut self, from: &Buffer, to: &Buffer, offset: u64, bytes: u64) {
        self.encoder
            .copy_buffer_to_buffer(&from.0, 0, &to.0, offset, bytes);
    }
}

/// Uniform buffers come in multiples of 16 bytes.
fn padded(params: &[u8]) -> Vec<u8> {
    let mut padded = params.to_vec();
    padded.resize(params.len().next_multiple_of(16), 0);
    padded
}

/// A panic elsewhere leaves these values whole: each is replaced in one step.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
