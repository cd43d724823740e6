"""The Python face: one cache for coroutines, one for everything else, and the table of candles that both return."""
