//! The page: verdict, figure, tables, settings, how to measure again.

use std::collections::BTreeSet;
use std::fmt::Write;

use critbatch_tuner::{StopRule, StudySummary};

use crate::format;
use crate::results::Results;
use crate::summary::{Grid, grid, parameter, remarks, verdict};

const STYLE: &str = include_str!("style.css");

/// The page as HTML, with the figure's SVG inside.
pub(crate) fn html(results: &Results, svg: &str) -> String {
    let title = format::workload(&results.summary.workload);
    let sections = [
        heading(results, &title),
        figure(svg),
        section("Results", &format!("{}{}", table(&grid(results), ""), remark_list(results))),
        section("Best points", &best_points(results)),
        section("Settings", &table(&settings(results), "facts")),
        section("Measure again", &rebuild(results)),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>critbatch: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
        escape(&title),
        sections.concat()
    )
}

/// Text as HTML shows it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn section(title: &str, content: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{content}</section>\n", escape(title))
}

fn heading(results: &Results, title: &str) -> String {
    format!(
        "<h1>{}</h1>\n<p class=\"goal\">steps to {}</p>\n<p class=\"verdict\">{}</p>\n",
        escape(title),
        escape(&format::goal(&results.summary.goal)),
        escape(&verdict(&results.summary)),
    )
}

/// The drawing inside the page: HTML needs no name space, and the page no address.
fn figure(svg: &str) -> String {
    let inline = svg.replace(" xmlns=\"http://www.w3.org/2000/svg\"", "");
    format!(
        "<figure>\n{inline}<figcaption>Both axes are logarithmic. The dashed line halves the steps \
         with every doubling of the batch size, from the smallest one on; its noise tilts the \
         line.</figcaption>\n</figure>\n"
    )
}

fn table(grid: &Grid, class: &str) -> String {
    let cells = |tag: &str, cells: &[String]| {
        cells.iter().fold(String::new(), |mut row, cell| {
            let _ = write!(row, "<{tag}>{}</{tag}>", escape(cell));
            row
        })
    };
    let mut html = format!("<div class=\"scroll\"><table class=\"{class}\">\n");
    if !grid.header.is_empty() {
        let _ = writeln!(html, "<tr>{}</tr>", cells("th", &grid.header));
    }
    for row in &grid.rows {
        let _ = writeln!(html, "<tr>{}</tr>", cells("td", row));
    }
    html.push_str("</table></div>\n");
    html
}

fn remark_list(results: &Results) -> String {
    let remarks = remarks(results);
    if remarks.is_empty() {
        return String::new();
    }
    let items = remarks.iter().map(|remark| format!("<li>{}</li>\n", escape(remark)));
    format!("<ul>\n{}</ul>\n", items.collect::<String>())
}

/// The trial that got to the goal first at each batch size.
fn best_points(results: &Results) -> String {
    let names = metaparameters(results);
    let has_result = |study: &&StudySummary| study.steps_to_result.is_some();
    let row = |study: &StudySummary| {
        let id = study.trial_id.map_or("-".to_owned(), |id| id.to_string());
        let value = study.value.map_or("-".to_owned(), format::number);
        let rate = study.effective_learning_rate().map_or("-".to_owned(), format::number);
        let parameters = names.iter().map(|name| parameter(study, name));
        let mut row = vec![format::count(study.batch_size), id, value];
        row.extend(parameters.chain([rate]));
        row
    };
    let fixed = ["batch size", "trial", &results.summary.goal.metric];
    let header = fixed.into_iter().chain(names.iter().map(|name| name.as_str()));
    let header = header.chain(["effective learning rate"]);
    let rows = results.summary.studies.iter().filter(has_result).map(row);
    let grid = Grid { header: header.map(spaced).collect(), rows: rows.collect() };
    if grid.rows.is_empty() {
        return "<p>No trial reached the goal yet.</p>\n".to_owned();
    }
    format!(
        "{}<p class=\"note\">The effective learning rate is learning_rate / (1 - momentum).</p>\n",
        table(&grid, "")
    )
}

/// Long names may break after a slash or an underscore (a zero-width space allows it).
fn spaced(name: &str) -> String {
    name.replace('_', "_\u{200b}").replace('/', "/\u{200b}")
}

