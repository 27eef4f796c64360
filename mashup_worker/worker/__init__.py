"""Worker process: claims jobs, renews their leases, runs them and publishes the results."""
