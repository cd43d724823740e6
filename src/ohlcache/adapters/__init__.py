"""What stands behind the ports: stores, vendors, the shipped calendar, telemetry and the clock."""
