"""What a cold start costs: CPU seconds of importing the handler, alone and with tracing, and who they belong to.

Usage: .venv/bin/python infra/cold_start.py. CPU time, not elapsed time, so that a busy machine does not matter much.
"""

# ruff: noqa: INP001 - a command beside the template

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from statistics import median

ROUNDS = 7
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_REGION": "eu-central-1",
    "AWS_LAMBDA_FUNCTION_NAME": "ohlcache",
    "OHLCACHE_STORE": "dynamodb",
    "OHLC_CACHE_TABLE": "t",
    "OHLCACHE_API_KEYS": "k",
    "OHLCACHE_SOURCE": "tiingo",
    "TIINGO_API_KEY": "secretsmanager:ohlcache/vendors#tiingo",
    "HOME": "/tmp",  # noqa: S108 - nothing is written
}
CPU = "import resource; r = resource.getrusage(resource.RUSAGE_SELF); print(r.ru_utime + r.ru_stime, r.ru_maxrss)"
STAGES = {
    "Python alone": "",
    "boto3 with a DynamoDB client": "import boto3; boto3.client('dynamodb', region_name='eu-central-1')",
    "numpy": "import numpy",
    "Powertools Logger and Metrics": "from aws_lambda_powertools import Logger; import aws_lambda_powertools.metrics",
    "Powertools Tracer (X-Ray SDK)": "from aws_lambda_powertools import Tracer; Tracer(patch_modules=('botocore',))",
    "the handler": "import ohlcache.aws.handler",
    "the handler with tracing": "import ohlcache.aws.traced_handler",
}


def measure(code: str) -> tuple[float, float]:
    """Return CPU seconds and megabytes of a process that runs ``code``, the median of several."""
    runs = []
    for _ in range(ROUNDS):
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", f"{code}\n{CPU}"], env=ENVIRONMENT, capture_output=True, text=True, check=True
        )
        seconds, kilobytes = re.findall(r"[\d.]+", done.stdout.splitlines()[-1])
        runs.append((float(seconds), float(kilobytes) / 1024))
    return median(seconds for seconds, _ in runs), median(megabytes for _, megabytes in runs)


def main() -> None:
    """Print one row for every stage."""
    print(f"| {Path(sys.executable).name} imports | CPU ms | MB |\n|---|---|---|")  # noqa: T201 - a command prints
    for name, code in STAGES.items():
        seconds, megabytes = measure(code)
        print(f"| {name} | {seconds * 1000:.0f} | {megabytes:.0f} |")  # noqa: T201 - a command prints


if __name__ == "__main__":
    main()
