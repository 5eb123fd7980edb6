#!/bin/bash
# A catalogue made by a Slurm job array. From the folder where it is to be:
#
#   sbatch cluster.sh                   # or sbatch cluster.sh --n 1000000 ...
#   galgen finish mixed.fits            # when the jobs have ended; says what is missing
#
# Jobs may run in any order and at any time. If some are lost, submit those again, as in
# sbatch --array=3 cluster.sh, or all: what is made is not made again. For another number of jobs,
# say it twice: NJOBS=8 sbatch --array=0-7 cluster.sh.
#
#SBATCH --job-name=galgen
#SBATCH --array=0-3
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=1:00:00

set -euo pipefail
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"

galgen mass --category spiral:0.6,smooth:0.4 --n 128 --seed 7 --batch 8 --out mixed.fits \
            --njobs "${NJOBS:-4}" --quiet "$@"
