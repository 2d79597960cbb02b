//! Native kernels of the convolution: windows unrolled for a few images at a time, then products.

use faer::Accum;

use super::Conv2d;
use crate::cpu::{CpuContext, chunks};
use crate::ops::matmul::matrix;
use crate::real::Real;

/// Elements of the unrolled windows that one product works on: half a second-level cache.
const PATCHES_LEN: usize = 1 << 18;

/// Parts that a filter gradient is summed in at most; fixed, so that bits do not depend on
/// threads.
const MAX_PARTS: usize = 8;

impl Conv2d {
    pub(crate) fn cpu<T: Real>(self, context: &CpuContext<'_, T>, inputs: &[&[T]], y: &mut [T]) {
        let (x, bias) = (inputs[0], inputs.get(2).copied());
        let filter = matrix(inputs[1], (self.patch_len(), self.out_channels), false);
        let images = self.images_per_product();
        chunks::for_each(context.parallel, y, images * self.out_image_len(), |chunk, y| {
            let n_images = y.len() / self.out_image_len();
            let mut patches = self.take_patches(context, n_images);
            self.unroll(self.images(x, chunk * images, n_images), &mut patches);
            let rows = n_images * self.window.out_len();
            T::product(
                matrix(&patches, (rows, self.patch_len()), false),
                filter,
                y,
                Accum::Replace,
            );
            self.epilogue.apply(bias, y);
            context.scratch.give(patches);
        });
    }

    pub(crate) fn grad_input_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_x: &mut [T],
    ) {
        let grad_y = inputs[0];
        let filter = matrix(inputs[1], (self.out_channels, self.patch_len()), true);
        let images = self.images_per_product();
        chunks::for_each(context.parallel, grad_x, images * self.image_len(), |chunk, grad_x| {
            let n_images = grad_x.len() / self.image_len();
            let mut patches = self.take_patches(context, n_images);
            let rows = n_images * self.window.out_len();
            let start = chunk * images * self.out_image_len();
            let grad_y = &grad_y[start..start + n_images * self.out_image_len()];
            let grad_y = matrix(grad_y, (rows, self.out_channels), false);
            T::product(grad_y, filter, &mut patches, Accum::Replace);
            self.roll(&patches, grad_x);
            context.scratch.give(patches);
        });
    }

    pub(crate) fn grad_filter_cpu<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        inputs: &[&[T]],
        grad_filter: &mut [T],
    ) {
        let (x, grad_y) = (inputs[0], inputs[1]);
        let images = self.images_per_product();
        let n_products = self.batch.div_ceil(images);
        let products_per_part = n_products.div_ceil(MAX_PARTS);
        let n_parts = n_products.div_ceil(products_per_part);
        let filter_len = grad_filter.len();
        let mut parts = context.scratch.take(n_parts * filter_len);
        chunks::for_each(context.parallel, &mut parts, filter_len, |part, sum| {
            let first = part * products_per_part;
            for index in first..(first + products_per_part).min(n_products) {
                let start = index * images;
                let n_images = images.min(self.batch - start);
                let accum = if index == first { Accum::Replace } else { Accum::Add };
                self.add_filter_product(context, (x, grad_y), (start, n_images), sum, accum);
            }
        });
        let (first, rest) = parts.split_at(filter_len);
        grad_filter.copy_from_slice(first);
        for part in rest.chunks_exact(filter_len) {
            for (sum, &part) in grad_filter.iter_mut().zip(part) {
                *sum += part;
            }
        }
        context.scratch.give(parts);
    }

    /// `sum (+)= patches^T grad_y` over some images.
    fn add_filter_product<T: Real>(
        self,
        context: &CpuContext<'_, T>,
        (x, grad_y): (&[T], &[T]),
        (start, n_images): (usize, usize),
        sum: &mut [T],
        accum: Accum,
    ) {
        let mut patches = self.take_patches(context, n_images);
        self.unroll(self.images(x, start, n_images), &mut patches);
        let rows = n_images * self.window.out_len();
        let out_len = self.out_image_len();
        let grad_y = &grad_y[start * out_len..(start + n_images) * out_len];
        T::product(
            matrix(&patches, (self.patch_len(), rows), true),
            matrix(grad_y, (rows, self.out_channels), false),
            sum,
            accum,
        );
        context.scratch.give(patches);
    }

    fn images_per_product(&self) -> usize {
        let patches_per_image = self.window.out_len() * self.patch_len();
        (PATCHES_LEN / patches_per_image).clamp(1, self.batch)
    }

    fn take_patches<T: Real>(&self, context: &CpuContext<'_, T>, n_images: usize) -> Vec<T> {
        context.scratch.take(n_images * self.window.out_len() * self.patch_len())
    }

    fn images<'x, T>(&self, x: &'x [T], start: usize, n_images: usize) -> &'x [T] {
        &x[start * self.image_len()..(start + n_images) * self.image_len()]
    }

    /// Copies each window of `x` into a row of `patches`, with zeros outside the image.
    fn unroll<T: Real>(&self, x: &[T], patches: &mut [T]) {
        let (window, channels) = (&self.window, self.in_channels);
        let row_len = window.width * channels;
        let mut patches = patches.chunks_exact_mut(self.patch_len());
        for image in x.chunks_exact(self.image_len()) {
            for i in 0..window.out_height {
                let rows = window.rows(i);
                for j in 0..window.out_width {
                    let columns = window.columns(j);
                    let patch = patches.next().expect("one patch for each window");
                    for (row, patch) in patch.chunks_exact_mut(row_len).enumerate() {
                        if !rows.contains(&row) || columns.is_empty() {
                            patch.fill(T::zero());
                            continue;
                        }
                        let (start, end) = (columns.start * channels, columns.end * channels);
                        let first = window.in_column(j, columns.start);
                        let pixel = window.in_row(i, row) * window.in_width + first;
                        let source = &image[pixel * channels..][..end - start];
                        patch[..start].fill(T::zero());
                        patch[start..end].copy_from_slice(source);
                        patch[end..].fill(T::zero());
                    }
                }
            }
        }
    }

    /// Adds each row of `patches` back to the pixels that it was copied from.
    fn roll<T: Real>(&self, patches: &[T], grad_x: &mut [T]) {
        let (window, channels) = (&self.window, self.in_channels);
        let row_len = window.width * channels;
        let mut patches = patches.chunks_exact(self.patch_len());
        grad_x.fill(T::zero());
        for image in grad_x.chunks_exact_mut(self.image_len()) {
            for i in 0..window.out_height {
                for j in 0..window.out_width {
                    let columns = window.columns(j);
                    let patch = patches.next().expect("one patch for each window");
                    if columns.is_empty() {
                        continue;
                    }
                    for row in window.rows(i) {
                        let source = &patch[row * row_len..][..row_len];
                        let source = &source[columns.start * channels..columns.end * channels];
                        let first = window.in_column(j, columns.start);
                        let pixel = window.in_row(i, row) * window.in_width + first;
                        let target = &mut image[pixel * channels..][..source.len()];
                        for (target, &value) in target.iter_mut().zip(source) {
                            *target += value;
                        }
                    }
                }
            }
        }
    }
}
