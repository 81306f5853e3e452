//! Which device is taken, and what is said where a GPU cannot be used.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use whylight::Device;
use whylight::device::System;

/// A file system with these files; a name without content is a directory's.
fn system(files: &[(&str, &str)]) -> (TempDir, System) {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let system = System {
        root: root.path().to_owned(),
        nvidia_capabilities: None,
        driver_files: None,
    };
    (root, system)
}

const CARD: &str = "sys/bus/pci/devices/0000:01:00.0";

/// A card with this PCI vendor, and more files.
fn card(vendor: &str, files: &[(&str, &str)]) -> (TempDir, System) {
    let (class, maker) = (format!("{CARD}/class"), format!("{CARD}/vendor"));
    let mut all = vec![(&*class, "0x030000\n"), (&*maker, vendor)];
    all.extend(files);
    system(&all)
}

const LOADER: (&str, &str) = ("usr/lib/x86_64-linux-gnu/libvulkan.so.1", "");

#[test]
fn a_machine_without_a_gpu_has_nothing_to_mend() {
    let (_root, system) = system(&[("sys/bus/pci/devices/0000:00:01.0/class", "0x060000\n")]);
    assert_eq!(system.diagnose(), None);
}

#[test]
fn the_screen_of_a_virtual_machine_is_no_gpu() {
    for vendor in ["0x1234\n", "0x1af4\n", "0x15ad\n"] {
        let (_root, system) = card(vendor, &[]);
        assert_eq!(system.diagnose(), None, "{vendor}");
    }
}

#[test]
fn a_card_without_the_loader_is_told_to_install_it() {
    for vendor in ["0x10de\n", "0x1002\n", "0x8086\n"] {
        let (_root, system) = card(vendor, &[]);
        let diagnosis = system.diagnose().unwrap();
        assert_eq!(diagnosis.mend, "apt-get install libvulkan1");
        assert!(diagnosis.cause.contains("libvulkan.so.1"));
    }
}

#[test]
fn a_card_without_a_driver_manifest_is_told_which_package_has_it() {
    // The software driver's manifest does not drive a card.
    let software = ("usr/share/vulkan/icd.d/lvp_icd.x86_64.json", "{}");
    let (_root, system) = card("0x1002\n", &[LOADER, software]);
    let diagnosis = system.diagnose().unwrap();
    assert_eq!(diagnosis.found, "an AMD GPU");
    assert_eq!(diagnosis.mend, "apt-get install mesa-vulkan-drivers");
    let (_root, system) = card("0x10de\n", &[LOADER, software]);
    let diagnosis = system.diagnose().unwrap();
    assert!(diagnosis.mend.contains("libnvidia-gl-"), "{diagnosis}");
    let debian = ("etc/os-release", "NAME=\"Debian\"\nID=debian\n");
    let (_root, system) = card("0x10de\n", &[LOADER, debian]);
    let diagnosis = system.diagnose().unwrap();
    assert_eq!(diagnosis.mend, "apt-get install nvidia-vulkan-icd");
}

#[test]
fn a_container_with_the_capability_but_no_manifest_is_not_told_to_start_as_it_did() {
    let nodes = [("dev/nvidiactl", ""), ("dev/nvidia0", ""), LOADER];
    let driver = ("usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0", "");
    for (files, words, mend) in [
        (nodes.to_vec(), "the host has no", "libnvidia-gl-"),
        (
            [nodes.as_slice(), &[driver]].concat(),
            "without a manifest",
            "nvidia_icd.json",
        ),
    ] {
        let (_root, mut system) = system(&files);
        system.nvidia_capabilities = Some("all".to_owned());
        let diagnosis = system.diagnose().unwrap();
        assert!(diagnosis.cause.contains(words), "{diagnosis}");
        assert!(diagnosis.mend.contains(mend), "{diagnosis}");
        assert!(!diagnosis.mend.contains("docker"), "{diagnosis}");
    }
}

