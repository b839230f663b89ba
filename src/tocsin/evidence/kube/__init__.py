"""What a Kubernetes cluster says of itself, as facts: documented fields of 1.20 to 1.36 alone. Reads, never changes."""
