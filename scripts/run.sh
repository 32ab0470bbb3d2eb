#!/usr/bin/env bash
# Run a command inside the project's environment, making the environment first if it is missing:
#     scripts/run.sh python -m pytest tests
set -e
scripts="$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
"$scripts/setup.sh"
. "$scripts/environment.sh"
exec "$@"
