#!/usr/bin/env bash
# Train the `fast` preset for one time slice; the same command continues it in the next one.
# usage: bench/train_on_gpu.sh RUN_FOLDER TIME DATA...     e.g.  runs/fast 9m a.zip b.zip
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?run folder} time=${2:?time, such as 9m}
shift 2
data=()
for path in "$@"; do data+=(--data "$path"); done
PYTHONPATH=.:kernels PYTHONUNBUFFERED=1 python -m galgen train --preset fast --compile \
  --out "$out" --max-time "$time" --resume "${data[@]}"
