//! Parsers of bytes that come from anywhere, for the targets in `fuzz/`; built for them only.

use critbatch_kernels::{Graph, Initialiser, LaneState, Parameter, Snapshot};

use crate::checkpoint::{Checkpoint, to_bytes};

/// The parameters of a trial whose checkpoints are read.
fn parameters() -> Vec<Parameter> {
    let mut graph = Graph::new();
    for (name, shape) in [("weights", vec![2, 3]), ("bias", vec![3])] {
        graph.parameter(name, &shape, Initialiser::Zeros).expect("names differ");
    }
    graph.parameters().to_vec()
}

/// What a checkpoint says, if it is one.
fn read(content: &[u8], has_second_moment: bool) -> Option<Snapshot<f32>> {
    let parameters = parameters();
    let checkpoint = Checkpoint::open(content, &parameters, has_second_moment).ok()?;
    let mut snapshot = Snapshot::fresh(checkpoint.state, vec![0.0; 9]);
    snapshot.second_moment = vec![0.0; if has_second_moment { 9 } else { 0 }];
    let Snapshot { parameters, velocity, second_moment, .. } = &mut snapshot;
    checkpoint.copy_to([parameters, velocity, second_moment]);
    Some(snapshot)
}

fn written(snapshot: &Snapshot<f32>) -> Vec<u8> {
    let Snapshot { state, parameters: values, velocity, second_moment } = snapshot;
    let buffers = [&**values, &**velocity, &**second_moment];
    to_bytes(state, buffers, &parameters()).expect("a small snapshot can be written")
}

/// A checkpoint, with and without a second moment; one that is accepted says the same when it is written
/// again.
pub fn checkpoint(content: &[u8]) {
    for has_second_moment in [false, true] {
        let Some(snapshot) = read(content, has_second_moment) else { continue };
        let bits = |snapshot: &Snapshot<f32>| {
            let values = [&snapshot.parameters, &snapshot.velocity, &snapshot.second_moment];
            values.map(|values| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>())
        };
        let again = read(&written(&snapshot), has_second_moment).expect("it can be read again");
        assert_eq!(bits(&snapshot), bits(&again));
        assert_eq!(bytemuck::bytes_of(&snapshot.state), bytemuck::bytes_of(&again.state));
    }
}

/// A sound checkpoint, to begin with.
pub fn sound_checkpoint() -> Vec<u8> {
    let values: Vec<f32> = (0_u8..9).map(|value| f32::from(value) / 8.0).collect();
    let mut snapshot = Snapshot::fresh(LaneState::default(), values.clone());
    snapshot.second_moment = values;
    written(&snapshot)
}
