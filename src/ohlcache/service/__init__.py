"""The walk of a request: memory tier, single flight, store, plan, lease, vendor, and back."""
