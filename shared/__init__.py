"""What the services agree on: contracts, the one stage worker, the bus client, errors, observability."""
