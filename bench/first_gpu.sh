#!/usr/bin/env bash
# What a GPU is used for when there is one for half an hour: three parts of less than 500 s each.
# usage: bench/first_gpu.sh A|B|C OUT [DATA...]
#
#   A  are the kernels right, do the same galaxies get the same bytes, which tiles are fastest
#   B  train `fast` on DATA until the time is over, the learning rate falling to zero by then
#   C  kernels, network and whole catalogues beside what they compete with; the new weights judged
#
# A step that fails or runs out of its seconds (the second word) is reported, and the next starts.
# After every step OUT has all results so far, of the parts before too, in pieces of 15 MiB:
#   cat OUT/results.tgz.* | tar xz
# Parts follow each other on one machine, with no network: what Python lacks there comes as wheels
# in .whl/ (bench/fetch_wheels.py), which are needed for the first part only. PYTHON names Python.
set -uo pipefail
usage="usage: bench/first_gpu.sh A|B|C OUT [DATA...]"
refuse() { echo "$1" >&2 && exit 2; }
[[ ${1:-} == [ABC] && ${2:-} ]] || refuse "$usage"
part=$1 out=$(realpath -m "$2") data=()
for path in "${@:3}"; do
  [[ -e $path ]] || refuse "$path: no such data"
  data+=("$(realpath "$path")")
