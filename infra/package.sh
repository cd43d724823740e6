#!/bin/sh
# Package the function into .build/lambda for Lambda's Linux, whatever this machine is; versions are those of the lock.
# Usage: infra/package.sh [aarch64|x86_64]
set -eu
cd "$(dirname "$0")/.."
machine="${1:-aarch64}"
target=.build/lambda
list=.build/lambda-requirements.txt

rm -rf "$target"
mkdir -p "$target"
.venv/bin/uv pip compile -q --no-header --no-annotate --no-emit-index-url --generate-hashes \
  --extra lambda --extra tracing --constraint requirements/dev.lock \
  --python-platform "$machine-manylinux_2_28" --python-version 3.13 pyproject.toml -o "$list"
.venv/bin/uv pip install -q --no-deps --require-hashes --only-binary :all: --target "$target" \
  --python-platform "$machine-manylinux_2_28" --python-version 3.13 -r "$list"
cp -R src/ohlcache "$target/ohlcache"
# Every package is new, so that every deployment publishes a version: without one, changed parameters would reach the
# function but not its alias, and so not the URL.
date -u +%Y-%m-%dT%H:%M:%SZ > "$target/packaged"
find "$target" -type d \( -name __pycache__ -o -name tests -o -name bin \) -prune -exec rm -rf {} +
# Lambda cannot write beside the code: without its bytecode every start would compile everything, which takes longer than
# the start itself. The zip loses the times of the files, so the bytecode must not look at them.
.venv/bin/uv run -q --no-project --python 3.13 python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$target" || {
  echo "no Python 3.13 here to compile the package with: cold starts will take more than twice as long" >&2
}
du -sm "$target" | awk '{print "packaged " $1 " MB in '"$target"' (Lambda takes 250)"}'
