"""Training of a finisher, the network that takes a sampler's last step."""
