//! The report as a reader meets it: opened in headless Chromium, read, hovered, switched, narrowed,
//! darkened.

use std::path::{Path, PathBuf};

use critbatch_report::{ReportInput, format, testing};
use critbatch_tests::{Browser, Screen};
use critbatch_tuner::{Analysis, AnalysisOptions, Question, Record};
use tempfile::TempDir;

const DESK: Screen = Screen { width: 1280, height: 900, is_dark: false };
const PHONE: Screen = Screen { width: 360, height: 740, is_dark: false };
const NIGHT: Screen = Screen { width: 1280, height: 900, is_dark: true };

/// WebDriver's code of the right arrow.
const RIGHT_ARROW: &str = "\u{E014}";

/// A report of a record with all sections and two goals, in a folder of its own.
struct Report {
    _directory: TempDir,
    page: PathBuf,
    record: Record,
    analysis: Analysis,
}

fn report() -> Report {
    let record = testing::record();
    let question = |below| Question::of_goal(testing::goal(below));
    let questions = [question(0.1), question(0.05)];
    let analysis = Analysis::of(&record, &questions, &AnalysisOptions::default());
    let (experiment, provenance) = (testing::experiment(), testing::provenance());
    let input = ReportInput {
        record: &record,
        analysis: &analysis,
        experiment: Some(&experiment),
        provenance: Some(&provenance),
        measure_again: Some("critbatch run experiment.toml --seed 7 --out DIRECTORY"),
    };
    let directory = tempfile::tempdir().expect("there is room for a folder");
    let written = critbatch_report::write(&input, directory.path()).expect("it can be written");
    Report { page: written[0].clone(), _directory: directory, record, analysis }
}

fn opened(page: &Path, screen: Screen) -> Browser {
    let browser = Browser::start();
    browser.show_on(screen);
    browser.open(page);
    browser
}

/// Text of the visible elements that a selector finds.
fn texts(browser: &Browser, selector: &str) -> Vec<String> {
    let script = format!(
        "return [...document.querySelectorAll('{selector}')]
           .filter((element) => element.checkVisibility())
           .map((element) => element.textContent)"
    );
    let texts = browser.evaluate(&script);
    let texts = texts.as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("text").to_owned()).collect()
}

/// Steps to result of a goal, as the page writes them.
fn expected_steps(report: &Report, goal_index: usize) -> Vec<String> {
    let studies = &report.analysis.goals[goal_index].studies;
    let steps = |study: &critbatch_tuner::StudyAnalysis| {
        study.result.as_ref().map_or("–".to_owned(), |result| format::count(result.steps))
    };
    studies.iter().map(steps).collect()
}

#[test]
fn a_reader_finds_the_numbers_hovers_points_and_switches_goal_and_axes() {
    let report = report();
    let browser = opened(&report.page, DESK);
    let cells = "#table-steps_to_result td:nth-child(2)";
    assert_eq!(texts(&browser, cells), expected_steps(&report, 0));
    assert_eq!(texts(&browser, ".answer").len(), 1);
    let n_trials: usize = report.record.studies.iter().map(|s| s.trials.len()).sum();
    assert!(texts(&browser, "#table-trials tbody tr").is_empty(), "long tables are folded");
    browser.click("#trials summary");
    assert!(texts(&browser, "#table-trials tbody tr").len() >= n_trials);

    assert!(texts(&browser, "#tooltip").is_empty());
    browser.hover("#figure-steps_to_result .hit");
    let first = &report.analysis.goals[0].studies[0];
    let result = first.result.as_ref().unwrap();
    let tooltip = texts(&browser, "#tooltip").concat();
    for expected in [
        format!("batch size 8, trial {}", result.trial_id),
        format!("steps to result: {}", format::count(result.steps)),
        format!("learning_rate: {}", format::number(result.parameters["learning_rate"])),
    ] {
        assert!(tooltip.contains(&expected), "'{expected}' is missing in:\n{tooltip}");
    }
    browser.click("#figure-steps_to_result .hit");
    browser.press(RIGHT_ARROW);
    assert!(texts(&browser, "#tooltip").concat().contains("batch size 32,"), "arrows walk");
    browser.hover("h1");
    assert!(texts(&browser, "#tooltip").is_empty());

    let kinds = "#figure-steps_to_result .scroll > div";
    assert_eq!(texts(&browser, kinds).len(), 1);
    browser.click("#figure-steps_to_result button.axes");
    let is_linear = "return document.querySelector('#figure-steps_to_result .axes-1')
                       .checkVisibility()";
    assert_eq!(browser.evaluate(is_linear), true);
    assert_eq!(texts(&browser, kinds).len(), 1);

    let _ = browser.evaluate(
        "const goal = document.getElementById('goal');
         goal.value = '1';
         goal.dispatchEvent(new Event('change', { bubbles: true }));",
    );
    assert!(texts(&browser, cells).is_empty(), "the first goal is hidden");
    let cells = "#table-steps_to_result_goal_2 td:nth-child(2)";
    assert_eq!(texts(&browser, cells), expected_steps(&report, 1));
    assert_eq!(texts(&browser, ".answer").len(), 1);
    assert_eq!(browser.problems(), Vec::<String>::new());
}

