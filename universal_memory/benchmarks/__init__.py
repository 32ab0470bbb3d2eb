"""What `ump bench` runs: speeds of the real parts, side by side, in one process."""
