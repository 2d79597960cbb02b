// Moves a lane on after one chunk of an evaluation.
// `Advance::apply` word for word.
// No operand but the lane's state.
// Dispatch: one thread.
// Source: own.

#import "lane"

@group(0) @binding(1) var<storage, read_write> lanes: array<LaneState>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>) {
    let lane = workgroup.z;
    if (lanes[lane].remaining > 0u) {
        lanes[lane].remaining -= 1u;
        lanes[lane].cursor += 1u;
    }
}
