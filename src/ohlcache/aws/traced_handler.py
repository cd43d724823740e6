"""The Lambda handler with X-Ray traces, ``ohlcache.aws.traced_handler.handler``: a choice, because it starts slower.

Importing the X-Ray SDK costs more than everything else of a cold start; the template's parameter ``Tracing`` chooses
between the two handlers.
"""

from aws_lambda_powertools import Tracer

from ohlcache.aws.handler import handler as untraced

handler = Tracer(patch_modules=("botocore",)).capture_lambda_handler(untraced.__call__)
