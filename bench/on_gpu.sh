#!/usr/bin/env bash
# Everything there is to measure on a GPU, in one command and under ten minutes.
# usage: bench/on_gpu.sh OUT_FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: bench/on_gpu.sh OUT_FOLDER}
export PYTHONPATH=.:kernels PYTHONUNBUFFERED=1

python -m pytest -m gpu
for batch in 64 512 2048; do
  GALGEN_BENCH_BATCH=$batch python -m pytest bench/bench_generate.py --benchmark-only \
    --benchmark-json "$out/generate-$batch.json"
done
