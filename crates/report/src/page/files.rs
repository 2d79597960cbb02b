//! The page and every figure and table of it as files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::html::{self, DrawnPlot};
use super::{Block, Page, Plot};
use crate::error::ReportError;
use crate::figure::{Drawing, Figure};
use crate::files::write_atomically;
use crate::table::Table;

/// Writes a page and its figures and tables into a directory; returns the paths, the page first.
///
/// # Errors
///
/// Where a file cannot be written.
pub(crate) fn write(
    page: Page,
    file_name: &str,
    directory: &Path,
) -> Result<Vec<PathBuf>, ReportError> {
    let page = with_unique_names(page);
    let mut drawn = vec![];
    let mut tables = vec![];
    let blocks = page.lead.iter().chain(page.sections.iter().flat_map(|section| &section.blocks));
    for block in blocks {
        gather(block, &mut drawn, &mut tables)?;
    }
    let mut written = vec![];
    let mut write = |path: PathBuf, bytes: &[u8]| {
        write_atomically(&path, bytes)?;
        written.push(path);
        Ok::<(), ReportError>(())
    };
    write(directory.join(file_name), html::page(&page, &drawn).as_bytes())?;
    for drawing in drawn.iter().flat_map(DrawnPlot::drawings) {
        let path = |ending| directory.join("figures").join(format!("{}.{ending}", drawing.name));
        write(path("svg"), drawing.svg.as_bytes())?;
        write(path("png"), &drawing.png()?)?;
    }
    let goals = (!page.goals.is_empty()).then(|| goals(&page));
    for table in tables.into_iter().chain(&goals) {
        let path = |ending| directory.join("tables").join(format!("{}.{ending}", table.name));
        write(path("csv"), &table.csv()?)?;
        write(path("parquet"), &table.parquet()?)?;
    }
    if !page.goals.is_empty() {
        for folder in ["figures", "tables"] {
            remove_other_goals(&directory.join(folder), &written)?;
        }
    }
    Ok(written)
}

/// Which goal a table or figure answers, by how its name ends.
fn goals(page: &Page) -> Table {
    let endings = (0..page.goals.len()).map(goal_suffix);
    Table::new("goals").texts("name_ends_with", endings).texts("goal", page.goals.iter().cloned())
}

/// How the names of a goal's figures and tables end: those of the first one as they are.
fn goal_suffix(goal_index: usize) -> String {
    match goal_index {
        0 => String::new(),
        _ => format!("_goal_{}", goal_index + 1),
    }
}

/// Removes what an earlier report wrote of a figure or table of this one for further goals that this one has not:
/// beside the new ones nothing would tell them apart.
fn remove_other_goals(folder: &Path, written: &[PathBuf]) -> Result<(), ReportError> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if first_goals(&path).is_some_and(|first| written.contains(&first))
            && !written.contains(&path)
        {
            fs::remove_file(&path).map_err(|source| ReportError::File { path, source })?;
        }
    }
    Ok(())
}

/// The file of the first goal beside that of a further one; `None` for any other name.
fn first_goals(path: &Path) -> Option<PathBuf> {
    let (name, number) = path.file_stem()?.to_str()?.rsplit_once("_goal_")?;
    number.parse::<usize>().ok()?;
    Some(path.with_file_name(format!("{name}.{}", path.extension()?.to_str()?)))
}

/// Draws the figures of a block and finds its tables, from top to bottom.
fn gather<'page>(
    block: &'page Block,
    drawn: &mut Vec<DrawnPlot>,
    tables: &mut Vec<&'page Table>,
) -> Result<(), ReportError> {
    match block {
        Block::Figure(Plot { figure, linear, .. }) => {
            let first = figure.draw()?;
            let linear: Option<Drawing> = linear.as_ref().map(Figure::draw).transpose()?;
            drawn.push(DrawnPlot { first, linear });
        }
        Block::Table(listing) => tables.push(&listing.table),
        Block::PerGoal(variants) => {
            for block in variants.iter().flatten() {
                gather(block, drawn, tables)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Figures and tables of the second goal and of later ones have its number in their name.
fn with_unique_names(mut page: Page) -> Page {
    let sections = page.sections.iter_mut().flat_map(|section| &mut section.blocks);
    for block in page.lead.iter_mut().chain(sections) {
        let Block::PerGoal(variants) = block else { continue };
        for (goal_index, blocks) in variants.iter_mut().enumerate().skip(1) {
            let suffix = goal_suffix(goal_index);
            blocks.iter_mut().for_each(|block| rename(block, &suffix));
        }
    }
    debug_assert!(names_are_unique(&page), "two figures or tables share a name");
    page
}

fn rename(block: &mut Block, suffix: &str) {
    match block {
        Block::Figure(plot) => {
            plot.figure.name.push_str(suffix);
            if let Some(linear) = &mut plot.linear {
                linear.name.push_str(suffix);
            }
        }
        Block::Table(listing) => listing.table.name.push_str(suffix),
        _ => {}
    }
}

fn names_are_unique(page: &Page) -> bool {
    fn walk<'page>(block: &'page Block, names: &mut BTreeSet<(bool, &'page str)>) -> bool {
        match block {
            Block::Figure(plot) => {
                let linear = plot.linear.as_ref().is_none_or(|f| names.insert((true, &f.name)));
                linear && names.insert((true, &plot.figure.name))
            }
            Block::Table(listing) => names.insert((false, &listing.table.name)),
            Block::PerGoal(variants) => variants.iter().flatten().all(|block| walk(block, names)),
            _ => true,
        }
    }
    let mut names = BTreeSet::new();
    let mut blocks =
        page.lead.iter().chain(page.sections.iter().flat_map(|section| &section.blocks));
    blocks.all(|block| walk(block, &mut names))
}
