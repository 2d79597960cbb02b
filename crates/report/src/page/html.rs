//! Writes a [`Page`] as one HTML file that needs nothing but itself.

use std::fmt::Write;

use super::{Block, Finding, Listing, Page, Section, Tile, Weight};
use crate::figure::{Color, Drawing};
use crate::format;
use crate::table::Table;
use crate::text::escape;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A figure of the page, drawn.
#[derive(Debug)]
pub(super) struct DrawnPlot {
    pub(super) first: Drawing,
    pub(super) linear: Option<Drawing>,
}

impl DrawnPlot {
    pub(super) fn drawings(&self) -> impl Iterator<Item = &Drawing> {
        std::iter::once(&self.first).chain(&self.linear)
    }
}

/// The page; `drawn` has its figures from top to bottom.
pub(super) fn page(page: &Page, drawn: &[DrawnPlot]) -> String {
    let mut writer = Writer { html: String::new(), drawn: drawn.iter() };
    writer.head(page);
    writer.body(page);
    writer.html
}

/// Custom properties for the palette, and the rules that repaint drawings with them.
fn colors() -> String {
    let properties = |shade: fn(Color) -> String| {
        let property = |color: Color| format!("{}:{};", color.property(), shade(color));
        Color::all().map(property).collect::<String>()
    };
    let (light, dark) = (properties(Color::light), properties(Color::dark));
    let mut rules = format!(
        ":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    );
    for color in Color::all() {
        let (hex, property) = (color.light(), color.property());
        for attribute in ["fill", "stroke"] {
            let _ = writeln!(rules, "svg [{attribute}=\"{hex}\"]{{{attribute}:var({property})}}");
        }
    }
    rules
}

struct Writer<'page> {
    html: String,
    drawn: std::slice::Iter<'page, DrawnPlot>,
}

