#!/usr/bin/env bash
# `make format`: lays out all Swift sources in place, as .swift-format says.
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"
swift format --in-place --parallel --recursive Sources Tests Package.swift
