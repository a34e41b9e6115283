"""What is kept of a run: its claims, its weights and history, where it ran, and at which scale."""
