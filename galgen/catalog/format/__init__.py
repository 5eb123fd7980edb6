"""How a catalogue is laid out in a FITS file."""
