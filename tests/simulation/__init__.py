"""A fleet in a box: many nodes, one store, one vendor, virtual time, and faults, all drawn from one seed."""
