"""What networks are made of: layers, backbones, pyramids, predictors."""
