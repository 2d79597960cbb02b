//! Checkpoints (safetensors) of a small trial.
#![no_main]

libfuzzer_sys::fuzz_target!(|content: &[u8]| critbatch_models::fuzzing::checkpoint(content));
