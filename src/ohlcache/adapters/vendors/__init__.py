"""The market-data vendors: a pure parser and a thin client each; their quirks end here."""
