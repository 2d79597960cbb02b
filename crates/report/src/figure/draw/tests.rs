use super::super::{
    Axis, AxisScale, Color, Direction, Drawing, Figure, Mark, Marker, Panel, Point, Series, Shape,
    Stroke,
};

/// One of everything.
fn panel() -> Panel {
    let tooltip = vec!["trial 3 <b>".to_owned(), "steps: 512".to_owned()];
    let point = |x: f64, y: f64| Point { x, y, tooltip: tooltip.clone() };
    let series = vec![
        Series::new("band", Color::Blue, Shape::Band(vec![(2.0, 400.0, 700.0), (64.0, 1.0, 90.0)])),
        Series::new("range", Color::Purple, Shape::Range(9.0, f64::INFINITY)),
        Series::new(
            "ideal",
            Color::Muted,
            Shape::Line(vec![(2.0, 512.0), (4096.0, 0.25)], Stroke::Dashed),
        ),
        Series::new(
            "intervals",
            Color::Blue,
            Shape::ErrorBars(vec![(2.0, 400.0, 600.0), (8.0, 100.0, f64::INFINITY)]),
        ),
        Series::new("lacking", Color::Vermilion, Shape::MarginTicks(vec![point(256.0, 0.0)])),
    ];
    let [line, points] = Series::joined(
        "measured",
        Color::Green,
        vec![point(2.0, 512.0), point(64.0, 32.0), point(1024.0, 0.0)],
        Marker::Triangle,
    );
    let series = series.into_iter().chain([line, points]).collect();
    let mark = |direction, at, label: &str| Mark {
        direction,
        at,
        label: label.to_owned(),
        color: Color::Purple,
    };
    Panel {
        marks: vec![
            mark(Direction::Vertical, 16.0, "B_crit 16"),
            mark(Direction::Vertical, 300.0, "useful up to 300"),
            mark(Direction::Horizontal, 100.0, "budget"),
            mark(Direction::Vertical, 1e9, "outside"),
        ],
        ..Panel::new(
            Axis { label: "batch size".into(), scale: AxisScale::Log2, from: 1.0, to: 512.0 },
            Axis { label: "steps".into(), scale: AxisScale::Log2, from: 8.0, to: 1024.0 },
            series,
        )
    }
}

fn drawing() -> Drawing {
    Figure::single("all", "Title <b>", "a subtitle", panel()).draw().unwrap()
}

#[test]
fn a_drawing_has_only_colours_of_the_palette() {
    // Else the page could not repaint it in the dark.
    let known: Vec<String> = Color::all().map(Color::light).collect();
    let drawing = drawing();
    let used: Vec<&str> = drawing.svg.split("=\"#").skip(1).map(|rest| &rest[..6]).collect();
    assert!(used.len() > 20);
    for color in used {
        assert!(known.contains(&format!("#{color}")), "{color}");
    }
}

#[test]
fn points_have_hits_where_they_are_drawn_and_no_raw_markup() {
    let svg = drawing().svg;
    assert_eq!(svg.matches("class=\"hit\"").count(), 3, "0 has no place on a logarithmic axis");
    assert!(svg.contains("data-x=\"64\" data-y=\"32\""));
    assert!(svg.contains("<title>trial 3 &lt;b&gt;\nsteps: 512</title>"));
    assert!(!svg.contains("<b>"), "names must be escaped");
    assert!(svg.ends_with("</svg>\n"));
}

#[test]
fn each_series_of_margin_ticks_has_a_row() {
    let mut panel = panel();
    let svg = Figure::single("one", "t", "", panel.clone()).draw().unwrap().svg;
    let y_of_256 = |svg: &str| -> Vec<i32> {
        let hits = svg.split("<circle class=\"hit\"").skip(1);
        let at_256 = hits.filter(|hit| hit.contains("data-x=\"256\""));
        let y = at_256.map(|hit| hit.split("cy=\"").nth(1).unwrap().split('"').next().unwrap());
        y.map(|y| y.parse().unwrap()).collect()
    };
    assert_eq!(y_of_256(&svg).len(), 1);
    let ticks = panel.series.iter().find(|series| series.label == "lacking").unwrap().clone();
    panel.series.push(Series { color: Color::Blue, ..ticks });
    let svg = Figure::single("two", "t", "", panel).draw().unwrap().svg;
    let [first, second] = y_of_256(&svg)[..] else { panic!("two ticks") };
    assert!(first < second, "{first} {second}");
}

#[test]
fn nothing_is_drawn_outside_of_the_document() {
    let svg = drawing().svg;
    let view_box = svg.split("viewBox=\"0 0 ").nth(1).unwrap();
    let (width, rest) = view_box.split_once(' ').unwrap();
    let (height, _) = rest.split_once('"').unwrap();
    let (width, height): (f64, f64) = (width.parse().unwrap(), height.parse().unwrap());
    for points in svg.split("points=\"").skip(1) {
        let (points, _) = points.split_once('"').unwrap();
        for pair in points.split_whitespace() {
            let (x, y) = pair.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((0.0..=width).contains(&x) && (0.0..=height).contains(&y), "{x}, {y}");
        }
    }
}

#[test]
fn labels_and_legend_are_written_once() {
    let svg = drawing().svg;
    for text in ["batch size", "steps", "measured", "ideal", "lacking", "B_crit 16", "budget"] {
        assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text}");
    }
    assert!(!svg.contains("\noutside\n"), "a mark beyond the axis");
    let twice = Figure::multiples("two", "t", "", vec![panel().titled("a"), panel().titled("b")]);
    let svg = twice.draw().unwrap().svg;
    assert_eq!(svg.matches("\nmeasured\n").count(), 1, "panels share a legend");
    assert_eq!(svg.matches("\nsteps\n").count(), 1, "and an axis label");
}

#[test]
fn the_picture_has_text() {
    let drawing = drawing();
    let png = drawing.png().unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    let without_text = drawing.svg.replace("<text", "<!-- <text").replace("</text>", "</text> -->");
    let without_text = Drawing { svg: without_text, ..drawing.clone() };
    assert_ne!(png, without_text.png().unwrap());
    let broken = Drawing { svg: "<svg".to_owned(), ..drawing };
    assert!(broken.png().unwrap_err().to_string().contains("'all'"));
}

#[test]
fn a_panel_without_numbers_is_drawn() {
    let axis = |label: &str| Axis::around(label, AxisScale::Log2, []);
    let empty = Panel::new(axis("x"), axis("y"), vec![]);
    let svg = Figure::single("empty", "t", "", empty).draw().unwrap().svg;
    assert!(svg.contains("\nx\n"));
}
