#!/usr/bin/env bash
# Everything there is to measure on a GPU, in one command and under ten minutes.
# usage: bench/on_gpu.sh OUT_FOLDER [STEP...]     e.g.  results/h100 tune kernels
#
# The limits of the steps, in seconds, are the second word of each below; they add up to 590. A step
# that fails or runs out of time is reported and the next one starts; what it had measured is kept.
# Catalogues are written to OUT_FOLDER too (4 GB at a time), so it should be on a real disk.
set -uo pipefail
out=$(realpath -m "${1:?usage: bench/on_gpu.sh OUT_FOLDER [STEP...]}")
wanted=" ${*:2} "
cd "$(dirname "$0")/.."
mkdir -p "$out"
export PYTHONPATH=.:kernels PYTHONUNBUFFERED=1
# Kernels compiled ahead of time have no line numbers: so both ways share Triton's cache.
export TRITON_DISABLE_LINE_INFO=1

report=()
failures=0
step() {  # NAME SECONDS COMMAND...
  local name=$1 limit=$2 started=$SECONDS status
  shift 2
  if [[ $wanted =~ [a-z] && $wanted != *" $name "* ]]; then return; fi
  echo "== $name, at most $limit s"
  timeout --signal=INT --kill-after=5 "$limit" "$@" 2>&1 | tee "$out/$name.log"
  status=${PIPESTATUS[0]}
  ((status)) && ((++failures))
  report+=("$(printf '%-14s exit %3d  %4d s' "$name" "$status" $((SECONDS - started)))")
}

nvidia-smi | tee "$out/nvidia-smi.txt"
workers=()
python -c 'import xdist' 2>/dev/null && workers=(-n 12)
kernel_tests=(tests/kernels/test_{attention_fusion,group_norm_silu,linear_combination,stamps_to_fits}.py)

step gpu-tests 35 python -m pytest -m gpu
step kernel-tests 55 python -m pytest "${workers[@]}" "${kernel_tests[@]}"
step numerics 50 python -m bench.numerics --out "$out/numerics.json"
step ceilings 15 python -m bench.ceilings --out "$out/ceilings.json"
step tune 65 python -m bench.tune_kernels --out "$out/tuned.json"
# From here on kernels are launched as was just found best.
if [[ -s $out/tuned.json ]]; then export GALGEN_TUNED=$out/tuned.json; fi
step kernels 90 python -m pytest bench/bench_kernels.py --benchmark-only \
  --benchmark-json "$out/kernels.json"
step denoiser 140 python -m bench.bench_denoiser --preset fast --seconds 80 \
  --out "$out/denoiser.json"
step start 65 python -m bench.bench_start --out "$out/start.json"
step mass 75 python -m bench.bench_mass "$out/catalogues" --seconds 55 --out "$out/mass.json"
rm -rf "$out/catalogues"

if ((${#report[@]} == 0)); then echo "no such step:$wanted" >&2 && exit 2; fi
printf '%s\n' "${report[@]}" | tee "$out/steps.txt"
exit $((failures > 0))