fn settings(results: &Results) -> Grid {
    let (experiment, provenance) = (&results.experiment, &results.provenance);
    let search = &experiment.search;
    let note = |key: &str| provenance.notes.get(key).cloned().unwrap_or_default();
    let stop = match experiment.stop {
        StopRule::Goal => "at the goal or at the end of its budget",
        StopRule::Budget => "at the end of its budget",
        StopRule::Incumbent => "when it reaches the goal or can no longer be the first",
    };
    let budget = experiment.budget_steps.iter();
    let budget = budget.map(|(batch_size, steps)| {
        format!("{} at {}", format::count(*steps), format::count(*batch_size))
    });
    let spacing = format::number(experiment.evaluation.relative_spacing * 100.0);
    let mut rows = vec![
        ("training examples", format::count(experiment.n_train)),
        ("complete trials per batch size", format::count(search.n_trials)),
        ("trials started at most", format::count(search.max_trials)),
        ("steps of a trial at most", budget.collect::<Vec<_>>().join(", ")),
        ("a trial ends", stop.to_owned()),
        ("evaluated", format!("at steps that grow by {spacing}%, and every step before")),
        ("sampler", "Halton, scrambled".to_owned()),
        ("seed", search.seed.to_string()),
    ];
    let names = metaparameters(results);
    rows.extend(names.iter().map(|name| (name.as_str(), scales(results, name))));
    rows.push(("device", provenance.device.clone()));
    rows.push(("threads", note("threads")));
    rows.push(("critbatch", provenance.version.clone()));
    rows.push(("started", note("started")));
    rows.retain(|(_, value)| !value.is_empty());
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    Grid { header: vec![], rows: rows.collect() }
}

/// Names of all metaparameters.
fn metaparameters(results: &Results) -> Vec<&String> {
    let spaces = results.experiment.spaces.values();
    let names: BTreeSet<&String> = spaces.flat_map(|space| space.scales.keys()).collect();
    names.into_iter().collect()
}

/// The scale of a metaparameter, or its scales where batch sizes differ.
fn scales(results: &Results, name: &str) -> String {
    let scales =
        results.experiment.spaces.iter().filter_map(|(batch_size, space)| {
            Some((batch_size, space.scales.get(name)?.to_string()))
        });
    let scales: Vec<(&u64, String)> = scales.collect();
    match &scales[..] {
        [(_, first), rest @ ..] if rest.iter().all(|(_, scale)| scale == first) => first.clone(),
        _ => {
            let at =
                scales.iter().map(|(size, scale)| format!("{scale} at {}", format::count(**size)));
            at.collect::<Vec<_>>().join(", ")
        }
    }
}

fn rebuild(results: &Results) -> String {
    let seed = results.experiment.search.seed;
    let command = format!("critbatch run experiment.toml --seed {seed} --out DIRECTORY");
    let mut html = format!(
        "<p>With the same device and version every measurement comes out the same, whatever the \
         number of lanes.</p>\n<pre>{}</pre>\n",
        escape(&command)
    );
    if let Some(experiment) = results.provenance.notes.get("experiment") {
        let _ = write!(html, "<p>experiment.toml:</p>\n<pre>{}</pre>\n", escape(experiment));
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{self, Figure};
    use crate::results::tests::{results, study};

    fn page() -> String {
        let results = results(vec![study(2, Some(1_000)), study(8, Some(260)), study(32, None)]);
        html(&results, &figure::svg(&Figure::of(&results.summary)).unwrap())
    }

    #[test]
    fn the_page_needs_nothing_but_itself() {
        let page = page();
        assert!(page.contains("<svg"));
        for address in ["http", "<script", "src=", "@import", "url("] {
            assert!(!page.contains(address), "the page has {address}");
        }
    }

    #[test]
    fn what_users_give_is_escaped() {
        let page = page();
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.contains("&lt;b&gt;mnist&lt;/b&gt;"));
        assert!(!page.contains("<b>mnist"));
    }

    #[test]
    fn the_page_says_what_was_found() {
        let page = page();
        assert!(page.contains("Perfect scaling up to batch size 8"), "{page}");
        // 0.0123456 / (1 - 0.95)
        assert!(page.contains("<td>0.2469</td>"));
        assert!(page.contains("no result at batch size 32"));
        assert!(page.contains("--seed 7"));
    }

    #[test]
    fn a_run_without_results_has_a_page() {
        let results = results(vec![study(2, None)]);
        let page = html(&results, &figure::svg(&Figure::of(&results.summary)).unwrap());
        assert!(page.contains("No batch size reached the goal yet."));
        assert!(page.contains("No trial reached the goal yet."));
    }
}
