"""Records indexed, images brought onto the network's canvas, batches."""