#[test]
fn tables_sort_by_a_click_on_a_heading() {
    let report = report();
    let browser = opened(&report.page, DESK);
    let steps = "#table-steps_to_result td:nth-child(2)";
    let numbers = || -> Vec<f64> {
        let cells = texts(&browser, steps);
        cells.iter().map(|cell| cell.replace(',', "").parse().unwrap()).collect()
    };
    browser.click("#table-steps_to_result th:nth-child(2)");
    assert!(numbers().is_sorted(), "{:?}", numbers());
    browser.click("#table-steps_to_result th:nth-child(2)");
    assert!(numbers().is_sorted_by(|a, b| a >= b), "{:?}", numbers());
}

#[test]
fn the_page_asks_for_nothing_and_fits_a_phone() {
    let report = report();
    let browser = opened(&report.page, PHONE);
    assert_eq!(browser.evaluate("return performance.getEntriesByType('resource').length"), 0);
    let beyond = "const page = document.scrollingElement;
                  return [page.clientWidth <= 360, page.scrollWidth - page.clientWidth]";
    assert_eq!(browser.evaluate(beyond), serde_json::json!([true, 0]), "the page does not scroll");
    // What is wider scrolls within its own box.
    let overflowing = browser.evaluate(
        "return [...document.querySelectorAll('body *')]
           .filter((element) => element.checkVisibility() && !element.closest('.scroll, pre, svg'))
           .filter((element) => element.getBoundingClientRect().right > 360.5)
           .map((element) => element.outerHTML.slice(0, 120))",
    );
    assert_eq!(overflowing, serde_json::json!([]));
    let smallest = browser.evaluate(
        "return Math.min(...[...document.querySelectorAll('svg text')]
           .filter((text) => text.checkVisibility() && text.textContent.trim())
           .map((text) => text.getBoundingClientRect().height))",
    );
    assert!(smallest.as_f64().unwrap() >= 9.0, "letters are {smallest} pixels high");
    browser.click("#figure-steps_to_result .hit");
    assert!(!texts(&browser, "#tooltip").is_empty(), "a tap shows it");
    let right = "return document.getElementById('tooltip').getBoundingClientRect().right";
    assert!(browser.evaluate(right).as_f64().unwrap() <= 360.0);
    assert_eq!(browser.problems(), Vec::<String>::new());
}

/// The least contrast of text with what is behind it (WCAG 2.2), and that text.
const LEAST_CONTRAST: &str = "
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const channels = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color) => {
      const linear = channels(color).slice(0, 3).map((value) => value / 255)
        .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
      return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const background = (element) => {
      const svg = element.closest('svg');
      if (svg) return getComputedStyle(svg.querySelector('rect')).fill;
      for (let e = element; e; e = e.parentElement) {
        const color = getComputedStyle(e).backgroundColor;
        if (channels(color)[3] > 0) return color;
      }
      return 'white';
    };
    let least = [Infinity, ''];
    for (const element of document.querySelectorAll('body *')) {
      const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
      if (!own || !element.checkVisibility() || ['SCRIPT', 'OPTION'].includes(element.tagName)) continue;
      const style = getComputedStyle(element);
      const pair = [luminance(element.closest('svg') ? style.fill : style.color), luminance(background(element))];
      const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
      if (contrast < least[0]) least = [contrast, element.outerHTML.slice(0, 200)];
    }
    return least;";

#[test]
fn text_is_readable_on_light_and_on_dark() {
    let report = report();
    let mut papers = vec![];
    for screen in [DESK, NIGHT] {
        let browser = opened(&report.page, screen);
        let least = browser.evaluate(LEAST_CONTRAST);
        assert!(least[0].as_f64().unwrap() >= 4.5, "dark: {}: {least}", screen.is_dark);
        papers.push(browser.evaluate("return getComputedStyle(document.body).backgroundColor"));
        let figure = "return getComputedStyle(document.querySelector('svg rect')).fill";
        assert_eq!(browser.evaluate(figure), papers[papers.len() - 1], "figures, too");
    }
    assert_ne!(papers[0], papers[1], "the dark page is dark");
}

#[test]
fn without_a_script_the_first_goal_and_its_logarithmic_axes_show() {
    let report = report();
    let html = std::fs::read_to_string(&report.page).unwrap();
    let (before, rest) = html.split_once("<script>").unwrap();
    let (_, after) = rest.split_once("</script>").unwrap();
    let page = report.page.with_file_name("no_script.html");
    std::fs::write(&page, format!("{before}{after}")).unwrap();
    let browser = opened(&page, DESK);
    assert_eq!(texts(&browser, ".answer").len(), 1);
    assert_eq!(texts(&browser, "#figure-steps_to_result .axes-0").len(), 1);
    assert!(texts(&browser, "#figure-steps_to_result .axes-1").is_empty());
    assert!(texts(&browser, ".needs-script").is_empty(), "no control that does nothing");
    let titles = "return document.querySelectorAll('#figure-steps_to_result .hit title').length";
    assert!(browser.evaluate(titles).as_u64().unwrap() >= 6, "points keep their titles");
}
