"""Drawings as figures of an SVG: pure, from values."""