#[test]
fn a_container_without_the_graphics_capability_is_told_how_to_start() {
    let nodes = [("dev/nvidiactl", ""), ("dev/nvidia0", ""), LOADER];
    for (given, is_missing) in [
        (Some("compute,utility"), true),
        (Some("compute,graphics"), false),
        (Some("all"), false),
        (None, false),
    ] {
        let manifest = ("etc/vulkan/icd.d/nvidia_icd.json", "{}");
        let (_root, mut system) = system(&[nodes.as_slice(), &[manifest]].concat());
        system.nvidia_capabilities = given.map(str::to_owned);
        let diagnosis = system.diagnose();
        assert_eq!(diagnosis.is_some(), is_missing, "{given:?}: {diagnosis:?}");
        if let Some(diagnosis) = diagnosis {
            assert!(diagnosis.cause.contains("compute,utility"), "{diagnosis}");
            assert!(diagnosis.mend.contains("NVIDIA_DRIVER_CAPABILITIES=all"));
        }
    }
}

#[test]
fn a_container_with_a_card_but_no_capability_at_all_is_told_how_to_start() {
    let (_root, system) = system(&[("dev/nvidiactl", ""), (".dockerenv", ""), LOADER]);
    let diagnosis = system.diagnose().unwrap();
    assert!(diagnosis.cause.contains("unset"), "{diagnosis}");
}

#[test]
fn a_variable_that_hides_the_driver_is_named() {
    let manifest = "usr/share/vulkan/icd.d/radeon_icd.x86_64.json";
    let (root, mut system) = card(
        "0x1002\n",
        &[LOADER, (manifest, "{}"), ("dev/dri/renderD128", "")],
    );
    assert_eq!(system.diagnose(), None);
    system.driver_files = Some("/nowhere/lvp_icd.x86_64.json".to_owned());
    let diagnosis = system.diagnose().unwrap();
    assert!(diagnosis.cause.contains("/nowhere/lvp_icd"), "{diagnosis}");
    assert!(diagnosis.mend.starts_with("unset VK_DRIVER_FILES"));
    system.driver_files = Some(format!("/{manifest}"));
    assert_eq!(system.diagnose(), None, "{}", root.path().display());
}

#[test]
fn a_card_without_its_device_node_is_noticed() {
    let manifest = ("usr/share/vulkan/icd.d/intel_icd.x86_64.json", "{}");
    let (_root, system) = card("0x8086\n", &[LOADER, manifest]);
    let diagnosis = system.diagnose().unwrap();
    assert!(diagnosis.cause.contains("/dev/dri"), "{diagnosis}");
}

#[test]
fn a_root_that_is_not_there_has_no_gpu() {
    let system = System {
        root: Path::new("/nowhere/at/all").to_owned(),
        nvidia_capabilities: Some("utility".to_owned()),
        driver_files: None,
    };
    assert_eq!(system.diagnose(), None);
}

#[test]
fn devices_are_named_as_on_the_command_line() {
    let device: Device = "cpu".parse().unwrap();
    assert!(device.choice().starts_with("cpu ("), "{}", device.choice());
    assert!(device.choice().ends_with("the CPU was asked for"));
    for wrong in ["", "GPU", "gpu:", "gpu:-1", "gpu:x", "cuda", "gpu 0"] {
        let error = wrong.parse::<Device>().unwrap_err().to_string();
        assert!(error.contains("auto, cpu, gpu, or gpu:N"), "{error}");
    }
}

#[test]
fn a_gpu_that_is_not_there_is_an_error_and_never_the_cpu() {
    let error = "gpu:99".parse::<Device>().unwrap_err();
    assert!(matches!(error, whylight::Error::Device { .. }), "{error}");
}

#[test]
fn auto_says_why_and_takes_no_software_adapter() {
    let device: Device = "auto".parse().unwrap();
    assert!(!device.reason().is_empty());
    #[cfg(feature = "gpu")]
    if let Device::Gpu { gpu, .. } = &device {
        assert_ne!(gpu.adapter().kind, whylight::gpu::AdapterKind::Software);
    }
    eprintln!("auto takes {}", device.choice());
}

#[cfg(feature = "gpu")]
#[test]
fn a_software_adapter_is_taken_by_its_number_alone() {
    use whylight::gpu::{AdapterKind, Gpu};
    let adapters = Gpu::adapters();
    if adapters
        .iter()
        .all(|adapter| adapter.kind == AdapterKind::Software)
    {
        let error = "gpu".parse::<Device>().unwrap_err().to_string();
        assert!(
            error.contains("no GPU") || error.contains("cannot be used"),
            "{error}"
        );
    }
    for adapter in adapters {
        let device: Device = format!("gpu:{}", adapter.index).parse().unwrap();
        assert!(device.name().contains(&adapter.name), "{}", device.name());
        assert!(adapter.limits.binding_bytes >= 1 << 27);
    }
}
