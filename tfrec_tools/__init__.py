"""Prepare object-detection data for TensorFlow, and grow detectors by new classes."""

__version__ = "0.1.0"
