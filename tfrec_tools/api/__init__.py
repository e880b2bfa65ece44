"""The Python API, which `import tfrec_tools` offers by name: commands as functions, records, models."""
