"""The reconciler: records failed executions whose ends nobody announced."""
