"""What `ump` can do, one module per noun; `universal_memory.cli` finds and names them."""
