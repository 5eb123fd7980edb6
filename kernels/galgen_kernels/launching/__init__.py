"""What describes a form of a kernel, chooses its tile and starts it, whatever the operation."""
