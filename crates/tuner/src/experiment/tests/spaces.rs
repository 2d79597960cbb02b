//! Spaces of single batch sizes, spaces that move with the batch size, samplers.

use super::*;
use crate::sampler::{SamplerKind, Sobol};

#[test]
fn spaces_move_with_the_batch_size() {
    let text = with_line(15, "learning_rate = { log = [1e-3, 0.5], batch_exponent = 0.5 }");
    let text = text.replace("0.999] }", "0.999] }\nwarm_up = { integer = [1, 9] }");
    let text = text.replace(
        "[budget]",
        "[search.space_at.8]\nmomentum = 0.5\n[search.space_at.full]\n\
         learning_rate = { linear = [0.1, 0.2] }\nwarm_up = 0\n[budget]",
    );
    let spaces = checked(&text).spaces;
    let sizes: Vec<u64> = spaces.keys().copied().collect();
    assert_eq!(sizes, [2, 8, 32, 5000]);
    // (B / 2)^0.5 is 1, 2 and 4.
    let scales = |name: &str| [2, 8, 32, 5000].map(|size| spaces[&size].scales[name].clone());
    assert_eq!(
        scales("learning_rate"),
        [
            Scale::Log(1e-3, 0.5),
            Scale::Log(2e-3, 1.0),
            Scale::Log(4e-3, 2.0),
            Scale::Linear(0.1, 0.2)
        ]
    );
    let momentum = Scale::ReverseLog(0.9, 0.999);
    let fixed = Scale::Fixed(0.5);
    assert_eq!(scales("momentum"), [momentum.clone(), fixed, momentum.clone(), momentum]);
    let warm_up = Scale::Integer(1, 9);
    let fixed = Scale::Fixed(0.0);
    assert_eq!(scales("warm_up"), [warm_up.clone(), warm_up.clone(), warm_up, fixed]);
    assert_eq!(spaces[&8].n_dimensions(), 3);
}

#[test]
fn exponents_are_of_the_smallest_batch_size_wherever_it_is_listed() {
    let line = "learning_rate = { linear = [0.25, 1], batch_exponent = 1 }";
    let text = with_line(15, line).replace("[2, 8, 32, \"full\"]", "[32, 4]");
    let spaces = checked(&text).spaces;
    assert_eq!(spaces[&4].scales["learning_rate"], Scale::Linear(0.25, 1.0));
    assert_eq!(spaces[&32].scales["learning_rate"], Scale::Linear(2.0, 8.0));
    let downwards = checked(&text.replace("exponent = 1", "exponent = -1")).spaces;
    assert_eq!(downwards[&32].scales["learning_rate"], Scale::Linear(0.03125, 0.125));
    // A scale for each batch size needs none for all.
    let replaced = "[search.space_at]\n4.learning_rate = 1\n32.learning_rate = 2\n[budget]";
    let text = text.replace(line, "").replace("[budget]", replaced);
    let spaces = checked(&text).spaces;
    assert_eq!([4, 32].map(|b| spaces[&b].scales["learning_rate"].bounds().0), [1.0, 2.0]);
}

#[test]
fn the_same_spaces_in_other_words_are_the_same_experiment() {
    let moved = with_line(15, "learning_rate = { log = [1e-3, 0.5], batch_exponent = 0.5 }")
        .replace("[2, 8, 32, \"full\"]", "[2, 8]");
    let spelt_out = "[search.space_at.8]\nlearning_rate = { log = [2e-3, 1.0] }\n[budget]";
    let spelt_out = moved.replace(", batch_exponent = 0.5", "").replace("[budget]", spelt_out);
    assert_eq!(checked(&moved).differences(&checked(&spelt_out)), []);
    let differences = checked(&moved).differences(&checked(&moved.replace("= 0.5 }", "= 1 }")));
    assert_eq!(
        differences[0].to_string(),
        "spaces.8.learning_rate.log is [0.002,1.0] there and [0.004,2.0] here"
    );
}

#[test]
fn samplers_are_understood_and_too_many_dimensions_refused() {
    for (name, kind) in SamplerKind::NAMES {
        let text = with_line(11, &format!("sampler = '{name}'"));
        assert_eq!(checked(&text).search.sampler, kind);
        assert_eq!(checked(&text).identity()["search"]["sampler"], name);
    }
    let n = Sobol::MAX_DIMENSIONS + 1;
    let name = |index| -> &'static str { format!("knob_{index}").leak() };
    let many = (0..n).map(|index| metaparameter(name(index), None, Range::UNIT));
    let facts = WorkloadFacts { metaparameters: many.collect(), ..facts() };
    let space: String = (0..n).map(|i| format!("knob_{i} = {{ linear = [0, 1] }}\n")).collect();
    let lines = TEXT.lines();
    let whole: Vec<&str> = lines.clone().take(14).chain([&*space]).chain(lines.skip(17)).collect();
    let parsed = |text: &str| Experiment::parse(text, "e.toml").unwrap().check(&facts);
    let halton = whole.join("\n");
    assert_eq!(parsed(&halton).unwrap().spaces[&2].n_dimensions(), n);
    let refused = parsed(&halton.replace("halton", "sobol")).unwrap_err().to_string();
    assert_eq!(
        refused,
        "e.toml:11: 'search.sampler' is a sampler for 65 metaparameters; \
         expected at most 64 that are searched, or the sampler 'halton'"
    );
}
