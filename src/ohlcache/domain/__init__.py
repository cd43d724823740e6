"""Values and rules: what a candle, a session and a complete answer are. No I/O, no clock, no framework."""
