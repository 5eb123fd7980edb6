"""What each kernel must move and compute, and how fast that could be: by arithmetic, not measured.

python -m bench.roofline [--preset fast ...] [--out bench/results/roofline.json]
python -m bench.roofline.table bench/results/roofline.json [--page docs/kernels.md]
"""
