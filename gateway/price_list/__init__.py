"""Prices as they are published (by the package genai-prices, which brings them along), held against the catalog's."""
