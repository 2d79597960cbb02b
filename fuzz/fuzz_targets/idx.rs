//! Images and labels in the IDX format, plain and in gzip.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| critbatch_data::fuzzing::idx(content));
