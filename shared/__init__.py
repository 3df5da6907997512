"""The code that all services share: contracts, the stage worker, AWS clients, errors, logs and metrics."""
