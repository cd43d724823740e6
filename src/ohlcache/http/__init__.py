"""The HTTP front door: an ASGI app without a framework, one file per resource. docs/http-api.md is its contract."""
