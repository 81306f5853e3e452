//! The same clusters on a GPU.

use whylight::Device;
use whylight::summarise::KMeans;

use super::{PLACES, bits, blobs, cluster, on_cpu, table};
use crate::twins::gpu;

#[test]
fn a_gpu_finds_the_clusters_that_the_cpu_finds() {
    let Some(gpu) = gpu() else { return };
    let device = || Device::gpu(Some(gpu.adapter().index)).unwrap();
    for (rows, places, clusters) in [
        (1, &PLACES[..], 1),
        (257, &PLACES[..], 1),
        (900, &PLACES[..], 3),
        (1000, &PLACES[..1], 7),
    ] {
        let table = table(blobs(rows, places, 1));
        let on_gpu = KMeans {
            device: device(),
            ..on_cpu(clusters)
        };
        let got = cluster(&table, &on_gpu).unwrap();
        let expected = cluster(&table, &on_cpu(clusters)).unwrap();
        assert_eq!(got.device, on_gpu.device.name());
        assert!(got.notes.is_empty());
        // No row is equally far from two centres here.
        assert_eq!(bits(&got), bits(&expected), "{rows} rows");
        assert_eq!(got.rows, expected.rows);
        assert_eq!(got.iterations, expected.iterations);
        let again = cluster(&table, &on_gpu).unwrap();
        assert_eq!(bits(&got), bits(&again));
    }
}

#[test]
fn what_the_gpu_cannot_hold_is_left_to_the_cpu_and_said() {
    let Some(gpu) = gpu() else { return };
    let limits = gpu.adapter().limits;
    let columns = 2 + limits.binding_bytes / 1024;
    if columns > 1 << 18 {
        return;
    }
    let mut matrix = ndarray::Array2::zeros((4, columns as usize));
    for row in 0..4 {
        matrix
            .row_mut(row)
            .fill(f64::from(row as u32 / 2 * 10 + row as u32));
    }
    let options = KMeans {
        device: Device::gpu(Some(gpu.adapter().index)).unwrap(),
        ..on_cpu(2)
    };
    let clusters = cluster(&table(matrix), &options).unwrap();
    assert_eq!(clusters.rows, [2, 2]);
    assert_eq!(clusters.device, Device::cpu().name());
    assert!(
        clusters.notes[0].contains("the CPU found"),
        "{:?}",
        clusters.notes
    );
}
