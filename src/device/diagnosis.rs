//! Why a GPU that is in the machine cannot be used, and the command that mends it.

use std::fmt;
use std::path::{Path, PathBuf};

/// The parts of a system that decide whether Vulkan finds a GPU.
#[derive(Debug, Clone)]
pub struct System {
    /// The root of the file system.
    pub root: PathBuf,
    /// `NVIDIA_DRIVER_CAPABILITIES`, which a container is started with.
    pub nvidia_capabilities: Option<String>,
    /// `VK_DRIVER_FILES` or `VK_ICD_FILENAMES`: the only driver manifests that the loader reads,
    /// if set.
    pub driver_files: Option<String>,
}

/// A GPU that is there but cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The GPU.
    pub found: String,
    /// Why it cannot be used.
    pub cause: String,
    /// The command that mends it.
    pub mend: String,
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, cause, mend } = self;
        write!(f, "{found} cannot be used: {cause}; run `{mend}`")
    }
}

/// This machine.
impl Default for System {
    fn default() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            root: PathBuf::from("/"),
            nvidia_capabilities: variable("NVIDIA_DRIVER_CAPABILITIES"),
            driver_files: variable("VK_DRIVER_FILES").or_else(|| variable("VK_ICD_FILENAMES")),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Nvidia,
    Amd,
    Intel,
    Other,
}

impl Maker {
    fn name(self) -> &'static str {
        match self {
            Maker::Nvidia => "an NVIDIA GPU",
            Maker::Amd => "an AMD GPU",
            Maker::Intel => "an Intel GPU",
            Maker::Other => "a GPU",
        }
    }

    /// Part of the file name of its driver manifests.
    fn manifests(self) -> &'static [&'static str] {
        match self {
            Maker::Nvidia => &["nvidia", "nouveau"],
            Maker::Amd => &["radeon", "amd"],
            Maker::Intel => &["intel"],
            Maker::Other => &[],
        }
    }
}

/// Where the Vulkan loader looks for driver manifests.
const MANIFESTS: [&str; 4] = [
    "etc/vulkan/icd.d",
    "usr/share/vulkan/icd.d",
    "usr/local/share/vulkan/icd.d",
    "usr/local/etc/vulkan/icd.d",
];

/// The library of NVIDIA's driver that holds Vulkan.
const NVIDIA_DRIVER: &str = "libGLX_nvidia.so.0";

/// Writes the manifest that the driver's package would have brought.
const NVIDIA_MANIFEST: &str = r#"mkdir -p /etc/vulkan/icd.d && echo '{"file_format_version": "1.0.0", "ICD": {"library_path": "libGLX_nvidia.so.0", "api_version": "1.3.0"}}' > /etc/vulkan/icd.d/nvidia_icd.json"#;

/// Where shared libraries lie, and below in a directory per architecture.
const LIBRARIES: [&str; 5] = ["usr/lib", "usr/lib64", "lib", "lib64", "usr/local/lib"];

impl System {
    /// What keeps a GPU of this machine from being used; `None` if there is none, or nothing is
    /// found to be wrong.
    pub fn diagnose(&self) -> Option<Diagnosis> {
        let maker = self.maker()?;
        let diagnosis = |cause: String, mend: &str| {
            Some(Diagnosis {
                found: maker.name().to_owned(),
                cause,
                mend: mend.to_owned(),
            })
        };
        if maker == Maker::Nvidia && self.in_container() && !self.has_graphics() {
            let given = self.nvidia_capabilities.as_deref().unwrap_or("unset");
            return diagnosis(
                format!(
                    "the container was started without its graphics capability \
                     (NVIDIA_DRIVER_CAPABILITIES is {given}), which Vulkan needs"
                ),
                "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=all …",
            );
        }
        if !self.has_library("libvulkan.so.1") {
            return diagnosis(
                "the Vulkan loader libvulkan.so.1 is not installed".to_owned(),
                "apt-get install libvulkan1",
            );
        }
        if self.has_manifest(maker) {
            return self.diagnose_access(maker);
        }
        if let Some(files) = &self.driver_files {
            return diagnosis(
                format!("VK_DRIVER_FILES names {files}, which holds no driver for it"),
                "unset VK_DRIVER_FILES VK_ICD_FILENAMES",
            );
        }
        // On Ubuntu the package with the manifest carries the version of the running driver.
        let mend = match maker {
            Maker::Nvidia if self.has_library(NVIDIA_DRIVER) => {
                return diagnosis(
                    format!("its Vulkan driver {NVIDIA_DRIVER} is installed without a manifest"),
                    NVIDIA_MANIFEST,
                );
            }
            Maker::Nvidia if self.in_container() => {
                return diagnosis(
                    format!(
                        "the container has the graphics capability, but the host has no \
                         {NVIDIA_DRIVER} to give it; mend the host, then start the container anew"
                    ),
                    "apt-get install libnvidia-gl-$(cut -d. -f1 /sys/module/nvidia/version)",
                );
            }
            Maker::Nvidia if self.is_debian() => "apt-get install nvidia-vulkan-icd",
            Maker::Nvidia => {
                "apt-get install libnvidia-gl-$(cut -d. -f1 /sys/module/nvidia/version)"
            }
            _ => "apt-get install mesa-vulkan-drivers",
        };
        diagnosis(
            "no Vulkan driver for it is installed (no manifest in /usr/share/vulkan/icd.d or \
             /etc/vulkan/icd.d)"
                .to_owned(),
            mend,
        )
    }

