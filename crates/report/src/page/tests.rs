use super::*;
use crate::figure::{Axis, AxisScale, Color, Marker, Panel, Point, Series};

fn plot(name: &str, scale: AxisScale) -> Figure {
    let points = [(2.0, 800.0), (8.0, 210.0), (32.0, 70.0), (128.0, 60.0)];
    let points = points.map(|(x, y)| Point { x, y, tooltip: vec![format!("batch size {x}")] });
    let panel = Panel::new(
        Axis::around("batch size", scale, points.iter().map(|point| point.x)),
        Axis::around("steps", scale, points.iter().map(|point| point.y)),
        Series::joined("measured", Color::Blue, points.into(), Marker::Triangle).into(),
    );
    Figure::single(name, "Steps & more", "<b>mnist</b>", panel)
}

fn sample() -> Page {
    let variant = |text: &str| {
        let table = Table::new("steps")
            .counts("batch_size", [2_u64, 8])
            .texts("remark", [Some("<script>alert(1)</script>".to_owned()), None]);
        vec![
            Block::Answer(text.to_owned()),
            Block::Figure(Plot {
                figure: plot("steps", AxisScale::Log2),
                linear: Some(plot("steps_linear", AxisScale::Linear)),
                caption: "Both axes are logarithmic.".to_owned(),
            }),
            Listing::block(table, "A table."),
        ]
    };
    let section = Section::of("curve", "The curve", vec![Block::Text("a text".to_owned())]);
    Page {
        title: "<b>mnist</b>".to_owned(),
        subtitle: "a & b".to_owned(),
        goals: vec!["error < 0.1".to_owned(), "error < 0.2".to_owned()],
        lead: vec![Block::PerGoal(vec![variant("One."), variant("Two.")])],
        sections: section.into_iter().collect(),
    }
}

#[test]
fn a_page_is_one_file_beside_its_figures_and_tables() {
    let directory = tempfile::tempdir().unwrap();
    let written = write(sample(), "report.html", directory.path()).unwrap();
    let names: Vec<String> = written
        .iter()
        .map(|path| path.strip_prefix(directory.path()).unwrap().display().to_string())
        .collect();
    assert_eq!(names[0], "report.html");
    for stem in ["steps", "steps_linear", "steps_goal_2", "steps_linear_goal_2"] {
        for ending in ["svg", "png"] {
            assert!(names.contains(&format!("figures/{stem}.{ending}")), "{stem}.{ending}");
        }
    }
    for name in ["steps.csv", "steps.parquet", "steps_goal_2.csv"] {
        assert!(names.contains(&format!("tables/{name}")), "{name}");
    }
    assert_eq!(names.len(), 1 + 8 + 4 + 2);
    let goals = std::fs::read_to_string(directory.path().join("tables/goals.csv")).unwrap();
    let endings: Vec<&str> =
        goals.lines().filter_map(|line| line.split_once(',').map(|(ending, _)| ending)).collect();
    assert_eq!(endings, ["name_ends_with", "", "_goal_2"]);
}

#[test]
fn figures_and_tables_of_goals_that_are_gone_are_removed_and_others_stay() {
    let directory = tempfile::tempdir().unwrap();
    write(sample(), "report.html", directory.path()).unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("tables/my_goal_notes.csv"), "mine").unwrap();
    std::fs::write(path("tables/comparison.csv"), "of another page").unwrap();
    std::fs::write(path("tables/mine_goal_2.csv"), "mine").unwrap();
    let without_goals = Page { goals: vec![], lead: vec![], ..sample() };
    write(without_goals, "comparison.html", directory.path()).unwrap();
    assert!(path("tables/steps_goal_2.csv").exists(), "of another page");
    let mut page = sample();
    page.goals.truncate(1);
    let sections = page.sections.iter_mut().flat_map(|section| &mut section.blocks);
    for block in page.lead.iter_mut().chain(sections) {
        if let Block::PerGoal(variants) = block {
            variants.truncate(1);
        }
    }
    write(page, "report.html", directory.path()).unwrap();
    for gone in ["tables/steps_goal_2.csv", "figures/steps_goal_2.svg"] {
        assert!(!path(gone).exists(), "{gone}");
    }
    for kept in ["steps", "my_goal_notes", "comparison", "mine_goal_2"] {
        assert!(path(&format!("tables/{kept}.csv")).exists(), "{kept}");
    }
}

#[test]
fn the_page_needs_nothing_but_itself_and_escapes_what_users_give() {
    let directory = tempfile::tempdir().unwrap();
    let written = write(sample(), "report.html", directory.path()).unwrap();
    let html = std::fs::read_to_string(&written[0]).unwrap();
    for address in ["http", "src=", "@import", "url(", "<link"] {
        assert!(!html.contains(address), "the page has {address}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)"));
    assert!(html.contains("&lt;b&gt;mnist") && !html.contains("<b>mnist"));
    assert_eq!(html.matches("<script>").count(), 1, "the page's own");
    assert_eq!(html.matches("<svg").count(), 4);
    assert!(html.contains("<div data-goal=\"1\" hidden>"), "without a script the first goal shows");
}

#[test]
fn sections_without_blocks_are_absent() {
    assert!(Section::of("a", "A", vec![]).is_none());
    assert!(Section::of("a", "A", vec![Block::PerGoal(vec![vec![], vec![]])]).is_none());
    let some = vec![Block::PerGoal(vec![vec![], vec![Block::Text("n".to_owned())]])];
    assert!(Section::of("a", "A", some).is_some());
}
