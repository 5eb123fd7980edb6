"""What a pixel's number means: model space, display, flux, magnitudes."""
