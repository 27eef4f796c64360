"""Signal processing on tensors: loudness, filters, dynamics, transforms, time-stretching."""
