#!/usr/bin/env bash
# Does contrastive alignment help? Two spaces from the closed form, at equal minutes and the same
# seed, without it and with it, and a renderer of another model over each:
#     scripts/run.sh scripts/alignment_ablation.sh [WEIGHT [MINUTES [GEMMA_MINUTES]]]
# Each arm has a models folder of its own in build/ablation. Cut, the same command goes on.
set -e
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
weight="${1:-0.1}" minutes="${2:-15}" gemma_minutes="${3:-10}"

arm() { # NAME WEIGHT
    export UMP_MODELS="build/ablation/$1"
    mkdir -p "$UMP_MODELS"
    if [ ! -f "$UMP_MODELS/space/encoder.safetensors" ]; then
        ./ump train space --minutes "$minutes" --seed 0 --contrastive "$2" --run "build/ablation/runs/$1"
    fi
    ./ump train renderer --model gemma3-270m --like smollm2-135m --minutes "$gemma_minutes" --seed 0 \
        --run "build/ablation/runs/$1-gemma"
}

arm plain 0
arm contrastive "$weight"
./ump bench alignment --space build/ablation/plain --space build/ablation/contrastive \
    --json build/ablation/alignment.json
