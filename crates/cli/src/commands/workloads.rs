//! `critbatch workloads`: what can be trained.

use std::path::Path;

use critbatch_data::{DatasetInfo, catalogue, locate};
use critbatch_models::{Model, Optimizer};
use critbatch_report::format;
use critbatch_tuner::Metaparameter;
use serde::Serialize;

use crate::args::Workloads;
use crate::commands::paper;
use crate::console;
use crate::exit::Exit;
use crate::{plan, ruled};

#[derive(Debug, Serialize)]
struct Offer {
    /// Those of the paper; any other combination can be trained as well.
    workloads: Vec<paper::Offer>,
    datasets: Vec<DatasetOffer>,
    models: Vec<ModelOffer>,
    optimizers: Vec<OptimizerOffer>,
}

#[derive(Debug, Serialize)]
struct DatasetOffer {
    name: &'static str,
    description: &'static str,
    source: &'static str,
    n_classes: usize,
    example_shape: Vec<usize>,
    /// `null` where they depend on the files.
    n_train: Option<usize>,
    n_validation: Option<usize>,
    n_test: Option<usize>,
    is_present: bool,
    /// Where it is, or where it was looked for and how to get it.
    location: String,
}

#[derive(Debug, Serialize)]
struct ModelOffer {
    name: &'static str,
    /// On each kind of examples that the network fits.
    sizes: Vec<Size>,
}

#[derive(Debug, Serialize)]
struct Size {
    #[serde(flatten)]
    examples: Examples,
    n_parameters: usize,
}

/// What a network's size depends on.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Examples {
    example_shape: Vec<usize>,
    n_classes: usize,
}

#[derive(Debug, Serialize)]
struct OptimizerOffer {
    name: &'static str,
    metaparameters: Vec<MetaparameterOffer>,
}

#[derive(Debug, Serialize)]
struct MetaparameterOffer {
    name: &'static str,
    description: &'static str,
    /// `null` where an experiment must name it.
    default: Option<f64>,
    range: String,
    is_integer: bool,
}

/// Lists them.
///
/// # Errors
///
/// Where stdout cannot be written.
pub(crate) fn execute(arguments: &Workloads) -> anyhow::Result<Exit> {
    if let Some(name) = &arguments.workload {
        console::print(&paper::experiment(name)?)?;
        return Ok(Exit::Done);
    }
    let offer = offer(arguments.data.data_dir.as_deref());
    match arguments.listing.json {
        true => console::print_json(&offer)?,
        false => console::print(&text(&offer))?,
    }
    Ok(Exit::Done)
}

fn offer(data_dir: Option<&Path>) -> Offer {
    let optimizer = |optimizer: Optimizer| OptimizerOffer {
        name: optimizer.name(),
        metaparameters: optimizer.metaparameters().into_iter().map(metaparameter).collect(),
    };
    Offer {
        workloads: paper::offers(data_dir),
        datasets: catalogue().iter().map(|info| dataset(info, data_dir)).collect(),
        models: Model::all().iter().map(model).collect(),
        optimizers: Optimizer::ALL.into_iter().map(optimizer).collect(),
    }
}

/// A model with its size on the examples of every data set, alike ones once.
fn model(model: &Model) -> ModelOffer {
    let mut sizes: Vec<Size> = Vec::new();
    for info in catalogue() {
        let examples =
            Examples { example_shape: info.example_shape(), n_classes: info.n_classes() };
        if sizes.iter().any(|size| size.examples == examples) {
            continue;
        }
        // An error says that the network does not fit: images that are too small for its pools, or text.
        if let Ok(n_parameters) = model.n_parameters(&examples.example_shape, examples.n_classes) {
            sizes.push(Size { examples, n_parameters });
        }
    }
    ModelOffer { name: model.name(), sizes }
}

fn dataset(info: &DatasetInfo, data_dir: Option<&Path>) -> DatasetOffer {
    let (is_present, location) = match locate(info, data_dir) {
        Ok(location) => (true, location.to_string()),
        Err(error) => (false, error.to_string()),
    };
    let size = |split: usize| info.sizes().map(|sizes| sizes[split]);
    DatasetOffer {
        name: info.name(),
        description: info.description(),
        source: info.source(),
        n_classes: info.n_classes(),
        example_shape: info.example_shape(),
        n_train: size(0),
        n_validation: size(1),
        n_test: size(2),
        is_present,
        location,
    }
}

fn metaparameter(metaparameter: Metaparameter) -> MetaparameterOffer {
    let Metaparameter { name, description, default, range, is_integer, .. } = metaparameter;
    MetaparameterOffer { name, description, default, range: range.to_string(), is_integer }
}

