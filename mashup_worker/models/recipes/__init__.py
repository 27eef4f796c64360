"""Models that are made of other models: chains and weighted sums, written as YAML."""
