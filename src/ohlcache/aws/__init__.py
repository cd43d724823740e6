"""The front door on AWS Lambda: the same ASGI app, with telemetry for CloudWatch and keys from Secrets Manager."""