    /// Everything is installed: what remains is whether this user may open the device.
    fn diagnose_access(&self, maker: Maker) -> Option<Diagnosis> {
        if maker == Maker::Nvidia
            || self
                .names("dev/dri")
                .iter()
                .any(|n| n.starts_with("render"))
        {
            return None;
        }
        Some(Diagnosis {
            found: maker.name().to_owned(),
            cause: "its device node /dev/dri/renderD128 is not there".to_owned(),
            mend: if self.in_container() {
                "docker run --device /dev/dri …"
            } else {
                "modprobe -a amdgpu i915 xe"
            }
            .to_owned(),
        })
    }

    /// The maker of the GPU in this machine, if there is one.
    fn maker(&self) -> Option<Maker> {
        let mut found = None;
        for device in self.names("sys/bus/pci/devices") {
            let read = |file: &str| {
                let path = self
                    .root
                    .join("sys/bus/pci/devices")
                    .join(&device)
                    .join(file);
                std::fs::read_to_string(path).unwrap_or_default()
            };
            // Class 3 is display; a virtual machine's emulated screen is no GPU.
            if !read("class").trim().starts_with("0x03") {
                continue;
            }
            match read("vendor").trim() {
                "0x10de" => return Some(Maker::Nvidia),
                "0x1002" => found = Some(Maker::Amd),
                "0x8086" => found = found.or(Some(Maker::Intel)),
                "0x1013" | "0x1234" | "0x15ad" | "0x1414" | "0x1af4" | "0x1b36" | "0x80ee"
                | "0x1a03" | "0x102b" => {}
                _ => found = found.or(Some(Maker::Other)),
            }
        }
        let devices = self.names("dev");
        let is_card = |name: &String| {
            let number = name.strip_prefix("nvidia");
            name == "nvidiactl"
                || number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        };
        if devices.iter().any(is_card) {
            return Some(Maker::Nvidia);
        }
        if devices.iter().any(|name| name == "kfd") {
            return Some(Maker::Amd);
        }
        let is_render = |name: &String| name.starts_with("renderD");
        found.or_else(|| {
            let nodes = self.names("dev/dri");
            nodes.iter().any(is_render).then_some(Maker::Other)
        })
    }

    fn in_container(&self) -> bool {
        self.nvidia_capabilities.is_some()
            || self.root.join(".dockerenv").exists()
            || self.root.join("run/.containerenv").exists()
    }

    fn is_debian(&self) -> bool {
        let release = std::fs::read_to_string(self.root.join("etc/os-release"));
        release.is_ok_and(|text| text.lines().any(|line| line == "ID=debian"))
    }

    fn has_graphics(&self) -> bool {
        let capabilities = self.nvidia_capabilities.as_deref().unwrap_or_default();
        capabilities
            .split(',')
            .any(|capability| matches!(capability.trim(), "all" | "graphics"))
    }

    fn has_library(&self, library: &str) -> bool {
        LIBRARIES.iter().any(|directory| {
            self.root.join(directory).join(library).exists()
                || self
                    .names(directory)
                    .iter()
                    .filter(|name| name.contains("-linux-"))
                    .any(|name| self.root.join(directory).join(name).join(library).exists())
        })
    }

    fn has_manifest(&self, maker: Maker) -> bool {
        let is_its = |name: &str| {
            Path::new(name)
                .extension()
                .is_some_and(|ending| ending == "json")
                && match maker.manifests() {
                    // The software driver is none of an unknown maker's.
                    [] => !name.contains("lvp"),
                    parts => parts.iter().any(|part| name.contains(part)),
                }
        };
        if let Some(files) = &self.driver_files {
            return files.split(':').any(|file| {
                let path = Path::new(file.trim_start_matches('/'));
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                is_its(&name) && self.root.join(path).exists()
            });
        }
        let mut directories = MANIFESTS.iter();
        directories.any(|directory| self.names(directory).iter().any(|name| is_its(name)))
    }

    /// The names in a directory, sorted; none if it cannot be read.
    fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join(directory));
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}
