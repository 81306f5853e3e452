//! `whylight devices`.

use super::Place;

#[test]
fn devices_lists_the_cpu_and_says_what_auto_takes_and_why() {
    let text = Place::new().ok("devices");
    assert!(text.starts_with("cpu     cpu ("), "{text}");
    let (_, auto) = text.split_once("\nauto takes ").unwrap();
    let (name, reason) = auto.split_once(": ").unwrap();
    assert!(name.starts_with("cpu") || name.starts_with("gpu"), "{text}");
    assert!(reason.trim().len() > 10, "{text}");
}

#[cfg(feature = "gpu")]
#[test]
fn devices_lists_every_adapter_by_its_number() {
    let text = Place::new().ok("devices");
    for adapter in whylight::gpu::Gpu::adapters() {
        let line = format!("gpu:{:<4}{}", adapter.index, adapter.name);
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_gpu_that_is_not_there_is_refused_and_never_replaced() {
    let place = Place::new();
    let message = place.fails("explain --model model.json --data rows.csv --device gpu:99");
    assert!(
        message.starts_with("1: error: device gpu:99: "),
        "{message}"
    );
}
