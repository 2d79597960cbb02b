//! Data on their way to the device: through buffers that are there from the beginning.
//!
//! `Queue::write_buffer` makes a buffer for every call, which lives until the next submission; wgpu gives
//! the device up for lost where there is no memory for one. So it writes a few bytes at most here: lane
//! states and `Params`.

use std::ops::Range;

use super::device::Device;
use crate::error::Error;

/// Bytes of a buffer, if what is written at once is not of another size: at least, so that fewer copies
/// fill scratch, ...
const LEAST_BYTES: u64 = 64 << 10;

/// ... and at most.
const MOST_BYTES: u64 = 16 << 20;

/// What an executor writes, and in how many buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UploadSizes {
    /// Bytes of one buffer.
    pub(crate) bytes: u64,
    /// Buffers that are taken in turn.
    pub(crate) n_buffers: usize,
}

impl UploadSizes {
    /// For data of `longest` bytes at most, written while nothing runs, and, in a round, for the batches of
    /// a stream, of which so many are on their way at the same time: these do not wait for each other.
    pub(crate) fn new(longest: u64, batches: Option<u64>, n_ahead: usize) -> Self {
        let bytes = longest.clamp(LEAST_BYTES, MOST_BYTES).max(batches.unwrap_or(0));
        let n_buffers = if batches.is_some() { n_ahead + 1 } else { 1 };
        Self { bytes: bytes.next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT), n_buffers }
    }

    /// Bytes of all buffers.
    pub(crate) fn all_bytes(self) -> u64 {
        self.bytes * self.n_buffers as u64
    }
}

/// Buffers that the host writes and the device copies from, in turn.
pub(crate) struct Upload {
    buffers: Vec<Written>,
    next: usize,
}

/// A buffer, and the submission that last copied from it.
struct Written {
    buffer: wgpu::Buffer,
    read_by: Option<wgpu::SubmissionIndex>,
}

impl Upload {
    pub(crate) fn new(buffers: Vec<wgpu::Buffer>) -> Self {
        let written = |buffer| Written { buffer, read_by: None };
        Self { buffers: buffers.into_iter().map(written).collect(), next: 0 }
    }

    /// Copies bytes to a place in a buffer, piece by piece; zeros follow the last of them up to a whole
    /// word.
    ///
    /// # Errors
    /// If the device failed.
    pub(crate) fn write(
        &mut self,
        device: &Device,
        target: &wgpu::Buffer,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let mut offset = offset;
        for piece in bytes.chunks(self.len()) {
            let len = (piece.len() as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
            self.send(device, piece, |encoder, source| {
                encoder.copy_buffer_to_buffer(source, 0, target, offset, len);
            })?;
            offset += len;
        }
        Ok(())
    }

    /// Fills ranges of bytes in buffers with a word.
    ///
    /// # Errors
    /// If the device failed.
    pub(crate) fn fill<'b>(
        &mut self,
        device: &Device,
        word: [u8; 4],
        targets: impl Iterator<Item = (&'b wgpu::Buffer, Range<u64>)>,
    ) -> Result<(), Error> {
        let len = self.len();
        self.send(device, &word.repeat(len / word.len()), |encoder, source| {
            for (target, Range { start, end }) in targets {
                for offset in (start..end).step_by(len) {
                    let len = (len as u64).min(end - offset);
                    encoder.copy_buffer_to_buffer(source, 0, target, offset, len);
                }
            }
        })
    }

    /// Puts bytes into the next buffer, once the device has read what was there, and submits what is
    /// recorded of copies from it.
    fn send(
        &mut self,
        device: &Device,
        bytes: &[u8],
        record: impl FnOnce(&mut wgpu::CommandEncoder, &wgpu::Buffer),
    ) -> Result<(), Error> {
        let Written { buffer, read_by } = &mut self.buffers[self.next];
        let padding = bytes.len().next_multiple_of(size_of::<u32>()) - bytes.len();
        let len = (bytes.len() + padding) as u64;
        device.map(buffer, wgpu::MapMode::Write, len, read_by.take())?;
        let view = buffer.get_mapped_range_mut(0..len);
        let mut view = view.map_err(|error| device.error(&error.to_string()))?;
        view.slice(..bytes.len()).copy_from_slice(bytes);
        view.slice(bytes.len()..).copy_from_slice(&[0; size_of::<u32>()][..padding]);
        drop(view);
        buffer.unmap();
        let mut encoder = device.device.create_command_encoder(&Default::default());
        record(&mut encoder, buffer);
        *read_by = Some(device.queue.submit([encoder.finish()]));
        self.next = (self.next + 1) % self.buffers.len();
        Ok(())
    }

    /// Bytes of one buffer.
    fn len(&self) -> usize {
        self.buffers[self.next].buffer.size() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_hold_what_is_written_or_pieces_of_it() {
        let sizes = |longest, batches| {
            let UploadSizes { bytes, n_buffers } = UploadSizes::new(longest, batches, 2);
            (bytes, n_buffers)
        };
        assert_eq!(sizes(5, None), (LEAST_BYTES, 1));
        assert_eq!(sizes(1_000_001, None), (1_000_004, 1));
        assert_eq!(sizes(1 << 30, None), (MOST_BYTES, 1));
        assert_eq!(sizes(1 << 30, Some(7)), (MOST_BYTES, 3));
        assert_eq!(sizes(1 << 30, Some(1 << 25)), (1 << 25, 3));
        assert_eq!(UploadSizes::new(0, Some(1 << 25), 2).all_bytes(), 3 << 25);
    }
}
