//! Photographs, cut and resized.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| critbatch_data::fuzzing::photograph(content));
