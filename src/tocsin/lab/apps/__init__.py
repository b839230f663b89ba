"""What runs in the practice production's pods: small programs, each one process, each in a bare interpreter."""