done
[[ $part != B ]] || ((${#data[@]})) || refuse "no data to train on; $usage"
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} wheels=${GALGEN_WHEELS:-.whl}
work=${GALGEN_FIRST_GPU:-${TMPDIR:-/tmp}/galgen-first-gpu} # stays from part to part
results=$work/results run=$work/run
mkdir -p "$out" "$results" "$run"
# GALGEN_DRY_RUN=1 shows on any machine that all of this starts: the smallest network, few galaxies.
preset=fast other=small batch=512 larger=2048 few=() rate=35 compiled_rate=85 training=255
if [[ ${GALGEN_DRY_RUN:-} ]]; then
  preset=tiny other=tiny batch=8 larger=16 few=(--n 8) rate=15 compiled_rate=15 training=15
fi

if compgen -G "$wheels/*.whl" >/dev/null; then
  "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade \
    --target "$work/site" "$wheels"/*.whl || exit
fi
export PYTHONPATH=$PWD:$PWD/kernels:$work/site${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
# Kernels compiled ahead of time have no line numbers: so both ways share Triton's cache.
export TRITON_DISABLE_LINE_INFO=1
"$python" -c 'import astropy, erfa, fitsio, platformdirs' ||
  refuse "carry the wheels: python -m bench.fetch_wheels puts them into .whl/"

pack() { # all results, or what fits into four pieces
  local what
  for what in "results run" results; do
    # shellcheck disable=SC2086
    tar czf "$work/packed" -C "$work" --exclude='checkpoint*' $what
    (($(stat -c %s "$work/packed") <= 60 << 20)) && break
  done
  rm -f "$work"/results.tgz.*
  split -d -a 1 -b 15M "$work/packed" "$work/results.tgz."
  rm -f "$out"/results.tgz.*
  mv "$work"/results.tgz.* "$out"
}

failures=0
step() { # NAME SECONDS COMMAND...
  local name=$1 limit=$2 started=$SECONDS status
  shift 2
  echo "== $name, at most $limit s"
  timeout --signal=INT --kill-after=3 "$limit" "$@" >"$results/$name.log" 2>&1
  status=$?
  ((status)) && ((++failures))
  tail -n 12 "$results/$name.log"
  printf '%s %-15s exit %3d  %4d s\n' "$part" "$name" "$status" $((SECONDS - started)) |
    tee -a "$results/steps.txt"
  pack
}
bench() { step "$1" "$2" "$python" -m "bench.$3" "${@:4}"; }
tests() { step "$1" "$2" "$python" -m pytest "${@:3}"; }

nvidia-smi >"$results/nvidia-smi.txt"
# Kernels are launched as was found best by part A.
if [[ -s $results/tuned.json ]]; then export GALGEN_TUNED=$results/tuned.json; fi

case $part in
A)
  tests gpu-tests 40 -m gpu tests/generate/test_engine.py tests/test_noise.py \
    tests/kernels/test_operators.py tests/system/test_device.py tests/training/test_batches.py
  tests kernel-tests 45 -n 8 --benchmark-disable tests/kernels/test_attention_fusion.py \
    tests/kernels/test_group_norm_silu.py tests/kernels/test_linear_combination.py \
    tests/kernels/test_stamps_to_fits.py tests/kernels/test_flood.py
  bench numerics 90 numerics --preset $preset --preset $other --out "$results/numerics.json"
  bench same-bytes 65 same_bytes "$work/catalogues" "${few[@]}" \
    --out "$results/same-bytes.json"
  bench tune 90 tune_kernels --preset $preset --out "$results/tuned.json"
  export GALGEN_TUNED=$results/tuned.json
  [[ -s $GALGEN_TUNED ]] || unset GALGEN_TUNED
  bench mass 60 bench_mass "$work/catalogues" --preset $preset --batch $batch --batch $larger \
    --lanes 2 --lanes 1 --seconds 30 --out "$results/mass.json"
  bench mass-workers 35 bench_mass "$work/catalogues" --preset $preset --batch $batch --workers 2 \
    --out "$results/mass-workers.json"
  if command -v ncu >/dev/null; then
    step ncu 25 ncu --clock-control none --set full -k 'regex:attention_fusion|group_norm' -c 2 \
      "$python" -m bench.profile_kernels --preset $preset
  fi
  ;;
B)
  options=() # of one training, --data before each
  for path in "${data[@]}"; do options+=(--data "$path"); done
  # What training is done with is what was just measured to be faster.
  bench rate 60 bench_train "${data[@]}" --preset $preset --seconds $rate \
    --out "$results/rate.json"
  bench rate-compiled 110 bench_train "${data[@]}" --preset $preset --compile \
    --seconds $compiled_rate --out "$results/rate-compiled.json"
  bench train 295 first_training "$run" "${options[@]}" --preset $preset --seconds $training \
    --rate "$results/rate.json" --compiled-rate "$results/rate-compiled.json" \
    --out "$results/training.json"
  ;;
C)
  weights=()
  if [[ -d $run/weights ]]; then weights=(--weights "$run/weights"); fi
  bench ceilings 12 ceilings --out "$results/ceilings.json"
  GALGEN_BENCH_PRESETS=$preset GALGEN_BENCH_MODE=default tests kernels 70 \
    bench/bench_kernels.py --benchmark-only --benchmark-json "$results/kernels.json"
  bench denoiser 80 bench_denoiser --preset $preset --batch $batch --batch $larger \
    --compiled-batch $batch --seconds 50 --out "$results/denoiser.json"
  bench trained 85 bench_mass "$work/catalogues" --preset $preset "${weights[@]}" --batch $batch \
    --steps 2 --steps 8 --steps 32 --seconds 55 --out "$results/trained.json"
  if ((${#data[@]})); then
    bench evaluate 60 evaluate_weights "${data[@]}" "${weights[@]}" "${few[@]}" \
      --held-out-only --grid "$results/galaxies.png" --out "$results/evaluate.json"
  fi
  bench start 40 bench_start --variant eager --out "$results/start.json"
  tests library 40 -m gpu tests/kernels/test_aot.py
  # The strongest competitor takes minutes to be made, so it comes last, in the time that is left.
  bench autotuned 60 bench_denoiser --preset $preset --batch $batch --compiled-batch $batch \
    --autotune --out "$results/autotuned.json"
  ;;
esac
rm -rf "$work/catalogues"
exit $((failures > 0))
