// Where a workgroup stands and where a lane's values start.

// First element of a lane's part of an operand; a view is (offset, lane stride) in elements.
fn lane_start(view: vec2<u32>, lane: u32) -> u32 {
    return view.x + lane * view.y;
}

// Number of a workgroup within its lane: grids too long for x are folded into x and y.
fn linear_workgroup(workgroup: vec3<u32>, n_workgroups: vec3<u32>) -> u32 {
    return workgroup.y * n_workgroups.x + workgroup.x;
}
