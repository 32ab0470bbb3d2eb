"""
The doors to ROS 2: five thin nodes, and what they share.

- `camera_ingest`, `audio_ingest`, `tool_ingest`: sensor topics become `experience`.
- `memory_compiler` (lifecycle): `experience` becomes memory files, announced on `memory_compiled`.
- `memory_server` (lifecycle): answers `query` from the memory files.

Shared: `ingest` and `managed` (the two base nodes), `worker` (heavy work outside callbacks),
`health` and `diagnostics`, `parameters`, `conversions`, `images`, `audio_formats`, `poses`, `qos`,
`clock_jumps`, `spin`. `supervisor` and `client` are for programs that start or question the nodes.
"""
