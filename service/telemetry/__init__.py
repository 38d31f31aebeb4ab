"""What the service tells of itself: metrics, logs, traces, and where a search spends its time."""
