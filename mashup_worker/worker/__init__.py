"""The GPU process: claims jobs, keeps their leases, does the work, publishes, and stops well."""
