"""The network: an enhanced U-Net over channels-last maps, and what steers it."""
