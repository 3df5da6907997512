"""The contracts between services: versioned event types, the record's type, the stage table, bounds and names."""
