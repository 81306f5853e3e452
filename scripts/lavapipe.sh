#!/bin/sh
# Installs Mesa's Vulkan driver for the CPU (lavapipe), on which the shaders are tested where there is no GPU.
# Does nothing where a Vulkan loader and lavapipe are there already, and says what to do where it cannot help.
set -u

found() {
    for folder in /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /etc/vulkan/icd.d; do
        for manifest in "$folder"/lvp_icd*.json; do
            [ -e "$manifest" ] && return 0
        done
    done
    return 1
}

loader() {
    for library in /usr/lib/*/libvulkan.so.1 /usr/lib64/libvulkan.so.1 /usr/lib/libvulkan.so.1; do
        [ -e "$library" ] && return 0
    done
    return 1
}

found && loader && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "lavapipe: no apt-get here; install Mesa's Vulkan drivers and the Vulkan loader with this system's packages" >&2
    exit 0
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "lavapipe: not root; run: sudo apt-get install mesa-vulkan-drivers libvulkan1" >&2
    exit 0
fi
install() {
    # A step that cannot reach the network is told by the missing adapter of the tests.
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y --no-install-recommends \
        mesa-vulkan-drivers libvulkan1 >/dev/null
}
install || { $as_root apt-get update >/dev/null && install; } ||
    echo "lavapipe: apt-get could not install mesa-vulkan-drivers and libvulkan1; see above" >&2
exit 0
