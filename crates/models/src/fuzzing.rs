//! Parsers of bytes that come from anywhere, for the targets in `fuzz/`; built for them only.

use critbatch_kernels::{Graph, Initialiser, LaneState, Parameter, Snapshot};

use crate::checkpoint::{from_bytes, to_bytes};

/// The parameters of a trial whose checkpoints are read.
fn parameters() -> Vec<Parameter> {
    let mut graph = Graph::new();
    for (name, shape) in [("weights", vec![2, 3]), ("bias", vec![3])] {
        graph.parameter(name, &shape, Initialiser::Zeros).expect("names differ");
    }
    graph.parameters().to_vec()
}

/// A checkpoint, with and without a second moment; one that is accepted says the same when it is written
/// again.
pub fn checkpoint(content: &[u8]) {
    let parameters = parameters();
    for has_second_moment in [false, true] {
        let Ok(snapshot) = from_bytes(content, &parameters, has_second_moment) else { continue };
        let bits = |snapshot: &Snapshot<f32>| {
            let values = [&snapshot.parameters, &snapshot.velocity, &snapshot.second_moment];
            values.map(|values| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
        };
        let written = to_bytes(&snapshot, &parameters).expect("what was read can be written");
        let again = from_bytes(&written, &parameters, has_second_moment).expect("and read again");
        assert_eq!(bits(&snapshot), bits(&again));
        assert_eq!(bytemuck::bytes_of(&snapshot.state), bytemuck::bytes_of(&again.state));
    }
}

/// A sound checkpoint, to begin with.
pub fn sound_checkpoint() -> Vec<u8> {
    let parameters = parameters();
    let values: Vec<f32> = (0_u8..9).map(|value| f32::from(value) / 8.0).collect();
    let mut snapshot = Snapshot::fresh(LaneState::default(), values.clone());
    snapshot.second_moment = values;
    to_bytes(&snapshot, &parameters).expect("a small snapshot can be written")
}
