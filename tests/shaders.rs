//! The shaders against the Rust side of their contracts, without a GPU.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess, TypeInner};
use whylight::kernel::{self, Kernel};
use whylight_kernels::binding::Access;
use whylight_kernels::words;

fn parse(kernel: &Kernel) -> Module {
    let source = kernel.source();
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|error| panic!("{}: {}", kernel.name, error.emit_to_string(&source)));
    // No capability: what every GPU has.
    Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{}: {}", kernel.name, error.emit_to_string(&source)));
    module
}

#[test]
fn every_shader_is_valid_and_enters_by_its_name() {
    for kernel in kernel::ALL {
        let module = parse(kernel);
        let entries: Vec<_> =
            (module.entry_points.iter().map(|entry| entry.name.as_str())).collect();
        assert_eq!(entries, [kernel.name]);
    }
}

#[test]
fn every_shader_binds_what_its_twin_declares() {
    for kernel in kernel::ALL {
        let module = parse(kernel);
        let mut bound = BTreeMap::new();
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = &variable.binding else {
                continue;
            };
            assert_eq!(binding.group, 0, "{}", kernel.name);
            let access = match variable.space {
                AddressSpace::Uniform => Access::Uniform,
                AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                    Access::Write
                }
                AddressSpace::Storage { .. } => Access::Read,
                space => panic!("{}: {space:?}", kernel.name),
            };
            let name = variable.name.clone().unwrap_or_default();
            bound.insert(binding.binding, (name, access));
        }
        let declared: BTreeMap<u32, (String, Access)> = (0..)
            .zip(kernel.bindings)
            .map(|(i, binding)| (i, (binding.name.to_owned(), binding.access)))
            .collect();
        assert_eq!(bound, declared, "{}", kernel.name);
        // More than WebGPU promises would exclude GPUs.
        assert!(declared.len() <= 9, "{}", kernel.name);
    }
}

#[test]
fn the_parameters_of_every_shader_are_those_of_its_twin() {
    for kernel in kernel::ALL {
        let module = parse(kernel);
        let mut variables = module.global_variables.iter();
        let (_, params) = variables
            .find(|(_, variable)| variable.name.as_deref() == Some("params"))
            .unwrap();
        let TypeInner::Struct { members, span } = &module.types[params.ty].inner else {
            panic!("{}: params is no struct", kernel.name);
        };
        let found: Vec<(&str, usize)> = members
            .iter()
            .map(|member| (member.name.as_deref().unwrap(), member.offset as usize))
            .collect();
        assert_eq!(found, kernel.params, "{}", kernel.name);
        assert!(*span as usize <= kernel.params.len() * 4 + 12);
        for member in members {
            assert_eq!(
                module.types[member.ty].inner,
                TypeInner::Scalar(naga::Scalar::U32),
                "{}",
                kernel.name
            );
        }
    }
}

#[test]
fn constants_are_the_same_on_both_sides() {
    let rust: BTreeMap<&str, u32> = words::CONSTANTS.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for kernel in kernel::ALL {
        let module = parse(kernel);
        for (_, constant) in module.constants.iter() {
            let Some(name) = constant.name.as_deref() else {
                continue;
            };
            let naga::Expression::Literal(naga::Literal::U32(value)) =
                module.global_expressions[constant.init]
            else {
                panic!("{}: {name} is no u32", kernel.name);
            };
            assert_eq!(Some(&value), rust.get(name), "{}: {name}", kernel.name);
            seen.insert(name.to_owned());
        }
    }
    let declared: BTreeSet<String> = rust.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(seen, declared);
}

/// The stems of the files in a directory with this ending whose text has `mark`.
fn stems(directory: &str, ending: &str, mark: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let files = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|e| e == ending))
        .filter(|path| fs::read_to_string(path).unwrap().contains(mark))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn no_shader_and_no_twin_stands_alone() {
    let listed: BTreeSet<String> = kernel::ALL
        .iter()
        .map(|kernel| kernel.name.to_owned())
        .collect();
    assert_eq!(stems("shaders", "wgsl", ""), listed, "shaders/");
    assert_eq!(
        stems("kernels/src", "rs", "bindings! {"),
        &listed | &BTreeSet::from([]),
        "kernels/src/"
    );
    for name in &listed {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shader = fs::read_to_string(root.join(format!("shaders/{name}.wgsl"))).unwrap();
        let twin = fs::read_to_string(root.join(format!("kernels/src/{name}.rs"))).unwrap();
        assert!(shader.contains(&format!("// Twin: kernels/src/{name}.rs")));
        assert!(twin.contains(&format!("//! Twin: `shaders/{name}.wgsl`")));
        let first = |text: &str| text.lines().next().unwrap()[3..].trim().to_owned();
        let (shader, twin) = (first(&shader), first(&twin));
        let words = |text: &str| {
            text.split(' ')
                .take(3)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            words(&shader),
            words(&twin),
            "{name}: the twins say what they compute"
        );
    }
    for shared in stems("shaders/common", "wgsl", "") {
        let path = format!("shaders/common/{shared}.wgsl");
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        assert!(
            kernel::ALL
                .iter()
                .any(|kernel| kernel.source().contains(&text)),
            "no kernel includes common/{shared}.wgsl"
        );
    }
}
