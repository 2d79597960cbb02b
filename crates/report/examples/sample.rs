//! Writes the report that the tests draw, to look at it: `cargo run -p critbatch-report --features
//! testing --example sample -- DIRECTORY`.

use std::path::Path;

use critbatch_report::{ComparisonInput, ReportInput, testing};
use critbatch_tuner::{Analysis, AnalysisOptions, Comparison, Question};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("give the directory to write to")?;
    let record = testing::record();
    let questions = [0.1, 0.05].map(|below| Question::of_goal(testing::goal(below)));
    let analysis = Analysis::of(&record, &questions, &AnalysisOptions::default());
    let (experiment, provenance) = (testing::experiment(), testing::provenance());
    let input = ReportInput {
        record: &record,
        analysis: &analysis,
        experiment: Some(&experiment),
        provenance: Some(&provenance),
        measure_again: Some("critbatch run experiment.toml --seed 7 --out DIRECTORY"),
    };
    critbatch_report::write(&input, Path::new(&directory))?;
    let goals = ["below 0.1", "below 0.05"].into_iter().map(str::to_owned);
    let goals: Vec<_> = goals.zip(analysis.goals.iter().cloned()).collect();
    let comparison = Comparison::of(&goals, None);
    let compared = ComparisonInput { comparison: &comparison, experiments: &[input, input] };
    critbatch_report::write_comparison(&compared, Path::new(&directory))?;
    Ok(())
}
