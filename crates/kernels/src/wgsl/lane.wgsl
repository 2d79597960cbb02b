// State of one lane, word for word `lane.rs`.

struct LaneState {
    key: vec2<u32>,
    step: u32,
    epoch: u32,
    offset: u32,
    remaining: u32,
    cursor: u32,
    diverged_at: u32,
    learning_rate: f32,
    momentum: f32,
    end_learning_rate_factor: f32,
    learning_rate_decay_steps: f32,
    label_smoothing: f32,
    padding_0: u32,
    padding_1: u32,
    padding_2: u32,
}

// `LaneState::scheduled_learning_rate`: linear decay to `end_learning_rate_factor`.
fn scheduled_learning_rate(lane: LaneState) -> f32 {
    let n_decay_steps = lane.learning_rate_decay_steps;
    let progress = min(f32(lane.step), n_decay_steps) / n_decay_steps;
    return lane.learning_rate * (1.0 - (1.0 - lane.end_learning_rate_factor) * progress);
}
