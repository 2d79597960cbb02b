//! A page of text, figures and tables: what it says is a [`Page`], `html` writes it, and every
//! figure and table of it becomes a file of its own.

mod files;
mod html;

pub(crate) use files::write;

use crate::figure::Figure;
use crate::table::Table;

/// A page from top to bottom.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    /// What it is about.
    pub(crate) title: String,
    /// Under the title.
    pub(crate) subtitle: String,
    /// Names of the goals that the reader chooses from; one or none needs no choice.
    pub(crate) goals: Vec<String>,
    /// Before the first section.
    pub(crate) lead: Vec<Block>,
    /// What follows.
    pub(crate) sections: Vec<Section>,
}

/// A part of the page with a heading.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Section {
    /// Its address in the page, in `kebab-case`.
    pub(crate) id: &'static str,
    /// Its heading.
    pub(crate) title: &'static str,
    /// What it says.
    pub(crate) blocks: Vec<Block>,
}

/// A piece of the page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    /// The answer, in large letters.
    Answer(String),
    /// A paragraph.
    Text(String),
    /// Numbers that matter most: what, how much, how sure.
    Tiles(Vec<Tile>),
    /// Statements with their weight.
    Findings(Vec<Finding>),
    /// A figure, and what there is to know about it.
    Figure(Plot),
    /// A table.
    Table(Listing),
    /// Names and values.
    Facts(Vec<(String, String)>),
    /// Text of a file or a command line.
    Code(String),
    /// The same part for every goal of the page; the reader sees one of them.
    PerGoal(Vec<Vec<Block>>),
}

/// A number that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tile {
    /// What it is.
    pub(crate) name: String,
    /// How much it is.
    pub(crate) value: String,
    /// How sure it is, or how it is defined.
    pub(crate) note: String,
}

/// A statement with its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How it is shown.
    pub(crate) weight: Weight,
    /// What it says.
    pub(crate) text: String,
}

/// How a finding is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Good to know.
    Good,
    /// To be aware of.
    Plain,
    /// Not to be trusted.
    Warning,
}

/// A figure of the page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plot {
    /// As it is shown first.
    pub(crate) figure: Figure,
    /// The same on linear axes, where that helps.
    pub(crate) linear: Option<Figure>,
    /// What there is to know about it.
    pub(crate) caption: String,
}

/// A table of the page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listing {
    /// All of it.
    pub(crate) table: Table,
    /// What there is to know about it; may be empty.
    pub(crate) caption: String,
    /// The first rows that the page shows; its files have all.
    pub(crate) n_shown: usize,
    /// Whether the reader has to unfold it: details behind a figure.
    pub(crate) is_folded: bool,
}

impl Plot {
    /// A figure on one kind of axes.
    pub(crate) fn block(figure: Figure, caption: &str) -> Block {
        Block::Figure(Plot { figure, linear: None, caption: caption.to_owned() })
    }
}

impl Listing {
    /// A table that is shown whole.
    pub(crate) fn block(table: Table, caption: &str) -> Block {
        let n_shown = table.n_rows();
        Block::Table(Listing { table, caption: caption.to_owned(), n_shown, is_folded: false })
    }

    /// A table that the reader has to unfold.
    pub(crate) fn folded(table: Table, caption: &str) -> Block {
        let n_shown = table.n_rows();
        Block::Table(Listing { table, caption: caption.to_owned(), n_shown, is_folded: true })
    }
}

impl Section {
    /// A section, unless it would be empty.
    pub(crate) fn of(id: &'static str, title: &'static str, blocks: Vec<Block>) -> Option<Section> {
        let says_something = blocks.iter().any(|block| match block {
            Block::PerGoal(variants) => variants.iter().any(|blocks| !blocks.is_empty()),
            _ => true,
        });
        says_something.then_some(Section { id, title, blocks })
    }
}

#[cfg(test)]
mod tests;
