//! Intel's Advanced Matrix Extensions (AMX): eight tile registers of 16 rows of 64 bytes, and an instruction
//! that multiplies two tiles of bf16 and adds the product to one of f32.
//!
//! # Source
//! Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1 chapter 18 and volume 2, TDPBF16PS;
//! the Linux kernel's `Documentation/arch/x86/xstate.rst`.

#![expect(unsafe_code, reason = "the standard library has no stable functions of the tiles")]

use std::arch::asm;
use std::arch::x86_64::{__cpuid_count, __get_cpuid_max};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::LazyLock;

use super::Unit;
use super::split::{Chunk, PANEL, TILE, TILE_LEN};

/// Bytes of a row of a tile.
const ROW_BYTES: u16 = 64;

/// Rows of a tile.
const N_ROWS: u8 = 16;

/// Bytes of a tile.
const TILE_BYTES: usize = 2 * TILE_LEN;

const _: () = assert!(N_ROWS as usize == TILE && TILE_BYTES == TILE * ROW_BYTES as usize);

/// The unit of a thread, its registers set up.
pub(super) struct MatrixUnit {
    /// A thread's own: not to be sent to another.
    _of_this_thread: PhantomData<*const ()>,
}

thread_local! {
    /// Whether a [`MatrixUnit`] of this thread exists: the end of a second one would free its registers.
    static IS_TAKEN: Cell<bool> = const { Cell::new(false) };
}

impl MatrixUnit {
    pub(super) const NAME: &str = "AMX";

    /// Whether the processor has tiles of bf16 and the system lets this program use them.
    pub(super) fn is_available() -> bool {
        static IS_AVAILABLE: LazyLock<bool> = LazyLock::new(|| has_bf16_tiles() && is_permitted());
        *IS_AVAILABLE
    }

    /// Sets up all eight registers, 16 rows of 64 bytes each.
    pub(super) fn take() -> Self {
        assert!(Self::is_available(), "no matrix unit");
        assert!(!IS_TAKEN.replace(true), "the matrix unit is taken");
        /// What `LDTILECFG` reads: palette 1, and of each register bytes of a row and rows.
        #[repr(C, align(64))]
        struct Configuration {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        let mut configuration = Configuration {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        configuration.row_bytes[..8].fill(ROW_BYTES);
        configuration.rows[..8].fill(N_ROWS);
        // SAFETY: the unit is there and permitted; 64 bytes are read, laid out as it expects. Code that the
        // compiler makes has no tiles, and what is here asks for no content of a tile beyond its block.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const configuration, options(nostack, readonly))
        };
        Self { _of_this_thread: PhantomData }
    }
}

impl Drop for MatrixUnit {
    /// Frees the registers, so that the system need not keep them when it changes threads.
    fn drop(&mut self) {
        // SAFETY: the thread has set its tiles up, and nothing needs them any more.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
        IS_TAKEN.set(false);
    }
}

/// Two tiles of a part of the chunk at a pointer, into two registers.
macro_rules! load {
    ($operand:literal, $part:literal, $first:literal, $second:literal) => {
        concat!(
            "tileloadd ",
            $first,
            ", [{",
            $operand,
            "} + {row}*1 + 2*{tile}*",
            $part,
            "]\n",
            "tileloadd ",
            $second,
            ", [{",
            $operand,
            "} + {row}*1 + 2*{tile}*",
            $part,
            " + {tile}]",
        )
    };
}

/// The product of what is loaded of both operands, added to the sums.
macro_rules! multiply {
    () => {
        concat!(
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7",
        )
    };
}

impl Unit for MatrixUnit {
    // tmm0 to tmm3 are the sums, tmm4 and tmm5 tiles of `lhs`, tmm6 and tmm7 tiles of `rhs`. The order of the
    // parts needs the fewest loads; it ends with the largest.
    fn multiply(&self, lhs: &[Chunk], rhs: &[Chunk], sums: &mut [f32], stride: usize, add: bool) {
        assert_eq!(lhs.len(), rhs.len(), "chunks of terms");
        assert!(!lhs.is_empty(), "no terms");
        assert!(sums.len() >= (PANEL - 1) * stride + PANEL, "a panel of sums");
        let upper = sums.as_mut_ptr();
        let lower = upper.wrapping_add(TILE * stride);
        // SAFETY: the registers are set up, or there would be no `self`. As many chunks are read of either
        // operand as both have, at least one. Of `sums` 16 rows of 32 elements are read and written from `upper`
        // on and 16 from `lower` on, `stride` apart: all within it, as asserted.
        unsafe {
            asm!(
                "test {add}, {add}",
                "jnz 2f",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "jmp 3f",
                "2:",
                "tileloadd tmm0, [{upper} + {stride}*1]",
                "tileloadd tmm1, [{upper} + {stride}*1 + 64]",
                "tileloadd tmm2, [{lower} + {stride}*1]",
                "tileloadd tmm3, [{lower} + {stride}*1 + 64]",
                "3:",
                load!("lhs", 2, "tmm4", "tmm5"),
                load!("rhs", 0, "tmm6", "tmm7"),
                multiply!(),
                load!("lhs", 1, "tmm4", "tmm5"),
                multiply!(),
                load!("rhs", 1, "tmm6", "tmm7"),
                multiply!(),
                load!("lhs", 0, "tmm4", "tmm5"),
                multiply!(),
                load!("rhs", 2, "tmm6", "tmm7"),
                multiply!(),
                load!("rhs", 0, "tmm6", "tmm7"),
                multiply!(),
                "add {lhs}, {chunk}",
                "add {rhs}, {chunk}",
                "dec {n_chunks}",
                "jnz 3b",
                "tilestored [{upper} + {stride}*1], tmm0",
                "tilestored [{upper} + {stride}*1 + 64], tmm1",
                "tilestored [{lower} + {stride}*1], tmm2",
                "tilestored [{lower} + {stride}*1 + 64], tmm3",
                lhs = inout(reg) lhs.as_ptr() => _,
                rhs = inout(reg) rhs.as_ptr() => _,
                n_chunks = inout(reg) lhs.len() => _,
                add = in(reg) usize::from(add),
                upper = in(reg) upper,
                lower = in(reg) lower,
                stride = in(reg) stride * size_of::<f32>(),
                row = in(reg) usize::from(ROW_BYTES),
                tile = const TILE_BYTES,
                chunk = const size_of::<Chunk>(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

/// Whether the processor has the tiles and multiplies bf16 with them.
fn has_bf16_tiles() -> bool {
    const FEATURES: u32 = 7;
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    let (last_leaf, _) = __get_cpuid_max(0);
    let features = if last_leaf < FEATURES { 0 } else { __cpuid_count(FEATURES, 0).edx };
    features & AMX_BF16 != 0 && features & AMX_TILE != 0
}

/// Asks the system for the tiles, for all threads of this program; refused where it does not know them.
fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: the call takes numbers alone and changes nothing but what the program may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}
