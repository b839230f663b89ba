"""Figures of this build, each beside a yardstick measured on the same machine at the same time, and its target."""
