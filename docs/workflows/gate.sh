#!/bin/sh
# May this model ship? For any CI that runs a shell: the exit code is the answer (0 it may, 1 it may not, 2 input, 3 device).
#   gate.sh [EXPERIMENT] [POLICY]     PLAN (default none) and TARGET (default host) from the environment
# Leaves gate.xml (JUnit), gate.md, and results/ with report.html. `harness` must be on PATH; docs/ci.md says how to install.
experiment=${1:-experiment.toml}
policy=${2:-policy.toml}

harness run "$experiment" -t "${TARGET:-host}" --plan "${PLAN:-none}"
code=$?
[ "$code" -le 1 ] || exit "$code" # 1 is a variant that is not ok: the gate says what of it

harness gate latest --policy "$policy" --junit gate.xml --summary gate.md
