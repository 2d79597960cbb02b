//! The contract between every .wgsl file and the Rust that launches it; needs no adapter.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess, TypeInner};

use super::samples::kernels;
use crate::gpu::dispatch::{Access, params};
use crate::gpu::launch::{Launch, Operand, Resource};
use crate::lane::LaneState;

/// Parses and validates the whole source of a launch's kernel.
fn module(launch: &Launch) -> Module {
    let name = launch.shader.name;
    let source = launch.shader.resolve(launch.tiling);
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&source)));
    Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP)
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&source)));
    module
}

fn launches() -> Vec<Launch> {
    kernels().into_iter().map(|kernel| kernel.launch).collect()
}

/// Paths of the kernels below `ops/`, without their ending.
fn files(folder: &Path, root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            names.extend(files(&path, root));
        } else if path.extension().is_some_and(|extension| extension == "wgsl") {
            let name = path.strip_prefix(root).unwrap().with_extension("");
            names.insert(name.to_str().unwrap().replace('\\', "/"));
        }
    }
    names
}

#[test]
fn every_file_is_launched_by_some_op() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    let launched: BTreeSet<String> =
        launches().iter().map(|launch| launch.shader.name.to_owned()).collect();
    assert_eq!(files(&root, &root), launched);
}

#[test]
fn every_file_has_its_header_and_one_entry_point() {
    for launch in launches() {
        let (name, source) = (launch.shader.name, launch.shader.source);
        let header: Vec<&str> = source.lines().take_while(|line| line.starts_with("//")).collect();
        for part in ["// Dispatch: ", "// Source: "] {
            assert!(header.iter().any(|line| line.starts_with(part)), "{name}: no '{part}'");
        }
        let module = module(&launch);
        let entries: Vec<&str> =
            module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(entries, ["main"], "{name}");
    }
}

/// (binding, access) of the storage buffers of group 0, in order of binding.
fn bindings(module: &Module) -> Vec<(u32, Access)> {
    let mut bindings: Vec<(u32, Access)> = module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| {
            let binding = variable.binding?;
            assert_eq!(binding.group, 0);
            match variable.space {
                AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                    Some((binding.binding, Access::ReadWrite))
                }
                AddressSpace::Storage { .. } => Some((binding.binding, Access::Read)),
                _ => None,
            }
        })
        .collect();
    bindings.sort_by_key(|&(binding, _)| binding);
    bindings
}

#[test]
fn bindings_equal_those_of_the_launch() {
    for launch in launches() {
        let expected: Vec<(u32, Access)> = (1..).zip(launch.accesses()).collect();
        assert_eq!(bindings(&module(&launch)), expected, "{}", launch.shader.name);
    }
}

/// Name, first word and number of words of a member of a struct.
type Member = (String, u32, u32);

/// The members of a struct and its words in all.
fn members(module: &Module, wanted: &str) -> Option<(Vec<Member>, u32)> {
    module.types.iter().find_map(|(_, ty)| match &ty.inner {
        TypeInner::Struct { members, span } if ty.name.as_deref() == Some(wanted) => {
            let layout = members.iter().map(|member| {
                let size = module.types[member.ty].inner.size(module.to_ctx());
                (member.name.clone().unwrap(), member.offset / 4, size / 4)
            });
            Some((layout.collect(), span / 4))
        }
        _ => None,
    })
}

/// Views first, two words each, then the op's words without a gap: what `params` writes.
#[test]
fn params_lie_as_rust_writes_them() {
    for launch in launches() {
        let name = launch.shader.name;
        let n_operands = launch.operands().count();
        let Some((members, span)) = members(&module(&launch), "Params") else {
            assert_eq!((n_operands, launch.words.len()), (0, 0), "{name} has no Params");
            continue;
        };
        let mut next = 0;
        for (index, (member, offset, size)) in members.iter().enumerate() {
            assert_eq!(*offset, next, "{name}: a gap before {member}");
            if index < n_operands {
                assert_eq!(*size, 2, "{name}: {member} is no view");
            }
            next += size;
        }
        let written = 2 * n_operands + launch.words.len();
        assert_eq!(next as usize, written, "{name}: words of Params and words written");
        let padded = params(vec![[0, 0]; n_operands].into_iter(), &launch.words).len();
        assert!(span as usize <= padded, "{name}: Params has {span} words, {padded} are bound");
    }
}