fn text(offer: &Offer) -> String {
    let count = |n: usize| format::count(n as u64);
    let size = |n: Option<usize>| n.map_or("as given".to_owned(), count);
    let mut datasets =
        ruled::table(["data set", "train", "validation", "test", "shape", "present"]);
    for dataset in &offer.datasets {
        let shape = shape(&dataset.example_shape);
        datasets.add_row([
            dataset.name,
            &size(dataset.n_train),
            &size(dataset.n_validation),
            &size(dataset.n_test),
            &shape,
            if dataset.is_present { "yes" } else { "no" },
        ]);
    }
    let mut models = ruled::table(["model", "parameters"]);
    for model in &offer.models {
        let on = |size: &Size| {
            let Examples { example_shape, n_classes } = &size.examples;
            let n_parameters = count(size.n_parameters);
            format!("{n_parameters} on {}, {n_classes} classes", shape(example_shape))
        };
        let sizes: Vec<String> = model.sizes.iter().map(on).collect();
        let none = "needs larger images than those of these data sets".to_owned();
        models.add_row([model.name, &if sizes.is_empty() { none } else { sizes.join("; ") }]);
    }
    let [datasets, models] = [datasets, models].map(ruled::text);
    format!(
        "{}\n\
         `critbatch workloads NAME` prints the experiment file of one of them. Any other data set, model and\n\
         optimizer together are a workload too.\n\n\
         {datasets}\n`critbatch data list` says where they are, and how to get the others.\n\n{models}\n\n{}",
        workloads(&offer.workloads),
        optimizers(&offer.optimizers)
    )
}

/// The paper's workloads with what a lane of each takes.
fn workloads(offers: &[paper::Offer]) -> String {
    let header =
        ["workload", "goal", "batch sizes", "parameters", "FLOP/example", "a lane", "data"];
    let mut workloads = ruled::table(header);
    for offer in offers {
        let none = || "-".to_owned();
        let [smallest, largest] = offer.lane_bytes.map(|bytes| bytes.map_or_else(none, plan::size));
        let [first, last] = [offer.batch_sizes.first(), offer.batch_sizes.last()]
            .map(|size| size.map_or_else(none, |&size| format::count(size)));
        workloads.add_row([
            offer.name.clone(),
            offer.goal.clone().unwrap_or_else(none),
            format!("{first} to {last} ({})", offer.batch_sizes.len()),
            offer.n_parameters.map_or_else(none, |n| format::count(n as u64)),
            offer.flops_per_example.map_or_else(none, |n| format::rate(n as f64)),
            format!("{smallest} to {largest}"),
            if offer.data_is_present { "yes" } else { "no" }.to_owned(),
        ]);
    }
    ruled::text(workloads)
}

fn shape(shape: &[usize]) -> String {
    match shape {
        [length] => format!("{length} tokens"),
        axes => axes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x "),
    }
}

/// The optimizers, then what each of their metaparameters is, said once.
fn optimizers(offers: &[OptimizerOffer]) -> String {
    let mut optimizers = ruled::table(["optimizer", "metaparameters"]);
    let mut distinct: Vec<&MetaparameterOffer> = Vec::new();
    for optimizer in offers {
        let names = optimizer.metaparameters.iter().map(|parameter| parameter.name);
        optimizers.add_row([optimizer.name, &names.collect::<Vec<_>>().join(", ")]);
        for parameter in &optimizer.metaparameters {
            if distinct.iter().all(|known| known.name != parameter.name) {
                distinct.push(parameter);
            }
        }
    }
    let describe = |parameter: &&MetaparameterOffer| {
        let MetaparameterOffer { name, description, range, .. } = parameter;
        let whole = if parameter.is_integer { ", whole" } else { "" };
        let default = parameter.default.map_or("required".to_owned(), |value| {
            format!("{} if left out", format::number(value))
        });
        format!("{name}: {description} ({range}{whole}; {default})")
    };
    let descriptions: Vec<String> = distinct.iter().map(describe).collect();
    format!("{}\n{}", ruled::text(optimizers), descriptions.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_listed() {
        let offer = offer(None);
        let text = text(&offer);
        let names = (offer.datasets.iter().map(|d| d.name))
            .chain(offer.models.iter().map(|m| m.name))
            .chain(offer.optimizers.iter().map(|o| o.name));
        for name in names {
            assert!(text.contains(name), "{name} is missing in\n{text}");
        }
        assert!(offer.datasets.iter().any(|d| d.name == "mnist_5k" && d.is_present));
    }
}
