"""The engines that keep chunks and leases; all of them pass one contract suite."""
