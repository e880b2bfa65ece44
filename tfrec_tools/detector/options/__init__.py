"""The options of the commands that train or run a model, declared without TensorFlow."""