/// Members named as the operands' and words' bindings are, so that none is swapped.
#[test]
fn views_are_named_as_the_bindings_are() {
    for launch in launches() {
        let module = module(&launch);
        let Some((members, _)) = members(&module, "Params") else { continue };
        let mut names: Vec<(u32, &str)> = module
            .global_variables
            .iter()
            .filter_map(|(_, variable)| {
                Some((variable.binding?.binding, variable.name.as_deref()?))
            })
            .collect();
        names.sort_unstable();
        let n_operands = launch.operands().count();
        let bound: Vec<&str> = names[1..=n_operands].iter().map(|&(_, name)| name).collect();
        let views: Vec<&str> = members[..n_operands].iter().map(|(name, ..)| &**name).collect();
        assert_eq!(views, bound, "{}", launch.shader.name);
    }
}

#[test]
fn constants_are_exactly_the_overrides_without_a_value() {
    for launch in launches() {
        let module = module(&launch);
        let declared: BTreeSet<&str> = module
            .overrides
            .iter()
            .filter(|(_, constant)| constant.init.is_none())
            .map(|(_, constant)| constant.name.as_deref().unwrap())
            .collect();
        let given: BTreeSet<&str> = launch.constants.iter().map(|&(name, _)| name).collect();
        assert_eq!(declared, given, "{}", launch.shader.name);
    }
}

#[test]
fn lane_states_are_the_same_on_both_sides() {
    let launches = launches();
    let launch = launches.iter().find(|launch| launch.shader.name == "advance/training").unwrap();
    let (members, span) = members(&module(launch), "LaneState").unwrap();
    assert_eq!(span as usize * 4, size_of::<LaneState>());
    let rust = [
        ("key", std::mem::offset_of!(LaneState, key)),
        ("step", std::mem::offset_of!(LaneState, step)),
        ("epoch", std::mem::offset_of!(LaneState, epoch)),
        ("offset", std::mem::offset_of!(LaneState, offset)),
        ("remaining", std::mem::offset_of!(LaneState, remaining)),
        ("cursor", std::mem::offset_of!(LaneState, cursor)),
        ("diverged_at", std::mem::offset_of!(LaneState, diverged_at)),
        ("learning_rate", std::mem::offset_of!(LaneState, learning_rate)),
        ("momentum", std::mem::offset_of!(LaneState, momentum)),
        ("end_learning_rate_factor", std::mem::offset_of!(LaneState, end_learning_rate_factor)),
        ("learning_rate_decay_steps", std::mem::offset_of!(LaneState, learning_rate_decay_steps)),
        ("label_smoothing", std::mem::offset_of!(LaneState, label_smoothing)),
        ("cosine_decay", std::mem::offset_of!(LaneState, cosine_decay)),
        ("warmup_steps", std::mem::offset_of!(LaneState, warmup_steps)),
        ("beta2", std::mem::offset_of!(LaneState, beta2)),
        ("epsilon", std::mem::offset_of!(LaneState, epsilon)),
        ("weight_decay", std::mem::offset_of!(LaneState, weight_decay)),
        ("beta1_power", std::mem::offset_of!(LaneState, beta1_power)),
        ("beta2_power", std::mem::offset_of!(LaneState, beta2_power)),
    ];
    for ((name, offset), (member, place, _)) in rust.iter().zip(&members) {
        assert_eq!((*name, offset / 4), (member.as_str(), *place as usize));
    }
    assert_eq!(members.len(), rust.len());
}

/// What makes a lane's bits independent of the others: no kernel knows how many there are.
#[test]
fn every_kernel_looks_at_its_own_lane_first() {
    for launch in launches() {
        let name = launch.shader.name;
        let lanes = [Resource::Lanes, Resource::LanesMut];
        assert!(lanes.contains(&launch.resources[0]), "{name} does not bind the lane states");
        assert!(launch.shader.source.contains("remaining"), "{name} runs in idle lanes");
        assert!(!launch.shader.source.contains("arrayLength"), "{name} depends on buffer lengths");
    }
}

#[test]
fn workspaces_are_written_before_they_are_read() {
    let launches = launches();
    for (index, launch) in launches.iter().enumerate() {
        for read in launch.reads.iter().filter(|read| matches!(read, Operand::Workspace(_))) {
            let before = &launches[index - 1];
            assert!(before.writes.contains(read), "{}: {read:?}", launch.shader.name);
        }
    }
}
