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
    cosine_decay: u32,
    warmup_steps: f32,
    beta2: f32,
    epsilon: f32,
    weight_decay: f32,
    beta1_power: f32,
    beta2_power: f32,
}

// `LaneState::scheduled_learning_rate`: decay to `end_learning_rate_factor`, after a warm-up.
fn scheduled_learning_rate(lane: LaneState) -> f32 {
    let step = f32(lane.step);
    let n_decay_steps = lane.learning_rate_decay_steps;
    var progress = min(max(step - lane.warmup_steps, 0.0), n_decay_steps) / n_decay_steps;
    if (lane.cosine_decay > 0u) {
        progress = cosine_progress(progress);
    }
    let rate = lane.learning_rate * (1.0 - (1.0 - lane.end_learning_rate_factor) * progress);
    if (step < lane.warmup_steps) {
        return rate * ((step + 1.0) / lane.warmup_steps);
    }
    return rate;
}

// `(1 - cos(pi p)) / 2`, by the sine's series: WGSL's own cosine may be off by 5e-4.
fn cosine_progress(progress: f32) -> f32 {
    let x = 3.14159265 * (progress - 0.5);
    let square = x * x;
    var series = 1.0 - square / 156.0;
    series = 1.0 - square / 110.0 * series;
    series = 1.0 - square / 72.0 * series;
    series = 1.0 - square / 42.0 * series;
    series = 1.0 - square / 20.0 * series;
    series = 1.0 - square / 6.0 * series;
    return 0.5 + 0.5 * x * series;
}
