"""What operators see of running services: metrics, health, and the state of each process."""