impl Writer<'_> {
    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        let _ = self.html.write_fmt(arguments);
    }

    fn head(&mut self, page: &Page) {
        self.push(format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{}</title>\n<style>\n{}{STYLE}</style>\n</head>\n",
            escape(&page.title),
            colors()
        ));
    }

    fn body(&mut self, page: &Page) {
        self.push(format_args!(
            "<body>\n<header>\n<h1>{}</h1>\n<p class=\"subtitle\">{}</p>\n",
            escape(&page.title),
            escape(&page.subtitle)
        ));
        self.goal_choice(&page.goals);
        self.push(format_args!("</header>\n<main>\n"));
        self.blocks(&page.lead);
        self.contents(&page.sections);
        for section in &page.sections {
            let (id, title) = (section.id, escape(section.title));
            self.push(format_args!("<section id=\"{id}\">\n<h2>{title}</h2>\n"));
            self.blocks(&section.blocks);
            self.push(format_args!("</section>\n"));
        }
        self.push(format_args!(
            "</main>\n<div id=\"tooltip\" role=\"status\" hidden></div>\n\
             <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
        ));
    }

    fn goal_choice(&mut self, goals: &[String]) {
        if goals.len() < 2 {
            return;
        }
        self.push(format_args!(
            "<p class=\"needs-script\"><label for=\"goal\">Goal</label> <select id=\"goal\">\n"
        ));
        for (index, goal) in goals.iter().enumerate() {
            self.push(format_args!("<option value=\"{index}\">{}</option>\n", escape(goal)));
        }
        self.push(format_args!("</select></p>\n"));
    }

    fn contents(&mut self, sections: &[Section]) {
        self.push(format_args!("<nav aria-label=\"Contents\">\n"));
        for Section { id, title, .. } in sections {
            self.push(format_args!("<a href=\"#{id}\">{}</a>\n", escape(title)));
        }
        self.push(format_args!("</nav>\n"));
    }

    fn blocks(&mut self, blocks: &[Block]) {
        blocks.iter().for_each(|block| self.block(block));
    }

    fn block(&mut self, block: &Block) {
        match block {
            Block::Answer(text) => self.paragraph("answer", text),
            Block::Text(text) => self.paragraph("text", text),
            Block::Tiles(tiles) => self.tiles(tiles),
            Block::Findings(findings) => self.findings(findings),
            Block::Figure(plot) => self.figure(&plot.caption),
            Block::Table(listing) => self.table(listing),
            Block::Facts(facts) => self.facts(facts),
            Block::Code(text) => {
                self.push(format_args!("<pre tabindex=\"0\">{}</pre>\n", escape(text)))
            }
            Block::PerGoal(variants) => self.per_goal(variants),
        }
    }

    fn per_goal(&mut self, variants: &[Vec<Block>]) {
        for (index, blocks) in variants.iter().enumerate() {
            let hidden = if index > 0 { " hidden" } else { "" };
            self.push(format_args!("<div data-goal=\"{index}\"{hidden}>\n"));
            self.blocks(blocks);
            self.push(format_args!("</div>\n"));
        }
    }

    fn paragraph(&mut self, class: &str, text: &str) {
        self.push(format_args!("<p class=\"{class}\">{}</p>\n", escape(text)));
    }

    fn tiles(&mut self, tiles: &[Tile]) {
        self.push(format_args!("<dl class=\"tiles\">\n"));
        for Tile { name, value, note } in tiles {
            self.push(format_args!(
                "<div><dt>{}</dt><dd class=\"value\">{}</dd><dd>{}</dd></div>\n",
                escape(name),
                escape(value),
                escape(note)
            ));
        }
        self.push(format_args!("</dl>\n"));
    }

    fn findings(&mut self, findings: &[Finding]) {
        self.push(format_args!("<ul class=\"findings\">\n"));
        for Finding { weight, text } in findings {
            let (class, sign) = match weight {
                Weight::Good => ("good", "✓"),
                Weight::Plain => ("plain", "·"),
                Weight::Warning => ("warning", "!"),
            };
            self.push(format_args!(
                "<li class=\"{class}\"><span aria-hidden=\"true\">{sign}</span>{}</li>\n",
                escape(text)
            ));
        }
        self.push(format_args!("</ul>\n"));
    }

    /// The next figure: drawings side by side in the page, one of them shown.
    fn figure(&mut self, caption: &str) {
        let plot = self.drawn.next().expect("every figure of the page was drawn, in this order");
        self.push(format_args!("<figure id=\"figure-{}\">\n", plot.first.name));
        if plot.linear.is_some() {
            self.push(format_args!(
                "<button type=\"button\" class=\"axes needs-script\">linear axes</button>\n"
            ));
        }
        self.push(format_args!("<div class=\"scroll\" tabindex=\"0\">\n"));
        for (index, drawing) in plot.drawings().enumerate() {
            let hidden = if index > 0 { " hidden" } else { "" };
            self.push(format_args!(
                "<div class=\"axes-{index}\"{hidden}>\n{}</div>\n",
                inline(drawing)
            ));
        }
        self.push(format_args!(
            "</div>\n<figcaption>{} {}</figcaption>\n</figure>\n",
            escape(caption),
            escape(&format!("Files: figures/{}.svg, .png.", plot.first.name))
        ));
    }

    fn table(&mut self, listing: &Listing) {
        let Listing { table, caption, n_shown, is_folded } = listing;
        let n_shown = (*n_shown).min(table.n_rows());
        if *is_folded {
            let n_rows = format::count(table.n_rows() as u64);
            let name = heading(&table.name);
            self.push(format_args!("<details>\n<summary>Table: {name}, {n_rows} rows</summary>\n"));
        }
        self.push(format_args!(
            "<div class=\"scroll\" tabindex=\"0\">\n<table id=\"table-{}\">\n<thead><tr>",
            table.name
        ));
        for column in &table.columns {
            let class = if column.cells.is_text() { " class=\"words\"" } else { "" };
            self.push(format_args!("<th scope=\"col\"{class}>{}</th>", heading(&column.name)));
        }
        self.push(format_args!("</tr></thead>\n<tbody>\n"));
        (0..n_shown).for_each(|row| self.row(table, row));
        let rest = match table.n_rows() {
            n_rows if n_rows > n_shown => {
                format!("The first {} of {} rows; ", format::count(n_shown as u64), {
                    format::count(n_rows as u64)
                })
            }
            _ => String::new(),
        };
        self.push(format_args!(
            "</tbody>\n</table>\n</div>\n<p class=\"note\">{} {rest}Files: tables/{}.csv, .parquet.</p>\n",
            escape(caption),
            escape(&table.name)
        ));
        if *is_folded {
            self.push(format_args!("</details>\n"));
        }
    }

    fn row(&mut self, table: &Table, row: usize) {
        self.push(format_args!("<tr>"));
        for column in &table.columns {
            let class = if column.cells.is_text() { " class=\"words\"" } else { "" };
            self.push(format_args!("<td{class}>{}</td>", escape(&column.cells.shown(row))));
        }
        self.push(format_args!("</tr>\n"));
    }

    fn facts(&mut self, facts: &[(String, String)]) {
        self.push(format_args!("<dl class=\"facts\">\n"));
        for (name, value) in facts {
            self.push(format_args!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)));
        }
        self.push(format_args!("</dl>\n"));
    }
}

/// Words for underscores; a metric may break after its slash (a zero-width space allows it).
fn heading(name: &str) -> String {
    escape(&name.replace('_', " ").replace('/', "/\u{200b}"))
}

/// A drawing inside the page: HTML needs no name space, and the page has no address.
fn inline(drawing: &Drawing) -> String {
    let name = format!(" role=\"group\" aria-label=\"{}\"", escape(&drawing.title));
    drawing.svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", &name, 1)
}
