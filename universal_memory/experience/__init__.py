"""Experience: events, the rolling buffer that keeps them, and the episodes they are cut into."""
