"""ohlcache: a read-through cache for OHLC candles."""

__version__ = "0.1.0"
