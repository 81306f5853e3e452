# What a person types. `make test` is what CI runs.

.PHONY: demo build test lint format clippy doc python python-tests lavapipe bench bench-peers bench-memory corpus

# A test that needs a GPU adapter, real or lavapipe, fails without one; WHYLIGHT_REQUIRE_GPU=0 skips it instead.
export WHYLIGHT_REQUIRE_GPU ?= 1

# Mesa's layer that chooses among GPUs complains on stderr where no desktop runs; here nothing is to be chosen.
export NODEVICE_SELECT ?= 1

demo: build
	target/release/whylight demo
	target/release/whylight explain --model examples/breast_cancer/svc.onnx --data examples/breast_cancer/rows.csv \
		--background examples/breast_cancer/background.csv --output probability
	scripts/demo-python.sh

build:
	cargo build --release --bin whylight

# Clippy and the tests see two builds of the dependencies: checked and compiled.
test: lavapipe lint
	cargo test --workspace
	scripts/python-tests.sh

lint: format python clippy doc

format:
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check

clippy:
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy -p whylight -p whylight-kernels --all-targets --no-default-features -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

python:
	scripts/python.sh

# The wheel, built and installed into an environment of its own, and the Python tests.
python-tests:
	scripts/python-tests.sh

lavapipe:
	scripts/lavapipe.sh

bench:
	cargo bench

# The peers' environments and models, then whylight against them on one core; writes benches/record/.
bench-peers: build
	benches/peers/setup.sh
	target/peers/env/bin/python benches/peers/run.py

# The memory that ten million rows take, from Parquet to Parquet under a limit; writes benches/record/.
bench-memory: build
	benches/peers/setup.sh
	target/peers/env/bin/python benches/memory.py target/peers/models/xgb_20x10.json

# The corpus of model files, each made by its own library in its own pinned environment.
corpus:
	scripts/corpus.sh
