#!/bin/sh
# Print one output of the deployed stack. Usage: [STACK=ohlcache] infra/output.sh NAME
set -eu
exec aws cloudformation describe-stacks --stack-name "${STACK:-ohlcache}" \
  --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text
